// Starts and stops the program under test, and looks at it from outside.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { portOf } from './dial.mjs';
import { deadline, within } from './raw.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const binary = path.resolve(root, process.env.GNOMON_BIN ?? 'build/dev/gnomon');

// The environment of this process without settings of Gnomon.
function cleanEnvironment(env) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GNOMON_'));
  return { ...Object.fromEntries(kept), ...env };
}

export const temporaryFolder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'gnomon-test-'));

// Runs a command to its end: {code, signal, stdout, stderr}. `input`: its standard input.
export async function run(args, { env = {}, ms = deadline, input = '', cwd } = {}) {
  const child = start(args, { env, cwd });
  child.process.stdin.end(input);
  try {
    return await within(ms, () => `end of gnomon ${args.join(' ')}\n${child.stderr()}`, child.ended);
  } finally {
    child.process.kill('SIGKILL');
  }
}

const everyListener = ['mqtts', 'https', 'http'].flatMap((name) =>
  [`--listen-${name}`, '127.0.0.1:0']);
// Of an entry of the ready line.
const portsOf = (bound) => (Array.isArray(bound) ? bound.map(portOf)
  : bound === null ? undefined : portOf(bound));

// The listeners whose ports others might have; a flag turns one on.
const quiet = { GNOMON_LISTEN_MQTTS: 'off', GNOMON_LISTEN_HTTPS: 'off', GNOMON_LISTEN_HTTP: 'off' };

// Starts a command: {process, stdout(), stderr(), ended}.
export function start(args, { env = {}, cwd } = {}) {
  const defaults = args[0] === 'serve' ? quiet : {};
  const child = spawn(binary, args, { env: cleanEnvironment({ ...defaults, ...env }), cwd });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (part) => { text[stream] += part; });
  }
  child.stdin.on('error', () => {});
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  ended.catch(() => {});
  return { process: child, stdout: () => text.stdout, stderr: () => text.stderr, ended };
}

export class Server {
  // A server on free ports, with a folder of its own. `args` go behind the usual ones. `listeners`:
  // with those for TLS and HTTP, too. `folder`: an existing one, which then outlives the server; the
  // data are in its `data`.
  static async start({ shards = 1, env = {}, args = [], listeners = false, folder } = {}) {
    const server = new Server();
    server.owned = folder === undefined;
    server.folder = folder ?? temporaryFolder();
    server.data = path.join(server.folder, 'data');
    server.options = { shards, env, args: [...(listeners ? everyListener : []), ...args] };
    await server.launch().catch(async (error) => {
      await server.kill();
      throw error;
    });
    return server;
  }

  // Starts the program on the folder once it has ended; options given here hold for this run alone.
  async launch(options = {}) {
    const { shards, env, args } = { ...this.options, ...options };
    this.command = start(
      ['serve', '--listen-mqtt', '127.0.0.1:0', '--listen-admin', '127.0.0.1:0',
        '--data', this.data, ...args],
      { env: { GNOMON_THREADS_SHARDS: String(shards), ...env } });
    const { command } = this;
    const ready = new Promise((resolve, reject) => {
      command.process.stdout.on('data', () => {
        const line = command.stdout().split('\n', 2);
        if (line.length > 1) resolve(line[0]);
      });
      command.ended.then(
        ({ code, signal }) => reject(new Error(`ended before it was ready: ${code ?? signal}`)),
        reject);
    });
    try {
      this.ready = JSON.parse(await within(deadline, 'the ready line', ready));
    } catch (error) {
      command.process.kill('SIGKILL');
      await command.ended;
      throw new Error(`gnomon serve: ${error.message}\n${this.log()}`);
    }
    // By listener: mqtt, mqtts, https (an array if there are several), http, admin; or undefined.
    this.ports = Object.fromEntries(['mqtt', 'mqtts', 'https', 'http', 'admin'].map((name) =>
      [name, portsOf(this.ready[name])]));
    this.port = this.ports.mqtt;
  }

  get pid() {
    return this.command.process.pid;
  }

  get running() {
    return this.command.process.exitCode === null && this.command.process.signalCode === null;
  }

  log(lines = 60) {
    return this.command.stderr().trimEnd().split('\n').slice(-lines).join('\n');
  }

