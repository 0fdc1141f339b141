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

const least = (...values) => {
  const known = values.filter((value) => value !== undefined);
  return known.length ? Math.min(...known) : undefined;
};

// One line a figure. `results`: row id → subject → the figures of each round.
export function lines(rows, results) {
  return rows.flatMap((row) => row.figures.map((figure) => {
    const of = (subject) => median((results[row.id]?.[subject] ?? []).map((f) => f[figure.key]));
    const gnomon = of('gnomon');
    const single = of('gnomon-1');
    const best = least(gnomon, single);
    const met = figure.target === undefined || best === undefined ? undefined
      : best <= figure.target;
    // For shares of a core near zero and for start-up a ratio says nothing.
    const compares = !['idle_cpu_percent', 'ready_ms'].includes(figure.key);
    return {
      row, figure, gnomon, single, best, met,
      mosquitto: of('mosquitto'),
      floor: least(of('floor-direct'), of('floor-gather')),
      defaultRatio: compares && single > 0 ? gnomon / single : undefined,
    };
  }));
}

const number = (value, digits) => (value === undefined ? '–'
  : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const ratio = (a, b) => (a === undefined || !b ? '–' : `${number(a / b, a / b < 0.1 ? 3 : a / b < 10 ? 2 : 0)} ×`);

function verdict({ met, best, figure, defaultRatio }) {
  const words = [];
  if (met !== undefined) words.push(met ? 'met' : `missed by ${number(best / figure.target, 2)} ×`);
  if (defaultRatio > defaultAtMost) words.push(`default is ${number(defaultRatio, 2)} × one shard`);
  return words.join(', ');
}

const targetHeader = ['load', 'mosquitto', 'floor', 'Gnomon', 'one shard', 'target', '',
  'to mosquitto', 'to floor'];

function targetTable(all) {
  return [targetHeader, ...all.map((line) => {
    const { row, figure, gnomon, single, best, mosquitto, floor } = line;
    const digits = figure.digits;
    return [`${row.title}${figure.title ? `: ${figure.title}` : ''}, ${figure.unit}`,
      number(mosquitto, digits), number(floor, digits), number(gnomon, digits),
      number(single, digits), `≤ ${figure.target}`, verdict(line),
      row.only ? '–' : ratio(best, mosquitto), row.only ? '–' : ratio(best, floor)];
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
  return table.length > 1 ? table : [];
}

// Markdown that also reads well on a terminal.
function markdown(table) {
  if (table.length === 0) return '';
  const widths = table[0].map((_, i) => Math.max(...table.map((line) => line[i].length)));
  const text = table.map((line) => `| ${line.map((cell, i) => (i === 0
    ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`);
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2)
    : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [text[0], rule, ...text.slice(1)].join('\n');
}

export function tables(rows, results) {
  return [markdown(targetTable(lines(rows, results))), markdown(rateTable(rows, results))]
    .filter(Boolean).join('\n\n');
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
export function results(rows, measured, { generator, rounds, seconds, load }) {
  const changed = command('git', ['status', '--porcelain', '--', 'src', 'CMakeLists.txt']) !== '';
  return `# Bench results

Made by \`make bench\` (\`scripts/bench --write\`); what the loads are stands in \`rows.mjs\`.

- Date: ${new Date().toISOString().slice(0, 10)}
- Commit: ${command('git', ['rev-parse', '--short', 'HEAD'])}${changed ? ', with changes' : ''}
- Machine: ${machine()}; load average before the run ${number(load, 2)}
- Generator: ${generator}, one thread on the same machine; medians of ${rounds} rounds of ${seconds} s

CPU is user + system of the broker's process, per delivered message. 100-byte payloads, clean
sessions, MQTT 3.1.1. "Gnomon" has the default settings, "one shard" GNOMON_THREADS_SHARDS=1; the
target holds for the better of the two. The floor is the better of its two ways to write.

${tables(rows, measured)}
`;
}
