// make bench: the same loads on Gnomon (default settings, and with one shard), Debian's mosquitto
// and the bare forwarder, interleaved, on this machine; a table of medians with the targets beside.
//
//   node bench/run.mjs [--quick] [--rounds N] [--only ROW[,ROW…]] [--write]

import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const gnomon = path.resolve('build/release/gnomon');
const args = process.argv.slice(2);
const valueOf = (name, otherwise) => {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : args[at + 1];
};
if (args.includes('--help')) {
  console.log(fs.readFileSync(new URL(import.meta.url), 'utf8').split('\n').slice(0, 5).join('\n'));
  process.exit(0);
}
const quick = args.includes('--quick');
const rounds = Number(valueOf('--rounds', quick ? 1 : 3));
const seconds = quick ? '1' : '3';

// `figure`: a member of the report of `gnomon bench`; `target`: at most.
const message = (name, load, target, options = []) => ({
  name, load, target, figure: 'cpu_us', unit: 'CPU µs/message',
  options: [...options, '--seconds', seconds],
});
const rows = [
  message('pairs-q0-w64', 'pairs', 0.5),
  message('pairs-q1-w64', 'pairs', 0.9, ['--qos', '1']),
  message('pairs-q0-w1', 'pairs', 13, ['--window', '1']),
  message('pairs-q1-w1', 'pairs', 24, ['--qos', '1', '--window', '1']),
  message('fanout-q0', 'fanout', 0.8),
  message('fanout-q1', 'fanout', 1.3, ['--qos', '1']),
  message('fanin-q0', 'fanin', 1.0),
  message('fanin-q1', 'fanin', 1.8, ['--qos', '1']),
  { ...message('latency', 'latency', 60), figure: 'p50_us', unit: 'p50 µs at 20,000/s',
    also: [{ figure: 'p90_us', unit: 'p90 µs at 20,000/s', target: 105 }] },
  { name: 'connections', load: 'connections', figure: 'bytes_per_connection', target: 1400,
    unit: 'bytes/connection (19,000)', options: ['-n', '19000', '--idle', '1'],
    also: [{ figure: 'connect_cpu_us', unit: 'CPU µs/connect+subscribe', target: 90 }] },
  { name: 'idle', load: 'connections', figure: 'idle_cpu_percent', target: 0.5,
    unit: 'CPU % with 10,000 idle', options: ['-n', '10000', '--idle', '5'] },
];
const only = valueOf('--only', '').split(',').filter(Boolean);
const chosen = rows.filter((row) => only.length === 0 || only.includes(row.name));
for (const name of only) {
  if (!rows.some((row) => row.name === name)) {
    console.error(`bench: no row "${name}"; there are ${rows.map((row) => row.name).join(' ')}`);
    process.exit(2);
  }
}

// ---- brokers

const children = new Set();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gnomon-bench-'));
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

function start(command, options, env = {}) {
  const child = spawn(command, options,
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env } });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

