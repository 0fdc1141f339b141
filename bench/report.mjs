// From measurements to tables.
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { defaultAtMost } from './rows.mjs';

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const best = (more, ...values) => {
  const known = values.filter((value) => value !== undefined);
  return known.length ? Math[more ? 'max' : 'min'](...known) : undefined;
};

// The target of a figure that is compared with another row's, of the same subjects.
function timesRow({ key, more, times }, results) {
  if (!times) return undefined;
  const [row, factor] = times;
  const other = best(more, ...['gnomon', 'gnomon-1'].map((subject) => (
    median((results[row]?.[subject] ?? []).map((f) => f[key])))));
  return other === undefined ? undefined : factor * other;
}

// One line a figure. `results`: row id → subject → the figures of each round.
export function lines(rows, results) {
  return rows.flatMap((row) => row.figures.map((figure) => {
    const of = (subject) => median((results[row.id]?.[subject] ?? []).map((f) => f[figure.key]));
    const gnomon = of('gnomon');
    const single = of('gnomon-1');
    const reached = best(figure.more, gnomon, single);
    // A number, what that subject has, or so many times what the other row has.
    const target = figure.target ?? of(figure.notAbove) ?? timesRow(figure, results);
    const worse = (a, b) => (figure.more ? b / a : a / b);  // how much a is worse than b
    // For shares of a core near zero and for start-up a ratio says nothing.
    const compares = !['idle_cpu_percent', 'ready_ms'].includes(figure.key);
    return {
      row, figure, gnomon, single, reached, target,
      missedBy: target === undefined || reached === undefined ? undefined
        : worse(reached, target),
      mosquitto: of('mosquitto'),
      floor: best(false, of('floor-direct'), of('floor-gather')),
      defaultRatio: compares && single > 0 && gnomon > 0 ? worse(gnomon, single) : undefined,
      sync: median(['gnomon', 'gnomon-1'].flatMap((subject) => (
        results[row.id]?.[subject] ?? []).map((f) => f.sync_us))),
    };
  }));
}

const number = (value, digits) => (value === undefined ? '–'
  : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const ratio = (a, b) => (a === undefined || !b ? '–' : `${number(a / b, a / b < 0.1 ? 3 : a / b < 10 ? 2 : 0)} ×`);

export const missed = ({ missedBy }) => missedBy > 1;

function verdict({ missedBy, defaultRatio }) {
  const words = [];
  if (missedBy !== undefined) words.push(missedBy > 1 ? `missed by ${number(missedBy, 2)} ×` : 'met');
  if (defaultRatio > defaultAtMost) words.push(`default is ${number(defaultRatio, 2)} × one shard`);
  return words.join(', ');
}

const titleOf = ({ row, figure }) => (
  `${row.title}${figure.title ? `: ${figure.title}` : ''}${figure.unit ? `, ${figure.unit}` : ''}`);

const targetOf = ({ figure: { more, digits }, target }) => (target === undefined ? '–'
  : `${more ? '≥' : '≤'} ${target.toLocaleString('en-US', { maximumFractionDigits: digits })}`);

const targetHeader = ['load', 'mosquitto', 'floor', 'Gnomon', 'one shard', 'target', '',
  'to mosquitto', 'to floor'];

function targetTable(all) {
  return [targetHeader, ...all.map((line) => {
    const { figure, gnomon, single, reached, mosquitto, floor } = line;
    const digits = figure.digits;
    return [titleOf(line), number(mosquitto, digits), number(floor, digits),
      number(gnomon, digits), number(single, digits), targetOf(line), verdict(line),
      ratio(reached, mosquitto), ratio(reached, floor)];
  })];
}

const durableHeader = ['durable load', 'mosquitto', 'Gnomon', 'one shard', 'target', '',
  'fdatasync p50, µs'];

function durableTable(all) {
  return [durableHeader, ...all.map((line) => {
    const { figure, gnomon, single, mosquitto, sync } = line;
    const digits = figure.digits;
    return [titleOf(line), number(mosquitto, digits), number(gnomon, digits),
      number(single, digits), targetOf(line), verdict(line), number(sync, 0)];
  })];
}

function rateTable(rows, results) {
  const names = ['mosquitto', 'floor-direct', 'floor-gather', 'gnomon', 'gnomon-1'];
  const table = [['messages/s', ...names, 'generator, µs/msg']];
  for (const row of rows) {
    const of = (subject, key) => median((results[row.id]?.[subject] ?? []).map((f) => f[key]));
    if (of('gnomon', 'messages_per_s') === undefined) continue;
    table.push([row.title, ...names.map((name) => number(of(name, 'messages_per_s'), 0)),
      number(of('gnomon', 'generator_cpu_us'), 2)]);
  }
  return table;
}

// Markdown that also reads well on a terminal.
function markdown(table) {
  if (table.length < 2) return '';
  const widths = table[0].map((_, i) => Math.max(...table.map((line) => line[i].length)));
  const text = table.map((line) => `| ${line.map((cell, i) => (i === 0
    ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`);
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2)
    : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [text[0], rule, ...text.slice(1)].join('\n');
}

export function tables(rows, results) {
  const [lasting, others] = [true, false].map((durable) => (
    rows.filter((row) => Boolean(row.durable) === durable)));
  return [targetTable(lines(others, results)), rateTable(others, results),
    durableTable(lines(lasting, results))].map(markdown).filter(Boolean).join('\n\n');
}

const command = (program, args) => {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim();
  } catch {
    return 'unknown';
  }
};

export function machine() {
  const cpu = os.cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `${cpu}, ${os.cpus().length} cores, ${number(os.totalmem() / 2 ** 30, 0)} GiB, ` +
    `Linux ${os.release()}`;
}

// bench/RESULTS.md.
export function results(rows, measured, { generator, rounds, seconds, load, disk }) {
  const changed = command('git', ['status', '--porcelain', '--', 'src', 'CMakeLists.txt']) !== '';
  return `# Bench results

Made by \`make bench\` (\`scripts/bench --write\`); what the loads are stands in \`rows.mjs\`.

- Date: ${new Date().toISOString().slice(0, 10)}
- Commit: ${command('git', ['rev-parse', '--short', 'HEAD'])}${changed ? ', with changes' : ''}
- Machine: ${machine()}; load average before the run ${number(load, 2)}
- Data: on ${disk}
- Generator: ${generator}, one thread on the same machine; medians of ${rounds} rounds of ${seconds} s

CPU is user + system of the broker's process, per delivered message. 100-byte payloads, clean
sessions, MQTT 3.1.1. "Gnomon" has the default settings, "one shard" GNOMON_THREADS_SHARDS=1; the
target holds for the better of the two. The floor is the better of its two ways to write.

In the durable loads Gnomon acknowledges what is on the disk; beside stands the p50 of fdatasync after
an append of 300 bytes, on the same file system, just before and after. Gnomon restarts after a
\`kill -9\`. mosquitto acknowledges first; it writes its file when it ends, and restarts after that.

${tables(rows, measured)}
`;
}
