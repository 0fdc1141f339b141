// What is measured: Gnomon, mosquitto, the floor. Each is started afresh for every measurement, on a
// free port of loopback, over a throwaway folder; none outlives this process.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { registerDevice, switchIndexOn } from './api.mjs';
import { makeCertificates } from './certificates.mjs';

const deadlineMs = 10_000;
const running = new Set();
const folders = new Set();

// Ends whatever is left, at once. Also called when this process ends for any reason.
export function endAll() {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
  folders.clear();
}
process.on('exit', endAll);

// The kind of file system that a folder is on: "ext4", "tmpfs".
export const fileSystem = (folder) => execFileSync('df', ['--output=fstype', folder],
  { encoding: 'utf8' }).trim().split('\n').at(-1);

// Where the data of the subjects goes: a file system in memory would not be what is measured.
let place = os.tmpdir();
export function useDisk(wanted, otherwise) {
  place = wanted ?? (/^(tmpfs|ramfs)$/.test(fileSystem(place)) ? otherwise : place);
  fs.mkdirSync(place, { recursive: true });
  return place;
}

export function temporaryFolder() {
  const folder = fs.mkdtempSync(path.join(place, 'gnomon-bench-'));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder) {
  fs.rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

function cleanEnvironment(env) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GNOMON_'));
  return { ...Object.fromEntries(kept), ...env };
}

// Starts a program with as many descriptors as it may have. {child, stdout(), stderr(), ended}
export function start(program, args, { env = {} } = {}) {
  const child = spawn('sh', ['-c', 'ulimit -n $(ulimit -Hn); exec "$0" "$@"', program, ...args],
    { env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (part) => { text[stream] += part; });
  }
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: -1, ...text, stderr: String(error) }));
    child.once('close', (code) => resolve({ code, ...text }));
  }).finally(() => running.delete(child));
  return { child, stdout: () => text.stdout, ended };
}

async function readyLine(run, what) {
  const ready = new Promise((resolve) => {
    run.child.stdout.on('data', () => {
      const lines = run.stdout().split('\n');
      if (lines.length > 1) resolve(JSON.parse(lines[0]));
    });
  });
  const failed = run.ended.then(({ stderr }) => { throw new Error(`${what} ended: ${stderr}`); });
  failed.catch(() => {});  // it may also end later, when it is told to
  return within(Promise.race([ready, failed]), `${what} is not ready`);
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} after ${deadlineMs} ms`)), deadlineMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const canConnect = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.once('connect', () => { socket.destroy(); resolve(true); });
  socket.once('error', () => resolve(false));
});

// A subject that runs: `port` (of the row's transport: plain, tls, ws or wss), `pid`, `readyMs` (from
// the start of the process), stop(signal); with TLS `access`: files {cafile, cert, key} of a client, or
// {cafile} of one without a certificate.
function instance(run, port, readyMs, access) {
  const stop = async (signal = 'SIGTERM') => {
    run.child.kill(signal);
    const timer = setTimeout(() => run.child.kill('SIGKILL'), deadlineMs);
    await run.ended;
    clearTimeout(timer);
  };
  // `exec` keeps the shell's pid.
  return { port, pid: run.child.pid, readyMs, stop, access };
}

const portOf = (address) => Number(address.slice(address.lastIndexOf(':') + 1));

const isTls = (transport) => transport === 'tls' || transport === 'wss';

// Which of Gnomon's listeners a transport needs, beside the plain one.
const listenerOf = { tls: 'mqtts', ws: 'http', wss: 'https', http: 'http' };

const keyOf = (data) => JSON.parse(fs.readFileSync(path.join(data, 'access-key.json'), 'utf8'));

// What a client over TLS needs: the files of a device that is registered, or that Gnomon has certified.
async function gnomonAccess(program, folder, ready, { anonymous }, made) {
  const [data, out] = ['data', 'device'].map((name) => path.join(folder, name));
  if (anonymous) return { cafile: ready.ca };
  if (made) {
    await registerDevice({ port: portOf(ready.http), key: keyOf(data) }, made.client.cert);
    return { cafile: made.ca, ...made.client };
  }
  execFileSync(program, ['device', 'cert', 'bench', '--data', data, '--out', out]);
  return { cafile: ready.ca, cert: path.join(out, 'bench.cert.pem'),
    key: path.join(out, 'bench.key.pem') };
}

// `restartAfter`: the signal after which it still has what it acknowledged.
const gnomon = (name, program, env) => ({
  name,
  restartAfter: 'SIGKILL',
  async start(folder, row = {}) {
    const { transport, keys } = row;
    const made = keys && makeCertificates(folder, keys);
    const own = made
      && { GNOMON_TLS_CERTIFICATE: made.server.cert, GNOMON_TLS_KEY: made.server.key };
    const wanted = [listenerOf[transport], ...(made || row.indexed ? ['http'] : [])];
    const data = path.join(folder, 'data');
    const began = performance.now();
    const run = start(program, ['serve', '--data', data, '--listen-mqtt',
      '127.0.0.1:0', '--listen-admin', '127.0.0.1:0', '--durability', 'disk',
      ...['mqtts', 'https', 'http'].flatMap((each) => [`--listen-${each}`,
        wanted.includes(each) ? '127.0.0.1:0' : 'off'])], { env: { ...env, ...own } });
    const ready = await readyLine(run, name);
    const readyMs = performance.now() - began;
    if (row.indexed) await switchIndexOn({ port: portOf(ready.http), key: keyOf(data) });
    const [address] = [ready[listenerOf[transport] ?? 'mqtt']].flat();
    const running = instance(run, portOf(address), readyMs,
      isTls(transport) ? await gnomonAccess(program, folder, ready, row, made) : undefined);
    const queued = async () => {
      const text = await (await fetch(`http://${ready.admin}/metrics`)).text();
      return Number(/^gnomon_queued_messages (\d+)$/m.exec(text)[1]);
    };
    return { ...running, queued, ...(transport === 'http' && { key: keyOf(data) }) };
  },
});

