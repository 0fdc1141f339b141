// Garbage, and the right words on the wrong port: refused at once, counted, and nobody else notices.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { deviceCertificate, rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { clientHello } from '../harness/dial.mjs';
import { inParallel, MiB, siege } from '../harness/hostile.mjs';
import { deadline, within } from '../harness/raw.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { binary, frame, opcode, openWebSocket, request, upgrade, Wire } from '../harness/websocket.mjs';

// Handshakes that the server has seen fail, but for those that the client left.
const failed = /^gnomon_tls_handshakes_total\{result="(not_tls|no_agreement|by_client|damaged)"\}/;
const noMqtt = /^gnomon_connects_refused_total\{reason="protocol"\}/;
const noHttp = /^gnomon_http_refused_total\{reason="(malformed|head_too_large|body_too_large)"\}/;

// Well before any timeout of the server.
const soon = 5000;

const connect = (v = 5) => codec.connect({ v, id: unique('wrong') });
const get = request('/mqtt');
const http2 = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const banner = 'SSH-2.0-OpenSSH_9.2\r\n';
const sslv2 = Buffer.from('802e0100020015000000100100800200800300800400800500800600400700c0' +
  '00112233445566778899aabbccddeeff', 'hex');
// Random, but for a first byte that is the start of neither MQTT, nor TLS, nor HTTP.
const noise = () => Buffer.concat([Buffer.from([0]), randomBytes(400)]);
const proxied = 'PROXY TCP4 203.0.113.7 192.0.2.1 4321 8883\r\n';

// Sends each of `all` on connections of their own, ten times; all are closed soon. `answer`: what
// may come before that.
async function refusesAll(port, how, all, answer = /^$/) {
  await inParallel(Array(10).fill(Object.entries(all)).flat(), 20, async ([what, bytes]) => {
    const wire = await Wire.open(port, how);
    wire.send(bytes);
    const got = await wire.close(soon).catch((error) => {
      throw new Error(`${what}: ${error.message}`);
    });
    assert.match(got.toString('latin1'), answer, what);
  });
  return 10 * Object.keys(all).length;
}

// A siege in which exactly so many refusals as `attack` returns are counted under `names`.
const counted = (w, names, attack, options) => siege(w, async () => {
  const sum = (metrics) => Object.keys(metrics).filter((name) => names.test(name))
    .reduce((all, name) => all + metrics[name], 0);
  const before = sum(await w.server.metrics());
  const count = await attack();
  let grown = 0;
  await w.server.untilMetrics((m) => (grown = sum(m) - before) === count, `${names}`, soon)
    .catch(() => assert.equal(grown, count, `${names}`));
}, { counted: null, ...options });