// Starts what prints a ready line; resolves to {child, pid, port, ready}.
function ready(command, options, env) {
  const child = start(command, options, env);
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}`)));
    child.stdout.on('data', (bytes) => {
      text += bytes;
      if (!text.includes('\n')) return;
      const line = JSON.parse(text);
      resolve({ child, pid: child.pid, port: Number(line.mqtt.split(':').pop()), ready: line });
    });
  });
}

let folders = 0;
const startGnomon = (env) => ready(gnomon, ['serve', '--listen-mqtt', '127.0.0.1:0',
  '--listen-admin', 'off', '--data', path.join(folder, `data-${++folders}`)], env);

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const answers = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.once('connect', () => { socket.destroy(); resolve(true); });
  socket.once('error', () => resolve(false));
});

async function startMosquitto() {
  const port = await freePort();
  const file = path.join(folder, `mosquitto-${port}.conf`);
  // Nothing that drops: the load is closed-loop and must arrive whole.
  fs.writeFileSync(file, [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'log_dest none',
    'persistence false', 'max_inflight_messages 0', 'max_queued_messages 0', ''].join('\n'));
  const child = start(fs.existsSync('/usr/sbin/mosquitto') ? '/usr/sbin/mosquitto' : 'mosquitto',
    ['-c', file]);
  while (!(await answers(port))) if (child.exitCode !== null) throw new Error('mosquitto ended');
  return { child, pid: child.pid, port };
}

const brokers = {
  default: () => startGnomon({}),
  'one shard': () => startGnomon({ GNOMON_THREADS_SHARDS: '1' }),
  mosquitto: startMosquitto,
  direct: () => ready(gnomon, ['bench', 'floor', '--mode', 'direct']),
  gather: () => ready(gnomon, ['bench', 'floor', '--mode', 'gather']),
};

// ---- runs

const figures = new Map();  // "row figure broker" → values
const note = (row, figure, broker, value) => {
  const key = `${row} ${figure} ${broker}`;
  figures.set(key, [...(figures.get(key) ?? []), value]);
};
const median = (row, figure, broker) => {
  const values = (figures.get(`${row} ${figure} ${broker}`) ?? []).toSorted((a, b) => a - b);
  return values.length ? values[Math.floor(values.length / 2)] : undefined;
};

async function run(row, name) {
  const broker = await brokers[name]();
  const result = await new Promise((resolve) => {
    const child = start(gnomon, ['bench', row.load, '--broker', `127.0.0.1:${broker.port}`, '--pid',
      String(broker.pid), '--json', ...row.options]);
    let text = '';
    child.stdout.on('data', (bytes) => { text += bytes; });
    child.once('close', () => resolve(text ? JSON.parse(text) : undefined));
  });
  if (result === undefined) console.error(`bench: ${row.name} on ${name} failed`);
  else if (result.lost > 0) console.error(`bench: ${row.name} on ${name} lost ${result.lost}`);
  for (const figure of [row.figure, 'messages_per_s', ...(row.also ?? []).map((a) => a.figure)]) {
    if (result?.[figure] !== undefined) note(row.name, figure, name, result[figure]);
  }
  if (broker.ready?.start_ms !== undefined) note('ready', 'start_ms', name, broker.ready.start_ms);
  await new Promise((done) => {
    broker.child.once('exit', done);
    broker.child.kill('SIGTERM');
  });
}

for (let round = 1; round <= rounds; ++round) {
  for (const row of chosen) {
    for (const name of Object.keys(brokers)) {
      process.stderr.write(`\r\x1b[K${row.name}, ${name}, round ${round} of ${rounds}`);
      await run(row, name);
    }
  }
}
process.stderr.write('\r\x1b[K');

// ---- the table

const digits = (value) => (value === undefined ? '–'
  : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const ratio = (a, b) => (a === undefined || !b ? '–' : `${(a / b).toFixed(2)} ×`);
const lines = ['| load | figure | mosquitto | floor | default | one shard | target | | to mosquitto '
  + '| to floor | messages/s |', '|---|---|---|---|---|---|---|---|---|---|---|'];
let met = true;
for (const row of chosen) {
  for (const { figure, unit, target } of [row, ...(row.also ?? [])]) {
    const of = (broker) => median(row.name, figure, broker);
    const floor = Math.min(of('direct') ?? Infinity, of('gather') ?? Infinity);
    const best = Math.min(of('default') ?? Infinity, of('one shard') ?? Infinity);
    const good = best <= target;
    met &&= good;
    const rate = median(row.name, 'messages_per_s', 'default');
    lines.push(`| ${row.name} | ${unit} | ${digits(of('mosquitto'))} | ` +
      `${digits(Number.isFinite(floor) ? floor : undefined)} | ${digits(of('default'))} | ` +
      `${digits(of('one shard'))} | ≤ ${target} | ${good ? 'met' : 'missed'} | ` +
      `${ratio(best, of('mosquitto'))} | ${ratio(best, floor)} | ` +
      `${rate ? Math.round(rate).toLocaleString('en') : '–'} |`);
  }
}
const startMs = median('ready', 'start_ms', 'default');
lines.push(`| ready | ms, empty folder to ready line | – | – | ${digits(startMs)} | ` +
  `${digits(median('ready', 'start_ms', 'one shard'))} | ≤ 150 | ` +
  `${startMs <= 150 ? 'met' : 'missed'} | – | – | – |`);
const index = execFileSync(gnomon, ['bench', 'index'], { encoding: 'utf8' }).trim();
const table = `${lines.join('\n')}\n\nSubscription index, in-process: ${index}`;
console.log(table);

if (args.includes('--write')) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const peer = execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'mosquitto'],
    { encoding: 'utf8' });
  fs.writeFileSync('bench/RESULTS.md', `# Results

\`make bench\`, ${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${os.cpus()[0].model.trim()},
${os.cpus().length} cores shared by broker and generator, Linux ${os.release().split('-')[0]}, mosquitto ${peer}.
Medians of ${rounds} interleaved round${rounds > 1 ? 's' : ''}. CPU is the broker's, user and system, from
/proc/PID/stat. 100-byte payloads, clean sessions; *floor* is a bare forwarder, the better of its two modes.
A target holds for the better of the two Gnomon columns; the ratios are its.

${table}
`);
}
if (!met) process.exitCode = 1;
