// Hostile input row 16: slow and silent clients, on every listener and at every step of the way from
// TCP to a CONNECT.

import assert from 'node:assert/strict';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { clientHello } from '../harness/dial.mjs';
import { siege } from '../harness/hostile.mjs';
import { pass } from '../harness/raw.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { binary, frame, opcode, openWebSocket, request, upgrade, Wire } from '../harness/websocket.mjs';

const timeout = 2000;  // ms, of both settings
const each = 5;        // clients of every kind

const silence = async () => {};
// A byte at a time, until the server has closed or all is sent.
const trickle = (bytes) => async (wire) => {
  for (const byte of Buffer.from(bytes)) {
    if (wire.closed || !wire.send([byte])) return;
    await pass(timeout / 25);
  }
};
const sends = (bytes) => async (wire) => { wire.send(bytes); };

// Long enough to last beyond the timeout.
const connect = () => codec.connect({ id: unique('slow').padEnd(60, 'x'), keepAlive: 1 });
const longHead = request('/mqtt', { 'X-Long': 'x'.repeat(100) });
// A head in whole lines, each of which looks like progress.
const endlessHead = async (wire) => {
  wire.send('GET /mqtt HTTP/1.1\r\nHost: localhost\r\n');
  for (let n = 0; !wire.closed && wire.send(`X-${n}: y\r\n`); ++n) await pass(timeout / 25);
};
const pings = async (wire) => {
  while (!wire.closed && wire.send(frame(opcode.ping))) await pass(timeout / 25);
};

// What the server counts them as.
const arrival = 'gnomon_arrivals_refused_total{reason="timeout"}';
const http = 'gnomon_http_refused_total{reason="timeout"}';
const mqtt = 'gnomon_connects_refused_total{reason="timeout"}';

// [listener, what it is, how to get there, what it does then, counted as]
function attacks({ ports }, secure) {
  const hello = clientHello();
  const plain = (port) => () => Wire.open(port);
  const tls = (port, ALPNProtocols) => () => Wire.open(port, { secure: { ...secure, ALPNProtocols } });
  const socket = (port, how) => () => openWebSocket(port, how);
  const list = [['mqtt', 'nothing', plain(ports.mqtt), silence, mqtt],
    ['mqtt', 'CONNECT by the byte', plain(ports.mqtt), trickle(connect()), mqtt]];
  for (const name of ['mqtts', 'https']) {
    const port = ports[name];
    list.push([name, 'nothing', plain(port), silence, arrival],
      [name, 'a ClientHello by the byte', plain(port), trickle(hello), arrival],
      [name, 'a ClientHello and no more', plain(port), sends(hello), arrival],
      [name, 'MQTT by ALPN, and nothing', tls(port, ['mqtt']), silence, mqtt],
      [name, 'CONNECT by the byte', tls(port, ['x-amzn-mqtt-ca']), trickle(connect()), mqtt],
      [name, 'HTTP by ALPN, and nothing', tls(port, ['http/1.1']), silence, http],
      [name, 'a head by the byte', tls(port, ['x-amzn-http-ca']), trickle(longHead), http]);
  }
  list.push(['http', 'nothing', plain(ports.http), silence, http],
    ['http', 'a head by the byte', plain(ports.http), trickle(longHead), http],
    ['http', 'a head by the line', plain(ports.http), endlessHead, http],
    ['http', 'half of a request for a WebSocket', plain(ports.http),
      sends(upgrade().slice(0, -2)), http]);
  for (const [name, way] of [['http', socket(ports.http, {})], ['https', socket(ports.https, { secure })]]) {
    list.push([name, 'a WebSocket, and nothing', way, silence, mqtt],
      [name, 'a WebSocket, a frame by the byte', way, trickle(binary(connect())), mqtt],
      [name, 'a WebSocket, a frame for each byte', way, async (wire) => {
        for (const byte of connect()) {
          if (wire.closed || !wire.send(binary(Buffer.from([byte])))) return;
          await pass(timeout / 25);
        }
      }, mqtt],
      [name, 'a WebSocket, half of a CONNECT', way, sends(binary(connect().subarray(0, 30))), mqtt],
      [name, 'a WebSocket, pings', way, pings, mqtt]);
  }
  return list;
}

