// Hostile input rows 1 to 5 over TLS and WebSocket, where a packet's borders are none of the wire's.

import assert from 'node:assert/strict';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { closedBy, inParallel, MiB, refused, samples, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';
import {
  binary, cuts, dialWebSocket, frame, opcode, openWebSocket,
} from '../harness/websocket.mjs';

const most = 268_435_455;

const transports = ['TLS', 'TLS by ALPN', ...Object.keys(cuts).map((name) => `WebSocket, ${name}`),
  'WebSocket over TLS'];
// Options of World.socket().
function over(server, transport) {
  const { mqtts, https, http } = server.ports;
  const secure = rootOf(server);
  switch (transport) {
    case 'TLS': return { port: mqtts, secure };
    case 'TLS by ALPN':
      return { port: https, secure: { ...secure, ALPNProtocols: ['x-amzn-mqtt-ca'] } };
    case 'WebSocket over TLS': return { port: https, secure, by: dialWebSocket };
    default:
      return { port: http, by: dialWebSocket, cut: cuts[transport.slice('WebSocket, '.length)] };
  }
}

for (const transport of transports) {
  suite(`rows 1 to 5, ${transport}`, (test) => {
    test('row 1: lengths that nobody has vouched for', async (w) => {
      const how = over(w.server, transport);
      await siege(w, async () => {
        const firsts = Array.from({ length: 16 }, (_, n) => n).filter((n) => n !== codec.type.connect);
        await inParallel([...firsts, ...firsts], 10, async (kind) => {
          const first = (kind << 4) | ([6, 8, 10].includes(kind) ? 2 : 0);
          const packets = await closedBy(w, codec.frame(first, Buffer.alloc(0), most), { over: how });
          assert.ok(packets.length <= 1);
        });
        await inParallel(Array(30).fill(0), 10, async () => {
          const packets = await closedBy(w, codec.frame(0x10, Buffer.from('\0\x04MQTT\x05'), most),
            { over: how });
          for (const packet of packets) assert.equal(packet.type, 'connack');
        });
        for (const first of [0x30, 0x82, 0x40]) {
          await refused(w, codec.frame(first, Buffer.alloc(0), most), [0x95, 0x81, 0x82],
            { established: true, over: how });
        }
      });
    });

    test('row 1: what is announced is not set aside', async (w) => {
      const how = over(w.server, transport);
      const open = (count, body) => Promise.all(Array.from({ length: count }, async () => {
        const raw = await w.socket(5, how);
        await body(raw);
      }));
      await open(20, async () => {});  // what TLS and HTTP keep for good is there now
      await siege(w, async () => {
        await open(100, async (raw) => raw.send(codec.frame(0x10, Buffer.from('\0\x04MQ'), 128_000)));
        await open(100, async (raw) => {
          await raw.connect({ id: unique() });
          raw.send(codec.frame(0x30, codec.str('half'), 8_000_000));
        });
      }, { grows: 24 * MiB, counted: null });  // announced: 770 MiB
    });

    test('row 2: lengths that are coded wrongly', async (w) => {
      const how = over(w.server, transport);
      await siege(w, async () => {
        for (const rest of ['ffffff7f', 'ffffffff7f', 'ffffffffffffffff', '8080808001']) {
          for (const first of ['ff', '10', '30']) {
            const packets = await closedBy(w, Buffer.from(first + rest, 'hex'), { over: how });
            assert.ok(packets.length <= 1 && packets.every(({ type, code }) =>
              type === 'connack' && code > 0x7f));
          }
          for (const v of [4, 5]) {
            if (rest === 'ffffff7f') continue;  // 256 MiB, coded rightly
            await refused(w, Buffer.from(`30${rest}`, 'hex'), [0x81, 0x95],
              { v, established: true, over: how });
          }
        }
      });
    });

    test('row 3: longer than what is there', async (w) => {
      const how = over(w.server, transport);
      await siege(w, async () => {
        const raws = await Promise.all([4, 5].map(async (v) =>
          (await w.socket(v, how)).connect({ v, id: unique() })));
        for (const raw of raws) raw.send(Buffer.from([0x30, 0x80, 0x20, 0, 3]), Buffer.from('abc'));
        const other = await (await w.socket(5, how)).connect({ id: unique() });
        await other.expectNothing();
        for (const raw of raws) {  // it was no message: the rest of it is still missing
          raw.socket.end();
          await raw.expectClose();
        }
      }, { counted: /disconnects_total/ });
    });

    test('row 4: packets that end too early', async (w) => {
      const how = over(w.server, transport);
      await siege(w, async () => {
        for (const v of [4, 5]) {
          for (const { name, bytes, ends } of samples(v)) {
            const established = name !== 'CONNECT';
            const body = bytes.subarray(2);
            const lengths = [...body.keys()].filter((cut) => !ends.includes(cut) && cut % 3 === 0);
            await inParallel(lengths, 10, (cut) => refused(
              w, codec.frame(bytes[0], body.subarray(0, cut)), [0x81, 0x82, 0x84],
              { v, established, over: how, silent: !established || v < 5, what: `${name} at ${cut}` }));
          }
        }
      });
    });

    test('row 5: bad properties', async (w) => {
      const how = over(w.server, transport);
      const bad = ['7e00', '26ffff61', '26000161', '26000100000161', '13003c', '230001230001',
        '260003eda0800000'].map((text) => Buffer.from(text, 'hex'));
      await siege(w, () => inParallel(bad, 4, async (props) => {
        const will = { topic: 'w', payload: '', props };
        for (const options of [{ props }, { will }]) {
          await refused(w, codec.connect({ id: unique(), ...options }), [0x81, 0x82], { over: how });
        }
        for (const bytes of [codec.publish({ topic: 't', qos: 1, props }),
          codec.subscribe({ filters: ['t'], props }), codec.disconnect({ props })]) {
          await refused(w, bytes, [0x81, 0x82, 0x94], { established: true, over: how });
        }
      }));
    });
  }, { shards: [2], listeners: true });
}

suite('row 3: frames and packets', (test) => {
  test.each([4, 5], 'a border at every byte', async (w, v) => {
    const wire = await openWebSocket(w.server.ports.http);
    wire.send(binary(codec.connect({ v, id: unique() })));
    assert.equal((await wire.packet(v)).code, 0);
    const bytes = Buffer.concat([codec.subscribe({ v, packetId: 1, filters: [w.topic()] }),
      codec.publish({ v, topic: w.topic(), payload: 'x'.repeat(150) }), codec.pingreq()]);
    for (let at = 0; at <= bytes.length; ++at) {
      wire.send(binary(bytes.subarray(0, at)), binary(bytes.subarray(at)));
      const got = [];
      while (got.length < 3) got.push((await wire.packet(v)).type);
      assert.deepEqual(got.sort(), ['pingresp', 'publish', 'suback'], `at ${at}`);
    }
    wire.socket.destroy();
  });

  test('frames that announce 256 MiB are not set aside', async (w) => {
    await siege(w, async () => {
      const wires = await Promise.all(Array.from({ length: 200 }, () =>
        openWebSocket(w.server.ports.http)));
      for (const wire of wires) {
        wire.send(binary(codec.connect({ id: unique() }).subarray(0, 5), { length: most }));
      }
      const raw = await w.raw(5);
      await raw.expectNothing();
      for (const wire of wires) wire.socket.destroy();
    }, { grows: 12 * MiB, counted: null });
  });

  test('a close in the middle of a packet, and of a frame', async (w) => {
    // A close frame is a goodbye, which takes the will back, whatever was begun before it.
    for (const [says, ...rest] of [
      [true, binary(codec.publish({ topic: w.topic(), payload: 'x' }).subarray(0, -1)),
        frame(opcode.close, codec.u16(1000))],
      [false, binary(Buffer.alloc(3), { fin: false }), frame(opcode.close)],  // that is no packet
      [false, binary(codec.pingreq()).subarray(0, 3)]]) {
      const before = await w.server.metrics();
      const watcher = await w.raw(5);
      await watcher.subscribe(w.topic());
      const wire = await openWebSocket(w.server.ports.http);
      wire.send(binary(codec.connect({ id: unique(), will: { topic: w.topic(), payload: 'gone' } })));
      assert.equal((await wire.packet()).code, 0);
      wire.send(...rest);
      wire.socket.end();
      if (!says) {
        assert.equal((await watcher.message()).text, 'gone');
        continue;
      }
      const ended = 'gnomon_disconnects_total{reason="client"}';
      await w.server.untilMetrics((m) => m[ended] > before[ended], 'it has said goodbye');
      await watcher.expectNothing();
    }
  });
}, { shards: [2], listeners: true });
