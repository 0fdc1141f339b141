// The rows of the bench: what is run, on whom, and what is to be reached: at most `target`, or at
// least, where `more` is better. `options` are those of `gnomon bench`.
// `peer`: what others measured on 2 quiet cores of one machine (mosquitto 2.0.11, FlashMQ 1.26 with
// one thread, a bare forwarder); it tells whether this machine is like that one.

const message = (id, title, load, qos, options, target, peer) => ({
  id, title, load, options: { qos, ...options },
  figures: [{ key: 'cpu_us', unit: 'µs/msg', digits: 2, target, peer }],
});

const pairs = (qos, window, target, peer) => message(
  `pairs-q${qos}-w${window}`, `100 pairs, QoS ${qos}, window ${window}`, 'pairs', qos,
  { pairs: 100, window }, target, peer);
const fanout = (qos, target, peer) => message(
  `fanout-q${qos}`, `fan-out 1 → 500, QoS ${qos}`, 'fanout', qos,
  { publishers: 1, subscribers: 500, window: 16 }, target, peer);
const fanin = (qos, target, peer) => message(
  `fanin-q${qos}`, `fan-in 500 → 1, QoS ${qos}`, 'fanin', qos,
  { publishers: 500, subscribers: 1, window: 8 }, target, peer);

// Rows on disk: what is acknowledged lasts. `sync_us`, the fdatasync p50 of the same disk just
// before and after, stands beside each.
const durable = (row) => ({ ...row, durable: true, only: ['gnomon', 'gnomon-1', 'mosquitto'] });
const rate = (key, title, target) => (
  { key, title, unit: 'messages/s', digits: 0, more: true, target });

// Device shadows, with things, shadows and connections indexed.
const shadows = (row) => ({ ...row, own: true, indexed: true, only: ['gnomon', 'gnomon-1'] });
const shadowRows = [
  {
    id: 'shadows', title: 'shadow updates, 1,000 things, 200 B, QoS 1, indexed', load: 'shadows',
    options: { clients: 1000, window: 4, size: 200 },
    figures: [{ key: 'accepted_per_s', title: 'accepted/s', digits: 0, more: true, target: 25_000 },
      { key: 'cpu_us', title: 'CPU', unit: 'µs', digits: 1, target: 40 }],
  },
  {
    id: 'shadow-alone', title: 'one shadow, one update at a time', load: 'shadows',
    options: { clients: 1, window: 1, size: 200 },
    figures: [{ key: 'accepted_per_s', title: 'accepted/s', digits: 0, more: true },
      { key: 'per_sync', title: 'accepted per fdatasync p50', digits: 2, more: true, target: 0.7 }],
  },
  {
    id: 'shadow-gets', title: 'shadow gets, 1,000 things', load: 'shadow-gets',
    // One shard takes 10,000 open requests (shadow_requests_max); at more, who speaks 3.1.1 is closed.
    options: { clients: 1000, window: 8 },
    figures: [{ key: 'accepted_per_s', title: 'accepted/s', digits: 0, more: true, target: 60_000 },
      { key: 'cpu_us', title: 'CPU', unit: 'µs', digits: 1 }],
  },
].map(shadows);

const durableRows = [
  {
    id: 'durable-q1', title: '100 pairs, QoS 1 to sessions, window 64', load: 'pairs',
    options: { qos: 1, pairs: 100, window: 64, persistent: true },
    figures: [rate('messages_per_s', '', 50_000)],
  },
  {
    // The next message leaves when the one before is delivered and its PUBACK is there.
    id: 'durable-loop', title: 'one pair, QoS 1 to a session, window 1', load: 'pairs',
    options: { qos: 1, pairs: 1, window: 1, inflight: 1, persistent: true },
    figures: [rate('messages_per_s', ''),
      { key: 'per_sync', title: 'messages per fdatasync p50', digits: 2, more: true, target: 0.7 }],
  },
  {
    id: 'drain', title: '1,000,000 queued messages, one client returns', load: 'drain',
    options: { sessions: 1, messages: 1_000_000 }, counted: true,
    figures: [rate('messages_per_s', 'drain', 150_000), rate('stored_per_s', 'queueing')],
  },
  {
    id: 'restart', title: '100,000 sessions, 1,000,000 queued messages', load: 'fill',
    options: { sessions: 100_000, messages: 1_000_000 }, counted: true, restart: true,
    figures: [
      { key: 'ready_ms', title: 'restart to ready', unit: 'ms', digits: 0, target: 3000 },
      { key: 'bytes_per_message', title: 'on disk, per message', unit: 'B', digits: 0 }],
  },
  {
    id: 'durable-q2', title: '100 pairs, QoS 2, both ends with sessions, window 64', load: 'pairs',
    options: { qos: 2, pairs: 100, window: 64, persistent: true, 'persistent-publishers': true },
    figures: [rate('messages_per_s', '')],
  },
  {
    id: 'offline', title: 'one publisher to 1,000 sessions that are away', load: 'offline',
    options: { sessions: 1000, messages: 1000 }, counted: true,
    figures: [rate('stored_per_s', 'queueing')],
  },
  {
    id: 'retained', title: 'a wildcard over 1,000,000 retained topics', load: 'retained',
    options: { topics: 1_000_000 }, counted: true,
    figures: [{ key: 'delivering_s', title: 'until all are there', unit: 's', digits: 2 },
      rate('stored_per_s', 'retaining')],
  },
];