const gauges = ['gnomon_arrivals', 'gnomon_http_connections', 'gnomon_connections', 'process_open_fds'];

suite('row 16: slow clients on every listener', (test) => {
  test('are closed in time and counted, and nothing stays of them', async (w) => {
    const list = attacks(w.server, rootOf(w.server));
    await siege(w, async () => {
      const before = await w.server.metrics();
      await Promise.all(list.flatMap(([listener, what, way, act]) =>
        Array.from({ length: each }, async () => {
          const wire = await way();
          w.opened.push(() => wire.socket.destroy());
          const began = performance.now();
          act(wire);
          await wire.close(4 * timeout);
          const took = performance.now() - began;
          assert.ok(took > timeout * 0.8 && took < timeout * 3,
            `${listener}, ${what}: closed after ${took} ms`);
        })));
      const after = await w.server.untilMetrics(
        (m) => gauges.every((name) => m[name] <= before[name]), 'gauges are as before');
      for (const reason of [arrival, http, mqtt]) {
        const expected = each * list.filter((attack) => attack.at(-1) === reason).length;
        assert.equal(after[reason] - before[reason], expected, reason);
      }
    }, { grows: 12 * 1024 * 1024, counted: null });
  });

  test('a body that trickles is not waited for', async (w) => {
    const secure = rootOf(w.server);
    for (const [port, how] of [[w.server.ports.http, {}], [w.server.ports.https, { secure }]]) {
      for (const headers of [{ 'Content-Length': '1000' }, { 'Transfer-Encoding': 'chunked' },
        { 'Content-Length': '9'.repeat(18) }]) {
        for (const path of ['/mqtt', '/_gnomon/root-ca.pem', '/']) {
          const wire = await Wire.open(port, how);
          const began = performance.now();
          wire.send(request(path, headers, 'POST'));
          trickle('1\r\nx\r\n'.repeat(20))(wire);
          const { status } = await wire.answer();
          assert.ok([403, 405].includes(status), `${path}: ${status}`);
          await wire.close();
          assert.ok(performance.now() - began < timeout, 'closed at once');
        }
      }
    }
  });

  test('who has been answered may be silent until the next request is due', async (w) => {
    const before = await w.server.metrics();
    const wire = await Wire.open(w.server.ports.http);
    for (let n = 0; n < 3; ++n) {  // longer in all than one may be silent
      wire.send(request('/_gnomon/root-ca.pem'));
      assert.equal((await wire.answer()).status, 200);
      await pass(timeout / 2);
    }
    wire.send(request('/_gnomon/root-ca.pem'));
    assert.equal((await wire.answer()).status, 200);
    const began = performance.now();
    await wire.close(4 * timeout);
    assert.ok(performance.now() - began > timeout * 0.8);
    assert.deepEqual(await w.server.grown(before, /refused/), [], 'which is nobody\'s fault');
  });

  // The server has closed; the client never does.
  test('who does not close after the server has leaves no descriptor', async (w) => {
    const before = await w.server.metrics();
    const halfOpen = { allowHalfOpen: true };
    const wires = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      const wire = await openWebSocket(w.server.ports.http, halfOpen);
      wire.send(n & 1 ? frame(opcode.text, Buffer.from('no')) : binary(Buffer.from('\xf0\0', 'latin1')));
      return wire;
    }));
    const raws = await Promise.all(Array.from({ length: 20 }, () => w.socket(5, halfOpen)));
    for (const raw of raws) raw.send(codec.pingreq());
    await w.server.untilMetrics((m) => m.process_open_fds <= before.process_open_fds,
      'descriptors are as before');
    for (const wire of wires) wire.socket.destroy();
  });
}, { shards: [2], listeners: true, timeout: 120_000,
  env: { GNOMON_LIMITS_CONNECT_TIMEOUT: '2', GNOMON_LIMITS_HTTP_IDLE: '2' } });
