// Hostile input rows 9 and 10: packets that only a server sends, reserved bits, packet ids used
// again and again.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { MiB, refused, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

const none = codec.varint(0);
const serverOnly = {
  CONNACK: codec.frame(0x20, Buffer.from([0, 0, 0])), 'CONNACK (3.1.1)': codec.frame(0x20, Buffer.from([0, 0])),
  SUBACK: codec.frame(0x90, Buffer.concat([codec.u16(1), none, codec.u8(0)])),
  'SUBACK (3.1.1)': codec.frame(0x90, Buffer.concat([codec.u16(1), codec.u8(0)])),
  UNSUBACK: codec.frame(0xb0, Buffer.concat([codec.u16(1), none, codec.u8(0)])),
  'UNSUBACK (3.1.1)': codec.frame(0xb0, codec.u16(1)), PINGRESP: codec.frame(0xd0),
  'type 0': codec.frame(0x00), 'type 0 with a body': codec.frame(0x00, Buffer.alloc(10)),
};

suite('row 9: unexpected packets', (test) => {
  test.each([3, 4, 5], 'what only a server sends', async (w, v) => {
    await siege(w, async () => {
      const since = performance.now();
      for (const [what, bytes] of Object.entries(serverOnly)) {
        await refused(w, bytes, [0x81, 0x82], { v, established: true, what });
        await refused(w, bytes, [0x81, 0x82], { v, silent: true, what });
      }
      assert.ok(performance.now() - since < 4000, 'closed at once');
    });
  });

  test.each([3, 4, 5], 'a second CONNECT, and of another version', async (w, v) => {
    await siege(w, async () => {
      for (const other of [3, 4, 5]) {
        const bytes = codec.connect({ v: other, id: unique() });
        await refused(w, bytes, [0x82, 0x81], { v, established: true });
        const raw = await w.socket(v);  // the second right behind the first
        raw.send(codec.connect({ v, id: unique() }), bytes);
        await raw.expect('connack', { code: 0 });
        await raw.expectRefusal([0x82, 0x81]);
      }
    });
  });

  test('AUTH, with and without a method', async (w) => {
    await siege(w, async () => {
      const auths = [codec.auth(), codec.frame(0xf0), codec.auth({ props: { authMethod: 'x' } }),
        codec.auth({ reason: 0x19, props: { authMethod: 'x', authData: Buffer.from('y') } }),
        codec.auth({ reason: 0x77 })];
      for (const bytes of auths) {
        await refused(w, bytes, [0x82, 0x81], { established: true });
        await refused(w, bytes, [0x82, 0x81], { silent: true });
        for (const v of [3, 4]) await refused(w, bytes, [], { v, established: true });
      }
    });
  });

  test.each([3, 4, 5], 'any packet before CONNECT', async (w, v) => {
    const packets = [codec.publish({ v, topic: 't' }), codec.subscribe({ v, filters: ['t'] }),
      codec.unsubscribe({ v, filters: ['t'] }), codec.pingreq(), codec.disconnect({ v }),
      codec.ack('puback', 1), Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from('160301020001000001fc0303', 'hex')];
    await siege(w, async () => {
      for (const bytes of packets) await refused(w, bytes, [0x81, 0x82], { v, silent: true });
    });
  });

  test.each([4, 5], 'reserved flags of the fixed header', async (w, v) => {
    const bad = [
      [0x31, codec.connect({ v, id: unique() }), false],  // CONNECT, see below
    ];
    const good = { 0x40: codec.ack('puback', 1), 0x82: codec.subscribe({ v, filters: ['t'] }),
      0xa2: codec.unsubscribe({ v, filters: ['t'] }), 0xc0: codec.pingreq(),
      0xe0: codec.disconnect({ v }) };
    for (const [first, bytes] of Object.entries(good)) {
      for (const flags of [0, 1, 2, 4, 8, 15]) {
        const wrong = (Number(first) & 0xf0) | flags;
        if (wrong !== Number(first)) bad.push([wrong, bytes, true]);
      }
    }
    bad.shift();
    await siege(w, async () => {
      for (const [first, bytes] of bad) {
        const packet = Buffer.concat([codec.u8(first), bytes.subarray(1)]);
        await refused(w, packet, [0x81, 0x82], { v, established: true });
      }
      for (const first of [0x11, 0x1f]) {
        const packet = Buffer.concat([codec.u8(first), codec.connect({ v, id: 'x' }).subarray(1)]);
        await refused(w, packet, [0x81, 0x82], { v, silent: true });
      }
    });
  });

  test.each([4, 5], 'QoS 3, DUP with QoS 0, reserved subscription options', async (w, v) => {
    await siege(w, async () => {
      const whole = codec.publish({ v, topic: 't', qos: 1 });
      for (const first of [0x36, 0x37, 0x3e, 0x38]) {
        const bytes = first === 0x38 ? codec.publish({ v, topic: 't', dup: true })
          : Buffer.concat([codec.u8(first), whole.subarray(1)]);
        await refused(w, bytes, [0x81, 0x82, 0x9b], { v, established: true });
      }
      const options = v === 5 ? [3, 0x40, 0x80, 0x30, 0xff] : [3, 4, 8, 0x10, 0x80];
      for (const one of options) {
        const bytes = codec.subscribe({ v, filters: [{ filter: 't', options: one }] });
        await refused(w, bytes, [0x81, 0x82], { v, established: true, what: `options ${one}` });
      }
    });
  });

  test('DUP with QoS 1 is taken', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    await raw.published(w.topic(), 'x', { dup: true });
    assert.equal((await raw.message()).dup, false);
  });
});

