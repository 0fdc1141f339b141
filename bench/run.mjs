// make bench: the same loads on Gnomon, mosquitto and a bare forwarder, in turns.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gnomonBench, mqttload } from './generators.mjs';
import { lines, machine, missed, results as resultsText, tables } from './report.mjs';
import { rows as allRows } from './rows.mjs';
import { endAll, fileSystem, removeFolder, subjects as allSubjects, temporaryFolder, useDisk }
  from './subjects.mjs';

const help = `Usage: scripts/bench [options]

Runs the loads of bench/rows.mjs on Gnomon (default settings, and with one shard), mosquitto and the
bare forwarder, in turns, and prints medians beside the targets. The durable ones have a table of
their own, with what the disk takes beside.

Options:
  --rounds N          rounds of everything [3]
  --seconds N         of publishing in each measurement [3]
  --quick             one round of one second
  --only ROWS         these only, comma-separated: ${allRows.map((row) => row.id).join(', ')}
  --subjects NAMES    these only: gnomon, gnomon-1, mosquitto, floor-direct, floor-gather
  --data DIR          where the subjects have their data [the folder for temporary files, unless that
                      is in memory: then bench/out]
  --gnomon FILE       the program [build/release/gnomon]
  --generator FILE    an mqttload program to make the load instead of \`gnomon bench\`
  --write             also write bench/RESULTS.md
  --check             end with 1 if a target is missed

Example:
  scripts/bench --quick --only pairs-q0-w64,latency
`;

const root = fileURLToPath(new URL('..', import.meta.url));

function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '3' },
      quick: { type: 'boolean' }, data: { type: 'string' }, only: { type: 'string' }, subjects: { type: 'string' },
      gnomon: { type: 'string', default: path.join(root, 'build/release/gnomon') },
      generator: { type: 'string' }, write: { type: 'boolean' }, check: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const count = (name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: a whole number from 1`);
    return values.quick ? 1 : value;
  };
  return { ...values, rounds: count('rounds'), seconds: count('seconds') };
}

// Those of `all` that are named in `list`, or all of them.
function choose(all, list, key, option) {
  if (list === undefined) return all;
  const names = list.split(',');
  const unknown = names.filter((name) => !all.some((each) => each[key] === name));
  if (unknown.length) throw new Error(`${option}: there is no ${unknown.join(', ')}`);
  return all.filter((each) => names.includes(each[key]));
}

// Both ends of a connection need a descriptor, each in its own process.
function connectionsPossible(wanted) {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }));
  return Number.isNaN(limit) ? wanted : Math.min(wanted, limit - 500);
}

const bytesIn = (folder) => fs.readdirSync(folder, { recursive: true })
  .map((name) => fs.statSync(path.join(folder, name)))
  .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);

// Starts the subject on what it has queued, as after a crash. Each message must still be there.
async function restart(row, subject, running, folder, figures) {
  await running.stop(subject.restartAfter);
  figures.bytes_per_message = bytesIn(folder) / row.options.messages;
  const again = await subject.start(folder, row);
  figures.ready_ms = again.readyMs;
  if (again.queued) figures.lost += row.options.messages - await again.queued();
  return again;
}

async function measureIn(folder, row, subject, generator, options) {
  const before = row.durable ? await generator.syncTime(folder) : 0;
  let running = await subject.start(folder, row);
  let figures;
  try {
    if (row.load === 'ready') return { ready_ms: running.readyMs };
    const connections = connectionsPossible(row.options.connections);
    figures = await generator.run(row, { ...running, name: subject.name },
      { seconds: options.seconds, connections, quick: options.quick });
    if (row.restart) running = await restart(row, subject, running, folder, figures);
  } finally {
    await running.stop();
  }
  // In a mesh: how memory grows once it has had a quarter of the time.
  if (figures.resident_quarter) figures.growth = figures.resident_end / figures.resident_quarter;
  if (row.durable) {
    figures.sync_us = (before + await generator.syncTime(folder)) / 2;
    figures.per_sync = ((figures.messages_per_s ?? figures.accepted_per_s) * figures.sync_us) / 1e6;
  }
  return figures;
}

async function measure(row, subject, generator, options) {
  const folder = temporaryFolder();
  try {
    return await measureIn(folder, row, subject, generator, options);
  } finally {
    removeFolder(folder);
  }
}

// What must be zero in every measurement: a broker that loses is fast for nothing.
const faults = ['lost', 'out_of_order', 'unacknowledged', 'refused', 'wrong_acks', 'closed',
  'bystander_lost', 'rejected'];
const faultsOf = (figures, allowed = []) => faults
  .filter((key) => (figures[key] ?? 0) !== 0 && !allowed.includes(key))
  .map((key) => `${key.replaceAll('_', ' ')} ${figures[key]}`).join(', ');

function say(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else process.stderr.write(`${text}\n`);
}

async function runAll(rows, subjects, generator, options) {
  const measured = {};
  const problems = [];
  const steps = [];
  for (let round = 1; round <= options.rounds; ++round) {
    for (const row of rows) {
      for (const subject of subjects) {
        if (!row.only || row.only.includes(subject.name)) steps.push({ round, row, subject });
      }
    }
  }
  for (const [i, { round, row, subject }] of steps.entries()) {
    say(`${i + 1}/${steps.length}  round ${round}: ${row.id} on ${subject.name}`);
    try {
      const figures = await measure(row, subject, generator, options);
      ((measured[row.id] ??= {})[subject.name] ??= []).push(figures);
      const wrong = faultsOf(figures, row.allowed);
      if (wrong) problems.push(`${row.id} on ${subject.name}, round ${round}: ${wrong}`);
    } catch (error) {
      problems.push(`${row.id} on ${subject.name}, round ${round}: ${error.message}`);
    }
  }
  say(process.stderr.isTTY ? '' : 'done');
  return { measured, problems };
}

async function main() {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  if (!fs.existsSync(options.gnomon)) throw new Error(`${options.gnomon} is not there: make release`);
  const generator = options.generator ? mqttload(options.generator) : gnomonBench(options.gnomon);
  const rows = choose(allRows, options.only, 'id', '--only')
    .filter((row) => generator.all || (!row.durable && !row.own));
  const subjects = choose(allSubjects(options.gnomon), options.subjects, 'name', '--subjects');
  const disk = fileSystem(useDisk(options.data, path.join(root, 'bench/out')));
  const load = os.loadavg()[0];
  console.log(`${machine()}; data on ${disk}; load by ${generator.name}, ${options.rounds} × ` +
    `${options.seconds} s`);
  if (load > 0.5) console.log(`The machine is not quiet (load average ${load.toFixed(2)}).`);
  if (!subjects.some(({ name }) => name === 'mosquitto')) console.log('Without mosquitto.');

  const { measured, problems } = await runAll(rows, subjects, generator, options);
  console.log(`\n${tables(rows, measured)}\n`);
  for (const problem of problems) console.log(`PROBLEM  ${problem}`);
  const out = path.join(root, 'bench/out');
  fs.mkdirSync(out, { recursive: true });
  fs.writeFileSync(path.join(out, 'last.json'), `${JSON.stringify({ measured, problems }, null, 1)}\n`);
  if (options.write) {
    fs.writeFileSync(path.join(root, 'bench/RESULTS.md'), resultsText(rows, measured,
      { ...options, generator: generator.name, load, disk }));
  }
  const behind = lines(rows, measured).some(missed);
  // A peer that cannot take a load is no failure of ours.
  const ours = problems.some((problem) => problem.includes(' on gnomon'));
  return ours || (options.check && behind) ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => { endAll(); process.exit(130); });
}
main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
