// Hostile input row 4: packets that end too early, at every byte.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { inParallel, refused, samples, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('row 4: truncated packets', (test) => {
  test.each([3, 4, 5], 'cut at every byte, with a length that fits the cut', async (w, v) => {
    await siege(w, async () => {
      for (const { name, bytes, ends } of samples(v)) {
        const established = name !== 'CONNECT';
        const body = bytes.subarray(2);
        assert.equal(bytes[1], body.length);
        const cuts = [...body.keys()].filter((cut) => !ends.includes(cut));
        await inParallel(cuts, 10, (cut) => refused(
          w, codec.frame(bytes[0], body.subarray(0, cut)), [0x81, 0x82, 0x84],
          { v, established, silent: !established || v < 5, what: `${name} cut at ${cut}` }));
        for (const end of ends) {  // what may be left out may be
          const raw = established ? await w.raw(v) : await w.socket(v);
          raw.send(codec.frame(bytes[0], body.subarray(0, end)));
          if (name === 'CONNECT') await raw.expect('connack', { code: 0 });
          if (name === 'DISCONNECT') await raw.expectClose();
          else await raw.expectNothing();
        }
      }
    });
  });

  test.each([3, 4, 5], 'cut at every byte, and the connection ends there', async (w, v) => {
    await siege(w, async () => {
      for (const { name, bytes } of samples(v)) {
        await inParallel([...bytes.keys()], 10, async (cut) => {
          const raw = name === 'CONNECT' ? await w.socket(v) : await w.raw(v);
          raw.send(bytes.subarray(0, cut));
          raw.socket.end();
          await raw.expectClose();
        });
      }
    }, { counted: null });
  });

  test.each([3, 4, 5], 'a whole one, byte by byte, is whole', async (w, v) => {
    for (const { name, bytes } of samples(v)) {
      const raw = await w.socket(v);
      const connect = codec.connect({ v, id: unique() });
      for (const byte of Buffer.concat(name === 'CONNECT' ? [bytes] : [connect, bytes])) {
        await new Promise((resolve) => { raw.socket.write(Buffer.from([byte]), resolve); });
      }
      await raw.expect('connack', { code: 0 });
      if (name === 'DISCONNECT') await raw.expectClose();
      else await raw.fence();
    }
  });

  test.each([3, 4, 5], 'one byte too many', async (w, v) => {
    await siege(w, async () => {
      for (const { name, bytes } of samples(v)) {
        if (name.startsWith('PUBLISH')) continue;  // it is payload
        const established = name !== 'CONNECT';
        await refused(w, codec.frame(bytes[0], Buffer.concat([bytes.subarray(2), Buffer.from([0])])),
          [0x81, 0x82], { v, established, silent: !established || v < 5, what: name });
      }
      for (const first of [0xc0, ...(v < 5 ? [0xe0] : [])]) {
        await refused(w, codec.frame(first, Buffer.from([0])), [0x81], { v, established: true });
      }
    });
  });

  test.each([3, 4, 5], 'a remaining length of exactly 1024', async (w, v) => {
    const none = v === 5 ? codec.varint(0) : Buffer.alloc(0);
    const filter = (length) => codec.str('f'.repeat(length));
    const cases = {
      'PUBLISH QoS 1 without packet id': codec.frame(0x32, codec.str('t'.repeat(1022))),
      'PUBLISH QoS 1 with half of it':
        codec.frame(0x32, Buffer.concat([codec.str('t'.repeat(1021)), codec.u8(1)])),
      'SUBSCRIBE without options':
        codec.frame(0x82, Buffer.concat([codec.u16(1), none, filter(1020 - none.length)])),
      'UNSUBSCRIBE with half a length': codec.frame(0xa2, Buffer.concat(
        [codec.u16(1), none, filter(1019 - none.length), codec.u8(0)])),
    };
    for (const [what, bytes] of Object.entries(cases)) {
      assert.equal(bytes.length, 1027);
      await refused(w, bytes, [0x81, 0x82], { v, established: true, what });
    }
  });

  test.each([3, 4, 5], 'nothing in them', async (w, v) => {
    const none = v === 5 ? codec.varint(0) : Buffer.alloc(0);
    const id = codec.u16(1);
    for (const first of [0x30, 0x32, 0x40, 0x82, 0xa2]) {
      await refused(w, codec.frame(first), [0x81, 0x82], { v, established: true });
    }
    // Without a filter: a protocol error (MQTT 5 §3.8.3, §3.10.3).
    for (const first of [0x82, 0xa2]) {
      await refused(w, codec.frame(first, Buffer.concat([id, none])), [0x81, 0x82],
        { v, established: true });
    }
    const zero = codec.u16(0);
    const cases = [codec.publish({ v, topic: 't', qos: 1, packetId: 0 }),
      codec.subscribe({ v, packetId: 0, filters: ['t'] }),
      codec.unsubscribe({ v, packetId: 0, filters: ['t'] })];
    for (const bytes of cases) {
      await refused(w, bytes, [0x81, 0x82], { v, established: true, what: `id ${zero}` });
    }
  });
});