// Rows of the open network. The mutual TLS is 1.3 with ECDSA P-256. `transport`: tls, ws, wss or http;
// `own`: only `gnomon bench` makes this load; `allowed`: figures that are no fault here; `keys`: server
// and client of each subject have certificates of the same kind, ec or rsa, and Gnomon knows the
// client's by its registry and a policy of ten statements; `anonymous`: clients have none.
const overNetwork = (row) => (
  { ...row, own: true, only: row.only ?? ['gnomon', 'gnomon-1', 'mosquitto'] });

const connects = (id, title, transport, options = {}, keys = undefined) => ({
  id, title, transport, keys, load: 'connects', options: { clients: 32, ...options },
  figures: [{ key: 'connect_cpu_us', title: 'CPU', unit: 'µs', digits: 0, notAbove: 'mosquitto' },
    { key: 'connects_per_s', title: 'connects/s', digits: 0, more: true }],
});

// The same load by whom ten statements let, and by whom is on this machine.
function policies(load) {
  const options = load === 'pairs' ? { pairs: 100, window: 64 }
    : { publishers: 1, subscribers: 500, window: 16 };
  const title = `${load === 'pairs' ? '100 pairs' : 'fan-out 1 → 500'} over TLS, QoS 0`;
  const open = `open-${load}`;
  const row = (id, who) => ({
    ...message(id, `${title}, ${who}`, load, 0, options), transport: 'tls' });
  const [before, after] = [row(open, 'no certificate'), row(`policy-${load}`, 'ten statements')];
  after.figures[0].times = [open, 1.1];
  return [{ ...before, anonymous: true }, { ...after, keys: 'ec' }];
}

const networkRows = [
  { ...message('tls-q0-w64', '100 pairs over TLS, QoS 0, window 64', 'pairs', 0,
    { pairs: 100, window: 64 }, 0.9, [18, 1.3]), transport: 'tls' },
  { ...message('ws-q0-w64', '100 pairs over WebSocket, QoS 0, window 64', 'pairs', 0,
    { pairs: 100, window: 64 }, 0.8), transport: 'ws' },
  { ...message('wss-q0-w64', '100 pairs over WebSocket and TLS, QoS 0, window 64', 'pairs', 0,
    { pairs: 100, window: 64 }), transport: 'wss' },
  connects('connects', 'connects, plain', undefined),
  connects('connects-tls', 'connects over mutual TLS', 'tls', {}, 'ec'),
  connects('connects-resumed', 'connects over mutual TLS, resumed', 'tls', { resume: true }, 'ec'),
  connects('connects-rsa', 'connects over mutual TLS, RSA 2048', 'tls', {}, 'rsa'),
  connects('connects-rsa-resumed', 'connects over mutual TLS, RSA 2048, resumed', 'tls',
    { resume: true }, 'rsa'),
  ...['pairs', 'fanout'].flatMap(policies),
  {
    id: 'idle-tls', title: 'idle TLS connections, one subscription each', load: 'connections',
    transport: 'tls', options: { connections: 5000, idle: 1 },
    figures: [{ key: 'bytes_per_connection', title: 'resident bytes each', unit: 'B', digits: 0,
      target: 20 * 1024 }],
  },
  {
    // What is refused was not promised; what is lost is a fault.
    id: 'mesh', title: '500 full-speed clients in a mesh, QoS 1, 60 s', load: 'mesh',
    only: ['gnomon', 'gnomon-1'], allowed: ['refused', 'unacknowledged'],
    options: { clients: 500, seconds: 60 },
    figures: [
      { key: 'p99_us', title: 'p99 of a quiet bystander', unit: 'µs', digits: 0, target: 20_000 },
      { key: 'growth', title: 'memory at the end, to that at 25 %', unit: '×', digits: 2,
        target: 1.05 },
      { key: 'messages_per_s', title: 'delivered/s', digits: 0, more: true }],
  },
].map(overNetwork);

