// Hostile input row 1: a length that nobody has vouched for must not become an allocation.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { closedBy, inParallel, MiB, refused, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

const most = 268_435_455;

suite('row 1: allocation from unauthenticated length', (test) => {
  test('a first packet that is not CONNECT and claims 256 MiB', async (w) => {
    await siege(w, async () => {
      const firsts = Array.from({ length: 16 }, (_, n) => n).filter((n) => n !== codec.type.connect);
      await inParallel(Array.from({ length: 150 }, (_, i) => firsts[i % 15]), 20, async (kind) => {
        const first = (kind << 4) | ([6, 8, 10].includes(kind) ? 2 : 0);
        const packets = await closedBy(w, codec.frame(first, Buffer.alloc(0), most));
        assert.ok(packets.length <= 1);
      });
    });
  });

  test('CONNECT that claims 256 MiB', async (w) => {
    await siege(w, () => inParallel(Array(100).fill(0), 20, async () => {
      const packets = await closedBy(w, codec.frame(0x10, Buffer.from('\0\x04MQTT\x05'), most));
      for (const packet of packets) assert.equal(packet.type, 'connack');
    }));
  });

  test('lengths inside CONNECT that go past its end', async (w) => {
    const head = (flags, properties) => Buffer.concat([codec.str('MQTT'), codec.u8(5),
      codec.u8(flags), codec.u16(60), properties]);
    const none = codec.varint(0);
    const long = codec.u16(65535);
    const cases = {
      'protocol name': long,
      properties: head(2, codec.varint(most)),
      'properties by one': head(2, codec.varint(3)),
      'client id': Buffer.concat([head(2, none), long, Buffer.from('x')]),
      'will properties': Buffer.concat([head(6, none), codec.str('x'), codec.varint(most)]),
      'will topic': Buffer.concat([head(6, none), codec.str('x'), none, long]),
      'will payload': Buffer.concat([head(6, none), codec.str('x'), none, codec.str('t'), long]),
      username: Buffer.concat([head(0x82, none), codec.str('x'), long]),
      password: Buffer.concat([head(0x42, none), codec.str('x'), long]),
      'a property': Buffer.concat([head(2, codec.properties(
        Buffer.concat([codec.u8(0x26), long]))), codec.str('x')]),
    };
    await siege(w, async () => {
      for (const [what, body] of Object.entries(cases)) {
        await inParallel(Array(10).fill(0), 10, () =>
          refused(w, codec.frame(0x10, body), [0x81, 0x82], { what, silent: true }));
      }
    });
  });

  test('CONNECTs that never come: what is announced is not set aside', async (w) => {
    await siege(w, async () => {
      const raws = await Promise.all(Array.from({ length: 500 }, () => w.socket(5)));
      for (const raw of raws) raw.send(codec.frame(0x10, Buffer.from('\0\x04MQ'), 128_000));
      const marker = await w.raw(5);
      await marker.expectNothing();
    }, { grows: 16 * MiB, counted: null });  // announced: 61 MiB
  });

  test('established clients: what is announced is not set aside', async (w) => {
    await siege(w, async () => {
      const raws = await Promise.all(Array.from({ length: 200 }, (_, i) => w.raw([4, 5][i & 1])));
      for (const raw of raws) raw.send(codec.frame(0x30, codec.str('half'), 8_000_000));
      const marker = await w.raw(5);
      await marker.expectNothing();
    }, { grows: 16 * MiB, counted: null });  // announced: 1.5 GiB
  });

  test('established clients: more than the server takes', async (w) => {
    await siege(w, async () => {
      for (const v of [3, 4, 5]) {
        for (const first of [0x30, 0x32, 0x82, 0xa2, 0x40, 0xe0]) {
          await refused(w, codec.frame(first, Buffer.alloc(0), most), [0x95, 0x81, 0x82],
            { v, established: true });
        }
      }
    });
  });

  test('lengths inside packets of an established client that go past their end', async (w) => {
    const long = codec.u16(65535);
    const id = codec.u16(1);
    const cases = [[0x30, long], [0x32, Buffer.concat([long, Buffer.from('xy')])],
      [0x82, Buffer.concat([id, codec.varint(0), long, Buffer.from('x\0')])],
      [0x82, Buffer.concat([id, codec.varint(most), codec.str('x'), codec.u8(0)])],
      [0xa2, Buffer.concat([id, codec.varint(0), long])],
      [0x30, Buffer.concat([codec.str('t'), codec.varint(most)])],
      [0x40, Buffer.concat([id, codec.u8(0), codec.varint(9)])],
      [0xe0, Buffer.concat([codec.u8(0), codec.varint(9)])]];
    await siege(w, async () => {
      for (const [first, body] of cases) {
        await refused(w, codec.frame(first, body), [0x81, 0x82], { established: true });
      }
    });
  });

  test('a large CONNECT in pieces, refused at its length', async (w) => {
    const id = unique();
    await siege(w, async () => {
      const bytes = codec.connect({ id, password: Buffer.alloc(60_000) });  // below every bound
      const raw = await w.socket(5);
      for (let at = 0; at < bytes.length; at += 7000) raw.send(bytes.subarray(at, at + 7000));
      await raw.expect('connack', { code: 0 });
    }, { counted: null });
  });
});