suite('wrong protocol', (test) => {
  test('what is no TLS, on the ports of TLS', async (w) => {
    for (const port of [w.server.ports.mqtts, w.server.ports.https]) {
      await counted(w, failed, () => refusesAll(port, {}, {
        'MQTT 3.1.1': connect(4), 'MQTT 5': connect(5), HTTP: get, WebSocket: upgrade(), http2, banner,
        noise: noise(), proxied, 'a long record': Buffer.from('160301ffff0100', 'hex'),
        'an alert': Buffer.from('15030100020228', 'hex'), 'early data': Buffer.from('17030300050102030405', 'hex'),
        'SSL 2': sslv2,
      }, /^(\x15\x03.\0\x02\x02.)?$/s));  // an alert, fatal
    }
  });

  test('what is no MQTT, on the port of MQTT, and inside of TLS', async (w) => {
    const { mqtt, mqtts, https } = w.server.ports;
    const secure = rootOf(w.server);
    const wrong = { TLS: clientHello(), HTTP: get, WebSocket: upgrade(), http2, banner, noise: noise(),
      proxied, 'a frame': binary(connect()) };
    for (const [port, how] of [[mqtt, {}], [mqtts, { secure }],
      [https, { secure: { ...secure, ALPNProtocols: ['mqtt'] } }]]) {
      await counted(w, noMqtt, () => refusesAll(port, how, wrong));
    }
  });

  test('what is no HTTP, on the ports of HTTP', async (w) => {
    const { http, https, mqtts } = w.server.ports;
    const secure = rootOf(w.server);
    const long = 'x'.repeat(20_000);
    const wrong = { TLS: clientHello(), 'MQTT 3.1.1': connect(4), 'MQTT 5': connect(5), noise: noise(),
      'a frame': binary(connect()), banner, http2,
      'a long target': request(`/${long}`), 'a long header': request('/mqtt', { 'X-Long': long }),
      'a long name': request('/mqtt', { [long]: 'x' }), 'a line without an end': `GET /${long}`,
      'many headers': request('/mqtt',
        Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`X-${n}`, 'y']))),
      'no version': 'GET /mqtt\r\nHost: localhost\r\n\r\n', 'a version': get.replace('1.1', '3.7'),
      'no host': request('/mqtt', { Host: null }), 'two hosts': request('/mqtt', { host: 'a' }),
      'a space in a name': request('/mqtt', { 'X y': 'z' }), 'NUL': request('/mqtt', { X: 'a\0b' }),
      'two lengths': request('/', { 'Content-Length': '3', 'content-length': '4' }, 'POST'),
      'a negative length': request('/', { 'Content-Length': '-1' }, 'POST'),
      'a length beyond 64 bits': request('/', { 'Content-Length': '9'.repeat(30) }, 'POST'),
      'length and chunks': request('/', { 'Content-Length': '3', 'Transfer-Encoding': 'chunked' },
        'POST'),
      'an unknown coding': request('/', { 'Transfer-Encoding': 'gzip' }, 'POST') };
    for (const [port, how] of [[http, {}], [https, { secure }],
      [mqtts, { secure: { ...secure, ALPNProtocols: ['http/1.1'] } }]]) {
      await counted(w, noHttp, () => refusesAll(port, how, wrong,
        /^HTTP\/1\.1 (400|431|501|505) [^]*\r\nConnection: close\r\n[^]*$/));
    }
  });

  test('a request that hides behind another one is not answered', async (w) => {
    const hidden = request('/_gnomon/root-ca.pem');
    for (const [headers, body] of [
      [{ 'Content-Length': `${hidden.length}` }, hidden],
      [{ 'Transfer-Encoding': 'chunked' }, `zz\r\n${hidden}`],
      [{ 'Transfer-Encoding': 'chunked', 'Content-Length': '4' }, `0\r\n\r\n${hidden}`],
      [{ 'Transfer-Encoding': ' chunked', 'content-length': '0' }, `0\r\n\r\n${hidden}`],
      [{ 'Transfer-Encoding': 'xchunked' }, `0\r\n\r\n${hidden}`]]) {
      const wire = await Wire.open(w.server.ports.http);
      wire.send(request('/', headers, 'POST'), body);
      const { status } = await wire.answer();
      assert.ok(status >= 400, `${status}`);
      wire.send(request('/mqtt', { Connection: 'close' }));  // if the server still listens
      const rest = (await wire.close(soon)).toString();
      assert.doesNotMatch(rest, /BEGIN CERTIFICATE/, JSON.stringify(headers));
    }
  });

  test('frames that are none of MQTT, before anyone is known', async (w) => {
    const { http, https } = w.server.ports;
    const wrong = { text: [frame(opcode.text, connect()), 1003],
      unmasked: [binary(connect(), { masked: false }), 1002],
      'reserved bits': [binary(connect(), { rsv: 2 }), 1002], 'an unknown opcode': [frame(5), 1002],
      'an unknown control': [frame(13), 1002],
      'a continuation of nothing': [frame(opcode.continuation, connect()), 1002],
      'a long ping': [frame(opcode.ping, Buffer.alloc(200)), 1002],
      'a close in pieces': [frame(opcode.close, codec.u16(1000), { fin: false }), 1002],
      'a close without a code': [frame(opcode.close, Buffer.from([3])), 1002],
      'a frame of 2 GiB': [binary(Buffer.alloc(0), { length: 0x7fffffff }), 1009],
      'a frame of 2^63': [Buffer.from('82ff80000000000000000000000000', 'hex'), 1002] };
    for (const [port, how] of [[http, {}], [https, { secure: rootOf(w.server) }]]) {
      await counted(w, noMqtt, async () => {
        const all = Array(10).fill(Object.entries(wrong)).flat();
        await inParallel(all, 20, async ([what, [bytes, code]]) => {
          const wire = await openWebSocket(port, how);
          wire.send(bytes);
          await wire.expectCloseFrame(code).catch((error) => {
            throw new Error(`${what}: ${error.message}`);
          });
        });
        return all.length;
      });
    }
  });
}, { shards: [2], listeners: true });

// What happens to a TLS client: 'connected', or the code of its error.
function outcome(port, options) {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
  return within(deadline, 'an outcome of TLS', new Promise((resolve) => {
    socket.once('secureConnect', () => resolve('connected'));
    socket.once('error', (error) => resolve(error.code));
    socket.once('close', () => resolve('closed'));
  })).finally(() => socket.destroy());
}