  // Resolves with what has been logged and matches.
  async untilLog(pattern) {
    const { process: child, stderr } = this.command;
    let look;
    try {
      return await within(deadline, () => `${pattern} in the log\n${this.log()}`,
        new Promise((resolve) => {
          look = () => {
            const found = pattern.exec(stderr());
            if (found) resolve(found[0]);
          };
          child.stderr.on('data', look);
          look();
        }));
    } finally {
      child.stderr.off('data', look);
    }
  }

  // SIGTERM; the server has to end by itself and well. The folder goes with it.
  async stop() {
    try {
      await this.end();
    } finally {
      await this.kill();
    }
  }

  // SIGTERM, where the folder stays.
  async end() {
    if (this.running) this.command.process.kill('SIGTERM');
    try {
      const { code, signal } = await within(10_000, 'the end after SIGTERM', this.command.ended);
      if (code !== 0) throw new Error(`ended with ${code ?? signal}`);
    } catch (error) {
      await this.crash();
      throw new Error(`gnomon serve: ${error.message}\n${this.log()}`);
    }
  }

  // SIGKILL, where the folder stays.
  async crash() {
    this.command.process.kill('SIGKILL');
    await this.command.ended.catch(() => {});
  }

  async kill() {
    await this.crash();
    if (this.owned) fs.rmSync(this.folder, { recursive: true, force: true });
  }

  // Ends the program with `signal` (SIGTERM: in good order) and starts it again on its folder, where
  // clients find it at the new `port`. `between` runs while it is down.
  async restart(signal = 'SIGTERM', { between = () => {}, ...options } = {}) {
    await (signal === 'SIGTERM' ? this.end() : this.crash());
    await between();
    await this.launch(options);
  }

  // SIGHUP; resolves with the line of the log that says what came of it.
  async reload() {
    const { process: child, stderr } = this.command;
    const said = () => stderr().split('\n').slice(0, -1).filter((line) => /keys_(not_)?loaded/.test(line));
    const before = said().length;
    let look;
    try {
      return await within(deadline, () => `keys are read\n${this.log()}`, new Promise((resolve) => {
        look = () => { if (said().length > before) resolve(said()[before]); };
        child.stderr.on('data', look);
        child.kill('SIGHUP');
      }));
    } finally {
      child.stderr.off('data', look);
    }
  }

  // The admin listener's answer to GET.
  get(target, options = {}) {
    return fetch(`http://${this.ready.admin}${target}`,
      { signal: AbortSignal.timeout(deadline), ...options });
  }

  // All samples of /metrics: {'name{labels}': value}.
  async metrics() {
    const text = await (await this.get('/metrics')).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return Object.fromEntries(lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }));
  }

  // The names of counters of `gnomon_` that grew since `before`, an earlier metrics().
  async grown(before, pattern = /./) {
    const now = await this.metrics();
    return Object.keys(now).filter((name) =>
      name.startsWith('gnomon_') && pattern.test(name) && now[name] > (before[name] ?? 0));
  }

  // Resolves with metrics() once `condition` holds for them.
  async untilMetrics(condition, what, ms = deadline) {
    let last = {};
    const poll = async () => {
      const until = performance.now() + ms;
      while (performance.now() < until) {
        last = await this.metrics();
        if (condition(last)) return last;
      }
      throw new Error(`not within ${ms} ms: ${what}\n${JSON.stringify(last, null, 1)}`);
    };
    return poll();
  }

  // Resolves once the home of a session knows that its client has gone, or has ended it. What is
  // published before that counts as sent to the client: it comes with DUP when the client is back.
  // One at a time: the admin listener lets only a few in at once.
  untilAway(clientId, ms = deadline) {
    const look = async () => {
      const until = performance.now() + ms;
      while (performance.now() < until) {
        const answer = await this.get(`/clients/${encodeURIComponent(clientId)}`);
        if (answer.status === 404 || (await answer.json()).gone_seconds !== undefined) return;
      }
      throw new Error(`${clientId} is not away within ${ms} ms`);
    };
    const looked = this.#looking.then(look);
    this.#looking = looked.catch(() => {});
    return looked;
  }
  #looking = Promise.resolve();

  #status(name) {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]);
  }

  // Resident memory in bytes.
  memory() {
    return this.#status('VmRSS') * 1024;
  }

  // User and system time used so far, in ms.
  cpu() {
    const fields = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }
}
