// Hostile input row 16: clients that vanish without a word, at every step of the way.

import assert from 'node:assert/strict';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { clientHello, dial } from '../harness/dial.mjs';
import { Hole } from '../harness/hole.mjs';
import { MiB, siege } from '../harness/hostile.mjs';
import { staying } from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { dialWebSocket, upgrade, Wire } from '../harness/websocket.mjs';

const keepAlive = 2;    // s: it ends after 3, and so long they have to come together
const tooLate = 8000;   // generous: the machine may be busy

const arrival = 'gnomon_arrivals_refused_total{reason="timeout"}';
const http = 'gnomon_http_refused_total{reason="timeout"}';
const mqtt = 'gnomon_connects_refused_total{reason="timeout"}';
const silent = 'gnomon_disconnects_total{reason="keep_alive"}';

// Options of World.socket() for each way to speak MQTT.
function transports({ ports, ready }) {
  const secure = rootOf({ ready });
  return { mqtt: { port: ports.mqtt }, mqtts: { port: ports.mqtts, secure },
    'https by ALPN': { port: ports.https, secure: { ...secure, ALPNProtocols: ['mqtt'] } },
    ws: { port: ports.http, by: dialWebSocket }, wss: { port: ports.https, secure, by: dialWebSocket } };
}

// Connections as `each(how, name, v)` makes them, through holes, on every transport and in two
// versions. Returns the holes; they go with the world. `stir`: all say something, as far as `each`
// returned them, so their silence begins now and not while the others were still connecting.
async function throughHoles(w, each) {
  const raws = [];
  const holes = await Promise.all(Object.entries(transports(w.server)).flatMap(([name, how]) =>
    [4, 5].map(async (v) => {
      const hole = await Hole.open(how.port);
      w.opened.push(() => hole.close());
      raws.push(await each({ ...how, port: hole.port }, name, v));
      return hole;
    })));
  const stir = () => Promise.all(raws.map((raw) => raw.fence()));
  return { count: holes.length, stir, pull: () => holes.forEach((hole) => hole.pull()),
    close: () => holes.forEach((hole) => hole.close()) };
}

const gauges = ['gnomon_arrivals', 'gnomon_http_connections', 'gnomon_connections', 'process_open_fds'];
// `more`: of connections and descriptors, a bystander's and of those who ask for metrics.
const asBefore = (w, before, more = 0) => {
  let now = {};
  return w.server.untilMetrics((m) => gauges.every((name) => {
    now = m;
    return m[name] <= before[name] + (name.startsWith('gnomon_http') ? 0 : more);
  }), 'gauges are as before', tooLate).catch(() => assert.fail(gauges.map((name) =>
    `${name}: ${before[name]}, now ${now[name]}`).join('; ')));
};