suite('TLS that is refused', (test) => {
  test('versions, ciphers and protocols that the server does not speak', async (w) => {
    const secure = rootOf(w.server);
    const weak = { ...secure, ciphers: 'DEFAULT@SECLEVEL=0' };
    const { mqtts, https } = w.server.ports;
    const cases = { 'TLS 1.0': { ...weak, minVersion: 'TLSv1', maxVersion: 'TLSv1' },
      'TLS 1.1': { ...weak, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
      'RSA key exchange': { ...secure, maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' },
      CBC: { ...secure, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' },
      'no curve of ours': { ...secure, ecdhCurve: 'brainpoolP384r1', maxVersion: 'TLSv1.2' },
      h2: { ...secure, ALPNProtocols: ['h2'] }, 'many unknown ones': { ...secure,
        ALPNProtocols: Array.from({ length: 200 }, (_, n) => `p${n}`) },
      'half of a name': { ...secure, ALPNProtocols: ['mqt', 'http/1', 'x-amzn-mqtt'] } };
    await counted(w, failed, async () => {
      for (const [what, options] of Object.entries(cases)) {
        const got = await Promise.all([mqtts, https].map((port) => outcome(port, options)));
        for (const each of got) assert.match(each, /ALERT|ECONNRESET|closed/, `${what}: ${each}`);
      }
      return 2 * Object.keys(cases).length;
    });
    assert.equal(await outcome(mqtts, { ...secure, ALPNProtocols: ['h2', 'mqtt'] }), 'connected');
  });

  test('a chain of certificates without end', async (w) => {
    const { ca, cert, key } = await deviceCertificate(w.server, 'lamp');
    const chain = Buffer.concat([cert, ...Array(400).fill(ca)]);  // some 200 KB
    await counted(w, failed, async () => {
      await inParallel(Array(10).fill(0), 5, async () => {
        const wire = new Wire({ ready: Promise.resolve(), socket: tls.connect({ host: '127.0.0.1',
          port: w.server.ports.mqtts, servername: 'localhost', ca, cert: chain, key }) });
        await wire.close(soon);  // TLS 1.3: the client is ready before it hears of it
      });
      return 10;
    });
  });

  // Connections of TLS whose records are then broken: an established one, and one without CONNECT.
  test('broken records', async (w) => {
    const breaks = { noise: noise(), 'a record in the clear': Buffer.from('170303000530030001610a', 'hex'),
      'an alert in the clear': Buffer.from('15030300020228', 'hex'),
      'a handshake in the clear': clientHello(), 'a long record': Buffer.from('170303ffff', 'hex') };
    for (const connected of [false, true]) {
      const lost = /^gnomon_disconnects_total\{reason="lost"\}/;
      await counted(w, connected ? lost : noMqtt, async () => {
        await Promise.all(Object.entries(breaks).map(async ([what, bytes]) => {
          const below = net.connect({ port: w.server.ports.mqtts, host: '127.0.0.1' });
          below.on('error', () => {});
          const above = new Wire({ ready: Promise.resolve(),
            socket: tls.connect({ socket: below, servername: 'localhost', ...rootOf(w.server) }) });
          await within(deadline, 'TLS', new Promise((done) => {
            above.socket.once('secureConnect', done);
          }));
          // Once this is written the client's part of the handshake is, too.
          await new Promise((done) => {
            above.socket.write(connected ? connect() : connect().subarray(0, 5), done);
          });
          if (connected) {
            await above.take((got) => (got.length > 4 && got[0] === 0x20 ? { size: got.length } : null),
              `CONNACK before ${what}`);
          }
          below.write(bytes);
          await above.close(soon);
        }));
        return Object.keys(breaks).length;
      });
    }
  });

  test('a renegotiation (TLS 1.2) is not made', async (w) => {
    const raw = await w.socket(5, { port: w.server.ports.mqtts,
      secure: { ...rootOf(w.server), maxVersion: 'TLSv1.2' } });
    await raw.connect({ id: unique() });
    const full = 'gnomon_tls_handshakes_total{result="full"}';
    const before = await w.server.metrics();
    const told = await within(deadline, 'an answer', new Promise((resolve) => {
      raw.socket.renegotiate({}, (error) => resolve(error ?? null));
      raw.socket.once('error', resolve);
      raw.socket.once('close', () => resolve(new Error('closed')));
    }));
    assert.ok(told instanceof Error);
    assert.equal((await w.server.metrics())[full], before[full]);
  });
}, { shards: [2], listeners: true });