// The front door: signed calls over connections that stay open.
const apiRows = [
  {
    id: 'things', title: '1,000,000 things', load: 'things', transport: 'http',
    options: { things: 1_000_000, describes: 100_000, pace: 1000 },
    quick: { things: 20_000, describes: 5000, pace: 1000 },
    figures: [
      { key: 'creates_per_s', title: 'CreateThing, durable, 16 clients, calls/s', digits: 0,
        more: true, target: 3000 },
      { key: 'create_cpu_us', title: 'CreateThing: CPU', unit: 'µs', digits: 0, target: 120 },
      { key: 'describe_cpu_us', title: 'DescribeThing: CPU', unit: 'µs', digits: 0, target: 120 },
      { key: 'describe_p99_ms', title: 'DescribeThing, 16 clients: p99', unit: 'ms', digits: 2,
        target: 2 },
      { key: 'paced_p99_ms', title: 'DescribeThing, 16 clients, 1,000 calls/s: p99', unit: 'ms',
        digits: 2, target: 2 },
      { key: 'describes_per_s', title: 'DescribeThing, 16 clients, calls/s', digits: 0, more: true },
      { key: 'page_p99_ms', title: 'ListThings, a page of 250: p99', unit: 'ms', digits: 2,
        target: 10 },
      { key: 'search_p99_ms', title: 'SearchIndex, 100 of the things in a room, 100 calls/s: p99',
        unit: 'ms', digits: 2, target: 10 },
      { key: 'search_cpu_us', title: 'SearchIndex: CPU', unit: 'µs', digits: 0 },
      { key: 'index_s', title: 'until all are indexed', unit: 's', digits: 1 },
      { key: 'resident_mb', title: 'resident', unit: 'MB', digits: 0, target: 1024 }],
  },
].map((row) => ({ ...row, own: true, only: ['gnomon', 'gnomon-1'] }));

export const rows = [
  pairs(0, 64, 0.5, [23.1, 0.85, 0.15]),
  pairs(1, 64, 0.9, [43.3, 1.33, 0.30]),
  pairs(0, 1, 13, [25.2, 18.8, 9.3]),
  pairs(1, 1, 24, [44.3, 33.2, 16.6]),
  fanout(0, 0.8, [17.8, 1.28, 0.48]),
  fanout(1, 1.3, [22.9, 1.63, 0.97]),
  fanin(0, 1.0, [24.5, 1.17, 0.82]),
  fanin(1, 1.8, [40.5, 2.88, 1.14]),
  {
    id: 'latency', title: 'latency at 20,000/s, QoS 0', load: 'latency',
    options: { qos: 0, pairs: 100, rate: 20_000 },
    figures: [
      { key: 'p50_us', title: 'p50', unit: 'µs', digits: 0, target: 60, peer: [67, 77, 46] },
      { key: 'p90_us', title: 'p90', unit: 'µs', digits: 0, target: 105, peer: [112, 109, 88] },
    ],
  },
  {
    // As many as descriptors allow, up to 19,000.
    id: 'connections', title: 'idle connections, one subscription each', load: 'connections',
    options: { connections: 19_000, idle: 1 },
    figures: [
      { key: 'bytes_per_connection', title: 'resident bytes each', unit: 'B', digits: 0,
        target: 1400, peer: [1766, 5470, 218] },
      { key: 'connect_cpu_us', title: 'connect + subscribe', unit: 'µs', digits: 0, target: 90,
        peer: [103, 118, 51] },
    ],
  },
  {
    // /proc counts CPU in steps of 10 ms: over 10 s that is 0.1 %.
    id: 'idle', title: '10,000 idle connections', load: 'connections',
    options: { connections: 10_000, idle: 10 },
    figures: [{ key: 'idle_cpu_percent', title: 'CPU', unit: '%', digits: 2, target: 0.5 }],
  },
  {
    id: 'ready', title: 'empty folder to ready', load: 'ready', only: ['gnomon', 'gnomon-1'],
    options: {},
    figures: [{ key: 'ready_ms', unit: 'ms', digits: 0, target: 150 }],
  },
  ...networkRows,
  ...apiRows,
  ...durableRows.map(durable),
  ...shadowRows.map((row) => ({ ...durable(row), only: row.only })),
];

// How the default may compare with one shard: a second shard must not cost what it costs the peer.
export const defaultAtMost = 1.3;