suite('row 16: half-open connections', (test) => {
  test('an established client vanishes: its keep-alive ends it, its will is sent', async (w) => {
    const watcher = await w.raw(5);
    await watcher.subscribe(w.topic('+/+'));
    const before = await w.server.metrics();
    await siege(w, async () => {
      const names = [];
      const holes = await throughHoles(w, async (how, name, v) => {
        names.push(`${name}/${v}`);
        const raw = await w.socket(v, how);
        await raw.connect({ id: unique(), keepAlive,
          will: { topic: w.topic(`${name}/${v}`), payload: 'gone' } });
        return raw;
      });
      await holes.stir();
      holes.pull();
      const began = performance.now();
      const topics = (await watcher.messages(holes.count)).map(({ topic }) => topic);
      assert.deepEqual(topics.sort(), names.map((name) => w.topic(name)).sort());
      assert.ok(performance.now() - began > 1000 * keepAlive, 'not before it was silent');
      const after = await asBefore(w, before, 4);
      assert.equal(after[silent] - before[silent], holes.count);
    }, { counted: null });
  });

  test('a client vanishes before it has read its CONNACK', async (w) => {
    const watcher = await w.raw(5);
    await watcher.subscribe(w.topic());
    const before = await w.server.metrics();
    const holes = await throughHoles(w, async (how, name, v) => {
      const raw = await w.socket(v, how);
      raw.send(codec.connect({ v, id: unique(), keepAlive, will: { topic: w.topic(), payload: name } }));
    });
    // The server has them all, and they are gone.
    await w.server.untilMetrics((m) =>
      m.gnomon_connections === before.gnomon_connections + holes.count, 'all are there');
    holes.pull();
    await watcher.messages(holes.count);
    await asBefore(w, before, 4);
  });

  test('a subscriber vanishes while messages are on their way', async (w) => {
    const publisher = await w.raw(4);
    const before = await w.server.metrics();
    await siege(w, async () => {
      const holes = await throughHoles(w, async (how, name, v) => {
        const raw = await w.socket(v, how);
        await raw.connect({ id: unique(), keepAlive });
        await raw.subscribe({ filter: w.topic(), qos: v === 5 ? 1 : 0 });
      });
      holes.pull();
      const payload = 'x'.repeat(64 * 1024);
      for (let n = 0; n < 120; ++n) await publisher.published(w.topic(), payload);  // 7.5 MiB each
      const after = await asBefore(w, before, 4);
      assert.equal(after[silent] - before[silent], holes.count);
    }, { grows: 96 * MiB, counted: null });
    await w.server.untilMetrics((m) => m.gnomon_held_bytes === 0, 'nothing is kept for them');
  });

  test('the same client returns, whatever became of its old connection', async (w) => {
    const publisher = await w.raw(4);
    for (const v of [4, 5]) {
      for (const [name, how] of Object.entries(transports(w.server))) {
        const id = unique('returns');
        const hole = await Hole.open(how.port);
        w.opened.push(() => hole.close());
        const lost = await w.socket(v, { ...how, port: hole.port });
        await lost.connect({ id, keepAlive: 0, ...staying(v) });  // nothing but the return ends it
        await lost.subscribe({ filter: w.topic(name), qos: 1 });
        hole.pull();
        const texts = Array.from({ length: 40 }, (_, n) => `${n} `.padEnd(64 * 1024, 'x'));
        for (const text of texts) await publisher.published(w.topic(name), text);
        const began = performance.now();
        const back = await w.socket(v, how);
        await back.connect({ id, ...staying(v) });
        assert.ok(performance.now() - began < 2000, `${name}: it need not wait`);
        assert.equal(back.connack.sessionPresent, true);
        const got = (await back.messages(texts.length)).map(({ text }) => text);
        assert.ok(got.every((text, n) => text === texts[n]), `${name}: all, in order`);
        await back.goodbye(v === 5 ? { props: { sessionExpiry: 0 } } : {});
      }
    }
  });

  test('a client vanishes in the middle of a handshake', async (w) => {
    const secure = rootOf(w.server);
    const { mqtts, https } = w.server.ports;
    const before = await w.server.metrics();
    const holes = [];
    const each = async (port, begin) => {
      const hole = await Hole.open(port);
      w.opened.push(() => hole.close());
      holes.push(hole);
      await begin(hole);
    };
    const kinds = [
      [arrival, [mqtts, https], async (hole) => {  // before it has heard the server
        const { socket, ready } = dial(hole.port);
        await ready;
        await new Promise((done) => { socket.write(clientHello(), done); });
        hole.pull();
      }],
      [arrival, [mqtts, https], async (hole) => {  // the server has said all, the client says no more
        const { socket, ready } = dial(hole.port);
        await ready;
        socket.write(clientHello());
        await new Promise((done) => { socket.once('data', done); });
      }],
      [http, [w.server.ports.http], async ({ port }) => {
        const wire = await Wire.open(port);
        wire.send(upgrade().slice(0, -4));
      }],
      [http, [mqtts, https], async ({ port }) => {
        await Wire.open(port, { secure: { ...secure, ALPNProtocols: ['http/1.1'] } });
      }],
      [mqtt, [w.server.ports.http], async ({ port }) => {
        const wire = await Wire.open(port);
        wire.send(upgrade());
        await wire.answer();
      }],
      [mqtt, [mqtts], async ({ port }) => { await Wire.open(port, { secure }); }],
    ];
    const expected = { [arrival]: 0, [http]: 0, [mqtt]: 0 };
    await Promise.all(kinds.flatMap(([name, ports, begin]) => ports.flatMap((port) => {
      expected[name] += 5;
      return Array.from({ length: 5 }, () => each(port, begin));
    })));
    // A client of TLS 1.3 is done before its server is: with what it said last on its way, it would
    // vanish one step earlier.
    const done = (m) => m['gnomon_tls_handshakes_total{result="full"}']
      + m['gnomon_tls_handshakes_total{result="resumed"}'];
    await w.server.untilMetrics((m) => done(m) === done(before) + 15, 'the server is as far');
    holes.forEach((hole) => hole.pull());
    await w.server.untilMetrics((m) => Object.entries(expected).every(([name, count]) =>
      m[name] - before[name] === count), 'each is counted where it has stopped', tooLate);
    await asBefore(w, before, 4);
  });
}, { shards: [2], listeners: true, timeout: 120_000, env: { GNOMON_LIMITS_CONNECT_TIMEOUT: '2',
  GNOMON_LIMITS_HTTP_IDLE: '2', GNOMON_DURABILITY: 'memory' } });
