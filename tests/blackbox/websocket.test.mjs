// MQTT over WebSocket, and what else HTTP is asked for, as bytes.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, it } from 'node:test';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { Server } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { binary, frame, opcode, openWebSocket, request, upgrade, Wire } from '../harness/websocket.mjs';

// On both listeners of HTTP: (port, how to dial it).
const listeners = (server) => [[server.ports.http, {}], [server.ports.https, { secure: rootOf(server) }]];

async function asked(port, how, text) {
  const wire = await Wire.open(port, how);
  wire.send(text);
  const answer = await wire.answer();
  wire.socket.destroy();
  return answer;
}

// A WebSocket with a client on it.
async function connected(w, v = 5, options = {}) {
  const wire = await openWebSocket(w.server.ports.http, options);
  w.opened.push(() => wire.socket.destroy());
  wire.send(binary(codec.connect({ v, id: unique('ws') })));
  assert.equal((await wire.packet(v)).code, 0);
  return wire;
}

suite('the way to a WebSocket', (test) => {
  test('sub-protocols mqtt and mqttv3.1, one of which has to be offered', async (w) => {
    for (const [port, how] of listeners(w.server)) {
      for (const [offered, agreed] of [['mqtt', 'mqtt'], ['mqttv3.1', 'mqttv3.1'],
        ['chat, mqtt', 'mqtt'], ['mqttv3.1, mqtt', 'mqttv3.1']]) {
        const { status, headers } =
          await asked(port, how, upgrade({ 'Sec-WebSocket-Protocol': offered }));
        assert.deepEqual([status, headers['sec-websocket-protocol']], [101, agreed], offered);
      }
      for (const offered of [null, 'chat', 'MQTT', 'mqtt5', '']) {
        const { status, body } = await asked(port, how, upgrade({ 'Sec-WebSocket-Protocol': offered }));
        assert.equal(status, 400, offered);
        assert.match(body, /must offer mqtt/);
      }
    }
  });

  test('permessage-deflate is declined', async (w) => {
    const { status, headers } = await asked(w.server.ports.http, {}, upgrade(
      { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }));
    assert.deepEqual([status, headers['sec-websocket-extensions']], [101, undefined]);
  });

  test('what is no request for one: 426, 405, 400', async (w) => {
    for (const [port, how] of listeners(w.server)) {
      for (const [text, status, header] of [
        [request('/mqtt'), 426, ['upgrade', 'websocket']],
        [upgrade({ Upgrade: 'h2c' }), 426, ['upgrade', 'websocket']],
        [upgrade({ Connection: 'keep-alive' }), 426, ['upgrade', 'websocket']],
        [upgrade({ 'Sec-WebSocket-Version': '8' }), 426, ['sec-websocket-version', '13']],
        [upgrade({ 'Sec-WebSocket-Version': null }), 426, ['sec-websocket-version', '13']],
        [upgrade().replace('GET', 'POST'), 405, ['allow', 'GET']],
        [upgrade({ 'Sec-WebSocket-Key': null }), 400],
        [upgrade({ 'Sec-WebSocket-Key': 'short' }), 400],
        [upgrade({}, '/_gnomon/mqtt'), 404], [request('/_gnomon/'), 404],
        [upgrade({}, '/'), 403], [upgrade({}, '/mqtt/x'), 403], [request('/'), 403],
      ]) {
        const answer = await asked(port, how, text);
        assert.equal(answer.status, status, text);
        if (header) assert.equal(answer.headers[header[0]], header[1], text);
      }
    }
  });

  test('a query behind /mqtt is allowed', async (w) => {
    const query = '/mqtt?x-amz-customauthorizer-name=a';
    assert.equal((await asked(w.server.ports.http, {}, upgrade({}, query))).status, 101);
  });

  test('a signature that is there must hold, on this machine too', async (w) => {
    for (const [query, status] of [['X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00', 400],
      ['X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDNOBODYNOBODY0%2F20261126%2Fus-east-1%2F'
        + 'iotdevicegateway%2Faws4_request&X-Amz-Date=20261126T000000Z&X-Amz-SignedHeaders=host'
        + `&X-Amz-Signature=${'0'.repeat(64)}`, 403]]) {
      const answer = await asked(w.server.ports.http, {}, upgrade({}, `/mqtt?${query}`));
      assert.equal(answer.status, status, query);
    }
  });

  test('pages from elsewhere may not, its own may', async (w) => {
    for (const [port, how] of listeners(w.server)) {
      const from = (origin, host = `localhost:${port}`) =>
        asked(port, how, upgrade({ Origin: origin, Host: host }));
      const scheme = how.secure ? 'https' : 'http';
      assert.equal((await from(`${scheme}://localhost:${port}`)).status, 101);
      for (const origin of ['https://evil.example', `${scheme}://localhost:${port + 1}`, 'null',
        `${scheme}://localhost.evil.example:${port}`, '']) {
        const { status, body } = await from(origin);
        assert.equal(status, 403, origin);
        assert.match(body, /setting "origins"/);
      }
    }
  });

  test('names that are not its own: 421, on every path', async (w) => {
    for (const [port, how] of listeners(w.server)) {
      for (const host of ['localhost', 'a.localhost', `LOCALHOST:${port}`, '127.0.0.1', '[::1]:1']) {
        assert.equal((await asked(port, how, upgrade({ Host: host }))).status, 101, host);
      }
      for (const host of ['evil.example', 'localhost.evil.example', 'localhost@evil.example']) {
        for (const text of [upgrade({ Host: host }), request('/_gnomon/root-ca.pem', { Host: host })]) {
          const { status, body } = await asked(port, how, text);
          assert.equal(status, 421, host);
          assert.match(body, /setting "hosts"/);
        }
      }
    }
  });

  test('/_gnomon/root-ca.pem', async (w) => {
    const before = await w.server.metrics();
    for (const [port, how] of listeners(w.server)) {
      const { status, headers, body } = await asked(port, how, request('/_gnomon/root-ca.pem'));
      assert.deepEqual([status, headers['content-type']], [200, 'application/x-pem-file']);
      assert.equal(body, fs.readFileSync(w.server.ready.ca, 'utf8'));
      assert.equal((await asked(port, how, request('/_gnomon/root-ca.pem', {}, 'POST'))).status, 405);
      for (const path of ['/_gnomon', '/_gnomon/server.private.pem', '/_gnomon/../root-ca.key',
        '/_gnomon/root-ca.pem/']) {
        assert.equal((await asked(port, how, request(path))).status, 404, path);
      }
    }
    assert.deepEqual(await w.server.grown(before, /http_requests/), ['gnomon_http_requests_total']);
  });
}, { shards: [2], listeners: true });