const floor = (mode, program) => ({
  name: `floor-${mode}`,
  async start() {
    const run = start(program, ['bench', 'floor', '--listen', '127.0.0.1:0', '--mode', mode]);
    const ready = await readyLine(run, 'the floor');
    return instance(run, portOf(ready.mqtt));
  },
});

export function findMosquitto() {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return places.map((place) => path.join(place, 'mosquitto')).find((file) => fs.existsSync(file));
}

// Nothing that costs it: no log, no files unless they are what is measured (its own are written when
// it ends and now and then, not before it acknowledges); and no limit at which it would drop what
// the others keep.
const websocketConfig = (otherPort, port) => `listener ${otherPort} 127.0.0.1
listener ${port} 127.0.0.1
protocol websockets
`;  // with a listener for WebSocket alone it does not start
const tlsConfig = ({ ca, server }) => `cafile ${ca}
certfile ${server.cert}
keyfile ${server.key}
require_certificate true
`;
const mosquittoConfig = (listeners, folder, durable) => `${listeners}allow_anonymous true
persistence ${durable}
persistence_location ${folder}/
log_dest none
max_inflight_messages 0
max_queued_messages 0
`;

const mosquitto = (program) => ({
  name: 'mosquitto',
  restartAfter: 'SIGTERM',
  async start(folder, row = {}) {
    const port = await freePort();
    const config = path.join(folder, 'mosquitto.conf');
    const certificates = isTls(row.transport) ? makeCertificates(folder, row.keys) : undefined;
    const overWebSocket = row.transport === 'ws' || row.transport === 'wss';
    const listeners = (overWebSocket ? websocketConfig(await freePort(), port)
      : `listener ${port} 127.0.0.1\n`) + (certificates ? tlsConfig(certificates) : '');
    fs.writeFileSync(config, mosquittoConfig(listeners, folder, Boolean(row.durable)));
    // As root it drops to a user who could not use the folder.
    fs.chmodSync(folder, 0o777);
    const began = performance.now();
    const run = start(program, ['-c', config]);
    let over = false;
    run.ended.then(() => { over = true; });
    const listens = async () => {
      while (!over && !(await canConnect(port))) await new Promise((r) => { setTimeout(r, 20); });
      if (over) throw new Error(`mosquitto ended: ${(await run.ended).stderr}`);
    };
    await within(listens(), 'mosquitto does not listen');
    return instance(run, port, performance.now() - began,
      certificates && { cafile: certificates.ca, ...certificates.client });
  },
});

// All subjects, in the order in which they take turns.
export function subjects(program) {
  const peer = findMosquitto();
  return [
    gnomon('gnomon', program, {}),
    gnomon('gnomon-1', program, { GNOMON_THREADS_SHARDS: '1' }),
    ...(peer ? [mosquitto(peer)] : []),
    floor('direct', program),
    floor('gather', program),
  ];
}
