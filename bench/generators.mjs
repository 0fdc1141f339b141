// Who makes the load: `gnomon bench`, or the independent mqttload to check it with. Both return the
// same figures: cpu_us, messages_per_s, generator_cpu_us, p50_us, …, and what went wrong.
import { things } from './api.mjs';
import { start } from './subjects.mjs';

async function output(program, args) {
  const { code, stdout, stderr } = await start(program, args).ended;
  if (!stdout.trim()) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim() || code}`);
  return stdout.trim().split('\n').at(-1);
}

const flag = (name, value) => (value === undefined ? [] : [`--${name}`, String(value)]);
const flags = (options) => Object.entries(options).flatMap(([name, value]) => (
  value === true ? [`--${name}`] : flag(name, value)));

// How `gnomon bench` reaches a subject over the row's transport.
const transportFlags = ({ transport }, { access }) => ({
  ...(transport === 'ws' || transport === 'wss' ? { websocket: true } : {}),
  ...(access ? { tls: true, ...access } : {}),
});

// `gnomon bench` runs for a time, unless the row counts its messages; at least for the row's own.
export const gnomonBench = (program) => ({
  name: 'gnomon bench',
  all: true,
  async run(row, subject, { seconds, connections, quick }) {
    if (row.load === 'things') return things(subject, quick ? row.quick : row.options);
    const options = { ...row.options, ...transportFlags(row, subject) };
    if (row.load === 'connections') options.connections = connections;
    else if (!row.counted) options.seconds = Math.max(seconds, quick ? 0 : options.seconds ?? 0);
    return JSON.parse(await output(program, ['bench', row.load, '--broker',
      `127.0.0.1:${subject.port}`, '--pid', String(subject.pid), '--json', ...flags(options)]));
  },
  // What the disk under a folder takes for an fdatasync, in µs.
  async syncTime(folder) {
    const args = ['bench', 'sync', '--folder', folder, '--json'];
    return JSON.parse(await output(program, args)).p50_us;
  },
});

// mqttload runs for a number of messages, so a short run first tells how many that is.
export function mqttload(program) {
  const speeds = new Map();
  const figuresOf = (line) => Object.fromEntries(line.split(' ').map((word) => {
    const [key, value] = word.split('=');
    return [key, Number.isNaN(Number(value)) ? value : Number(value)];
  }));
  const messageArgs = ({ qos, pairs, publishers, subscribers, window }) => [
    ...flag('qos', qos), ...flag('pairs', pairs), ...flag('pubs', publishers),
    ...flag('subs', subscribers), ...flag('window', window)];

  async function messages(row, subject, seconds, common) {
    const reach = row.load === 'fanout' ? row.options.subscribers : 1;
    const run = async (count) => figuresOf(await output(program, [row.load, ...common,
      ...messageArgs(row.options), ...flag('msgs', Math.ceil(count / reach))]));
    const key = `${row.id} ${subject.name}`;
    if (!speeds.has(key)) speeds.set(key, (await run(20_000)).msgs_per_s);
    return run(Math.max(20_000, speeds.get(key) * seconds));
  }

  return {
    name: 'mqttload',
    async run(row, subject, { seconds, connections }) {
      const common = ['--port', String(subject.port), '--pid', String(subject.pid)];
      if (row.load === 'connections') {
        const f = figuresOf(await output(program, ['conns', ...common,
          ...flag('conns', connections)]));
        return { bytes_per_connection: f.rss_bytes_per_conn, connect_cpu_us: f.cpu_us_per_connect,
          idle_cpu_percent: f.idle_cpu_pct };
      }
      const f = row.load === 'latency'
        ? figuresOf(await output(program, ['latency', ...common, ...messageArgs(row.options),
          ...flag('rate', row.options.rate), ...flag('secs', seconds)]))
        : await messages(row, subject, seconds, common);
      return { cpu_us: f.cpu_us_per_msg, messages_per_s: f.msgs_per_s, lost: f.lost,
        out_of_order: f.ooo, unacknowledged: f.unacked, wrong_acks: f.bad_ack, closed: 0,
        generator_cpu_us: (f.gen_cpu_s * 1e6) / f.received,
        p50_us: f.p50_us, p90_us: f.p90_us, p99_us: f.p99_us };
    },
  };
}