suite('settings of HTTP', (test) => {
  test('hosts, origins', async ({ server: { ports: { http } } }) => {
    const status = async (headers) => (await asked(http, {}, upgrade(headers))).status;
    assert.equal(await status({ Host: 'broker.example' }), 101);
    assert.equal(await status({ Host: 'a.fleet.example:99' }), 101);
    assert.equal(await status({ Host: 'other.example' }), 421);
    assert.equal(await status({ Origin: 'https://app.example' }), 101);
    assert.equal(await status({ Origin: 'https://app.example:8443' }), 403);
    assert.equal(await status({ Origin: 'http://app.example' }), 403);
  });
}, { shards: [1], listeners: true,
  env: { GNOMON_HOSTS: 'broker.example,*.fleet.example', GNOMON_ORIGINS: 'https://app.example' } });

suite('frames of a WebSocket', (test) => {
  test.each([4, 5], 'packets over many frames, frames over many packets', async (w, v) => {
    const wire = await connected(w, v);
    const topic = w.topic();
    const bytes = Buffer.concat([codec.subscribe({ v, packetId: 1, filters: [{ filter: topic, qos: 1 }] }),
      codec.publish({ v, topic, payload: 'a'.repeat(300), qos: 1, packetId: 2 }),
      codec.publish({ v, topic, payload: 'b' }), codec.pingreq()]);
    const fits = async (send) => {
      send();
      const got = [];
      for (let packet; packet?.type !== 'pingresp'; got.push(packet)) packet = await wire.packet(v);
      const publishes = got.filter(({ type }) => type === 'publish');
      assert.deepEqual(publishes.map(({ text }) => text[0]), ['a', 'b']);
      wire.send(binary(codec.ack('puback', publishes[0].packetId)));
    };
    await fits(() => wire.send(binary(bytes)));                                   // one frame
    await fits(() => wire.send(...[...bytes].map((byte) => binary(Buffer.from([byte])))));  // one each
    await fits(() => { for (const byte of binary(bytes)) wire.send([byte]); });   // in many segments
    const third = Math.floor(bytes.length / 3);                                   // fragmented
    await fits(() => wire.send(binary(bytes.subarray(0, third), { fin: false }),
      frame(opcode.continuation, bytes.subarray(third, 2 * third), { fin: false }),
      frame(opcode.continuation, bytes.subarray(2 * third), { fin: false }),
      frame(opcode.continuation)));
  });

  test('a ping inside of a fragmented message', async (w) => {
    const wire = await connected(w);
    wire.send(binary(codec.pingreq().subarray(0, 1), { fin: false }), frame(opcode.ping),
      frame(opcode.continuation, codec.pingreq().subarray(1)));
    const ops = [(await wire.frame()).op, (await wire.frame()).op];
    assert.deepEqual(ops.sort((a, b) => a - b), [opcode.binary, opcode.pong]);
  });

  test('ping is answered by pong, pong by nothing', async (w) => {
    const wire = await connected(w);
    for (const text of ['', 'hello', 'x'.repeat(125)]) {
      wire.send(frame(opcode.pong, Buffer.from('unasked')), frame(opcode.ping, Buffer.from(text)));
      const { op, payload } = await wire.frame();
      assert.deepEqual([op, payload.toString()], [opcode.pong, text]);
    }
    wire.send(binary(codec.pingreq()));
    assert.equal((await wire.packet()).type, 'pingresp');
  });

  test('close is answered by close, DISCONNECT by 1000', async (w) => {
    for (const [payload, code] of [[Buffer.alloc(0), 1005], [codec.u16(1000), 1000],
      [Buffer.concat([codec.u16(4321), Buffer.from('mine')]), 4321]]) {
      const wire = await connected(w);
      wire.send(frame(opcode.close, payload));
      await wire.expectCloseFrame(code);
    }
    const wire = await connected(w);
    wire.send(binary(codec.disconnect()));
    await wire.expectCloseFrame(1000);
  });

  test('what is no frame of MQTT is refused with its code', async (w) => {
    const before = await w.server.metrics();
    for (const [bytes, code] of [
      [frame(opcode.text, codec.pingreq()), 1003],
      [binary(codec.pingreq(), { masked: false }), 1002],
      [binary(codec.pingreq(), { rsv: 4 }), 1002],
      [frame(3), 1002], [frame(11), 1002],
      [frame(opcode.continuation, codec.pingreq()), 1002],
      [Buffer.concat([binary(Buffer.from([0xc0]), { fin: false }), binary(Buffer.from([0]))]), 1002],
      [frame(opcode.ping, Buffer.alloc(0), { fin: false }), 1002],
      [frame(opcode.ping, Buffer.alloc(126)), 1002],
      [frame(opcode.close, Buffer.from([3])), 1002],
      [frame(opcode.close, codec.u16(1005)), 1002],
      [frame(opcode.close, Buffer.concat([codec.u16(1000), Buffer.from([0xff])])), 1007],
      [binary(Buffer.alloc(0), { length: 0x7fffffff }), 1009],
      [Buffer.from([0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), 1002],  // a negative length
    ]) {
      const wire = await connected(w);
      wire.send(bytes);
      await wire.expectCloseFrame(code).catch((error) => {
        throw new Error(`${bytes.subarray(0, 20).toString('hex')}: ${error.message}`);
      });
    }
    assert.ok((await w.server.grown(before, /disconnects/)).length > 0);
  });

  // Row 3: a length that is longer than what is there, over WebSocket.
  test('an MQTT packet that is cut off stays one connection\'s trouble', async (w) => {
    const wire = await connected(w);
    wire.send(binary(Buffer.from([0x30, 0x80, 0x20, 0, 3])), binary(Buffer.from('abc')));
    const other = await connected(w);
    other.send(binary(codec.pingreq()));
    assert.equal((await other.packet()).type, 'pingresp');
    wire.send(frame(opcode.close));
    await wire.expectCloseFrame(1005);
  });

  test('CONNECT right behind the request, before its answer', async (w) => {
    const wire = await Wire.open(w.server.ports.http);
    wire.send(upgrade(), binary(codec.connect({ id: unique('early') })));
    assert.equal((await wire.answer()).status, 101);
    assert.equal((await wire.packet()).code, 0);
    wire.socket.destroy();
  });
}, { shards: [1, 4], listeners: true });

describe('the end of a server with WebSockets', { timeout: 60_000 }, () => {
  it('DISCONNECT 0x8B to MQTT 5, close to all, exit 0', async () => {
    const server = await Server.start({ listeners: true, shards: 2 });
    try {
      const wires = await Promise.all(listeners(server).flatMap(([port, how]) => [4, 5].map(
        async (v) => {
          const wire = await openWebSocket(port, how);
          wire.send(binary(codec.connect({ v, id: unique('end') })));
          assert.equal((await wire.packet(v)).code, 0);
          return { wire, v };
        })));
      const ended = server.end();
      for (const { wire, v } of wires) {
        if (v === 5) assert.equal((await wire.packet(v)).code, 0x8b);
        await wire.expectCloseFrame(1001);  // RFC 6455 §7.4.1: going away
      }
      await ended;
    } finally {
      await server.kill();
    }
  });
});
