// The PROXY protocol: whom a proxy speaks for, on every listener.

import assert from 'node:assert/strict';
import { deviceCertificate } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { run } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { binary, openWebSocket, request, Wire } from '../harness/websocket.mjs';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
// Version 2: `command` 0 is LOCAL, 1 PROXY; `family` 0x11 TCP over IPv4, 0x21 over IPv6, 0 unknown.
const v2 = (command, family, body) => Buffer.concat([signature,
  Buffer.from([0x20 | command, family]), codec.u16(body.length), body]);
const ports = Buffer.concat([codec.u16(4321), codec.u16(1883)]);
const ipv6 = Buffer.from('20010db8000000000000000000000007', 'hex');

const headers = {
  'v1, IPv4': ['PROXY TCP4 203.0.113.7 192.0.2.1 4321 1883\r\n', '203.0.113.7:4321'],
  'v1, IPv6': ['PROXY TCP6 2001:db8::7 2001:db8::1 4321 1883\r\n', '[2001:db8::7]:4321'],
  'v2, IPv4': [v2(1, 0x11, Buffer.concat([Buffer.from([203, 0, 113, 7, 192, 0, 2, 1]), ports])),
    '203.0.113.7:4321'],
  'v2, IPv6': [v2(1, 0x21, Buffer.concat([ipv6, ipv6, ports])), '[2001:db8::7]:4321'],
  'v2, with more behind the addresses': [v2(1, 0x11, Buffer.concat(
    [Buffer.from([203, 0, 113, 7, 192, 0, 2, 1]), ports, Buffer.from('04000141', 'hex')])),
  '203.0.113.7:4321'],
};
const ofLoopback = Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 4321 1883\r\n');
const unnamed = { 'v1 UNKNOWN': Buffer.from('PROXY UNKNOWN\r\n'),
  'v2 LOCAL': v2(0, 0, Buffer.alloc(0)), 'v2 of an unknown family': v2(1, 0, Buffer.alloc(0)) };

const certificates = new WeakMap();
function deviceOf(server) {
  if (!certificates.has(server)) certificates.set(server, deviceCertificate(server, 'lamp'));
  return certificates.get(server);
}

// A client on each listener, with `before` in front: {name, connack, id}. Those with TLS show a
// certificate; the others are known by their address alone.
async function clients(w, before) {
  const { mqtt, mqtts, https, http } = w.server.ports;
  const secure = await deviceOf(w.server);
  const all = [];
  for (const [name, port, how] of [['mqtt', mqtt, {}], ['mqtts', mqtts, { secure }],
    ['https by ALPN', https, { secure: { ...secure, ALPNProtocols: ['x-amzn-mqtt-ca'] } }]]) {
    const raw = await w.socket(5, { port, before, ...how });
    const id = unique('proxied');
    raw.send(codec.connect({ id }));
    all.push({ name, id, connack: await raw.expect('connack') });
  }
  for (const [name, port, how] of [['http', http, {}], ['https', https, { secure }]]) {
    const id = unique('proxied');
    const wire = await openWebSocket(port, { before, ...how }).catch((error) => error);
    if (wire instanceof Error) {  // nobody that any CONNECT could be from
      assert.match(wire.message, /no WebSocket: .*"status":403/);
      all.push({ name, id, connack: { code: 0x87 } });
      continue;
    }
    w.opened.push(() => wire.socket.destroy());
    wire.send(binary(codec.connect({ id })));
    all.push({ name, id, connack: await wire.packet() });
  }
  return all;
}
const encrypted = (name) => name.startsWith('mqtts') || name.startsWith('https');

async function addressOf(w, id) {
  const { code, stdout, stderr } =
    await run(['client', id, '--admin', w.server.ready.admin, '--json']);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).address;
}

const behindProxy = { GNOMON_PROXY_LISTENERS: 'mqtt,mqtts,https,http',
  GNOMON_PROXY_TRUSTED: '127.0.0.1' };