suite('row 10: packet ids', (test) => {
  test.each([4, 5], '66,000 PUBLISHes of QoS 2 and no PUBREL', async (w, v) => {
    await siege(w, async () => {
      const raw = await w.raw(v);
      const bytes = Buffer.concat(Array.from({ length: 1000 }, (_, n) =>
        codec.publish({ v, topic: 't', qos: 2, packetId: n + 1, payload: 'x'.repeat(100) })));
      for (let n = 0; n < 66; ++n) raw.send(bytes);
      // Each is answered, until more are open than the receive maximum of 5, or ids of 3.1.1, allow.
      const packets = await raw.close();
      const answers = packets.filter((packet) => packet.code !== 0x93);
      assert.ok(answers.every((packet) => packet.type === 'pubrec'));
      assert.ok(answers.length <= (v === 5 ? 1024 : 65_535));
    });
  });

  test('65,535 acknowledgements of nothing', async (w) => {
    for (const v of [4, 5]) {
      for (const kind of ['puback', 'pubrec', 'pubrel', 'pubcomp']) {
        await siege(w, async () => {
          const raw = await w.raw(v);
          const bytes = Buffer.concat(Array.from({ length: 65535 }, (_, n) => codec.ack(kind, n + 1)));
          raw.send(bytes, codec.disconnect({ v }));
          await raw.close();
        }, { counted: null });
      }
    }
  });

  test('the same id over and over', async (w) => {
    await siege(w, async () => {
      const raw = await w.raw(5);
      const count = 20_000;
      const one = codec.publish({ topic: w.topic(), qos: 1, packetId: 7 });
      const acked = (async () => {
        for (let n = 0; n < count; ++n) {
          const packet = await raw.next();
          if (packet.type === 'disconnect') return assert.ok([0x91, 0x93].includes(packet.code));
          assert.deepEqual([packet.type, packet.packetId], ['puback', 7]);
        }
      })();
      for (let n = 0; n < count / 100; ++n) raw.send(Buffer.concat(Array(100).fill(one)));
      await acked;
    }, { counted: null });
  });

  test('SUBSCRIBE and UNSUBSCRIBE with ids that are in use', async (w) => {
    await siege(w, async () => {
      const raw = await w.raw(5);
      for (let n = 0; n < 300; ++n) {
        raw.send(codec.subscribe({ packetId: 7, filters: [w.topic(`${n}`)] }),
          codec.publish({ topic: w.topic('none'), qos: 1, packetId: 7 }),
          codec.unsubscribe({ packetId: 7, filters: [w.topic(`${n}`)] }));
      }
      for (let n = 0; n < 300; ++n) {
        await raw.answer('suback', { packetId: 7 });
        await raw.answer('puback', { packetId: 7 });
        await raw.answer('unsuback', { packetId: 7 });
      }
    }, { counted: null });
  });

  test('a subscriber that never acknowledges is disconnected once too much waits', async (w) => {
    await siege(w, async () => {
      const raw = await w.raw(5, { props: { receiveMaximum: 10 } });
      await raw.subscribe({ filter: w.topic(), qos: 1 });
      const publisher = await w.raw(4);
      const payload = 'x'.repeat(10_000);
      for (let n = 0; n < 40; ++n) {  // 40 MB
        publisher.send(...Array.from({ length: 100 }, (_, k) => codec.publish(
          { v: 4, topic: w.topic(), payload, qos: 1, packetId: n * 100 + k + 1 })));
        for (let k = 0; k < 100; ++k) await publisher.answer('puback');
      }
      const sent = await raw.close();
      assert.equal(sent.filter((packet) => packet.type === 'publish').length, 10);
      assert.equal(sent.at(-1).type, 'disconnect');
      assert.equal(sent.at(-1).code, 0x97);
    }, { grows: 40 * MiB, counted: /slow/ });
  });
});