suite('behind a proxy', (test) => {
  for (const [name, [header, address]] of Object.entries(headers)) {
    test(`${name}: the client is who the header says`, async (w) => {
      for (const { name: listener, id, connack } of await clients(w, header)) {
        if (!encrypted(listener)) {
          assert.equal(connack.code, 0x87, `${listener}: from elsewhere, nobody`);
        } else {
          assert.equal(connack.code, 0, listener);
          assert.equal(await addressOf(w, id), address, listener);
        }
      }
    });
  }

  test('of a client on its own machine: local', async (w) => {
    for (const { name, id, connack } of await clients(w, ofLoopback)) {
      assert.equal(connack.code, 0, name);
      assert.equal(await addressOf(w, id), '127.0.0.1:4321', name);
    }
  });

  for (const [name, header] of Object.entries(unnamed)) {
    test(`${name}: nobody's neighbour, so not local`, async (w) => {
      for (const { name: listener, connack } of await clients(w, header)) {
        assert.equal(connack.code, encrypted(listener) ? 0 : 0x87, listener);
      }
    });
  }

  test('a header in pieces', async (w) => {
    for (const [header] of Object.values(headers)) {
      const raw = await w.socket(5);
      for (const byte of Buffer.from(header)) raw.send(Buffer.from([byte]));
      raw.send(codec.connect({ id: unique() }));
      await raw.expect('connack', { code: 0x87 });
    }
  });

  test('who speaks without a header is closed, and counted', async (w) => {
    const before = await w.server.metrics();
    const { mqtt, mqtts, https, http } = w.server.ports;
    for (const v of [4, 5]) {
      const raw = await w.socket(v, { port: mqtt });
      raw.send(codec.connect({ v, id: unique() }));
      await raw.expectClose();
    }
    const secure = await deviceOf(w.server);
    for (const port of [mqtts, https]) await assert.rejects(w.socket(5, { port, secure }));
    const wire = await Wire.open(http);
    wire.send(request('/_gnomon/root-ca.pem'));
    assert.equal((await wire.close()).length, 0);
    for (const wrong of ['PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n', 'PROXY TCP4 1.2.3.4 4.5.6.7 1\r\n',
      `PROXY ${'x'.repeat(200)}`, Buffer.concat([signature, Buffer.from([0x31, 0x11, 0, 0])]),
      v2(1, 0x11, Buffer.from([1, 2])), v2(7, 0x11, Buffer.alloc(12))]) {
      const raw = await w.socket(5);
      raw.send(Buffer.from(wrong));
      await raw.expectClose();
    }
    assert.deepEqual(await w.server.grown(before, /arrivals_refused/),
      ['gnomon_arrivals_refused_total{reason="proxy_header"}']);
  });
}, { shards: [1, 4], listeners: true, env: behindProxy });

suite('a proxy that is not trusted', (test) => {
  test('is closed on every listener, and counted', async (w) => {
    const before = await w.server.metrics();
    const secure = await deviceOf(w.server);
    const { mqtt, mqtts, https, http } = w.server.ports;
    for (const port of [mqtt, http]) {
      const raw = await w.socket(5, { port });
      raw.send(Buffer.from(ofLoopback));
      await raw.expectClose();
    }
    for (const port of [mqtts, https]) {
      await assert.rejects(w.socket(5, { port, secure, before: ofLoopback }));
    }
    const after = await w.server.metrics();
    const name = 'gnomon_arrivals_refused_total{reason="untrusted_proxy"}';
    assert.equal(after[name] - before[name], 4);
    await w.server.untilLog(/proxy_refused peer=127\.0\.0\.1:\d+ what="its address is not in/);
  });
}, { shards: [2], listeners: true,
  env: { ...behindProxy, GNOMON_PROXY_TRUSTED: '10.0.0.0/8,2001:db8::/32' } });

suite('a header where there is no proxy', (test) => {
  test('is no MQTT and no HTTP', async (w) => {
    for (const [header] of Object.values(headers)) {
      const raw = await w.socket(5);
      raw.send(Buffer.from(header), codec.connect({ id: unique() }));
      await raw.expectClose();
      const wire = await Wire.open(w.server.ports.http);
      wire.send(header, request('/_gnomon/root-ca.pem'));
      assert.doesNotMatch((await wire.close()).toString(), /^HTTP\/1\.1 200/);
    }
  });
}, { shards: [1], listeners: true });
