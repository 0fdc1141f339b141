// Hostile input row 2: lengths that are coded wrongly.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { closedBy, refused, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('row 2: remaining length', (test) => {
  test('a fifth byte, as the first packet', async (w) => {
    await siege(w, async () => {
      for (const first of [0xff, 0x10, 0x00, 0x30]) {
        for (const rest of ['ffffff7f', 'ffffffff7f', 'ffffffffffffffff', '8080808001', '8080808080']) {
          const packets = await closedBy(w, Buffer.from(`${first.toString(16).padStart(2, 0)}${rest}`, 'hex'));
          assert.ok(packets.length <= 1 && packets.every((p) => p.type === 'connack' && p.code > 0x7f));
        }
      }
    });
  });

  test.each([3, 4, 5], 'a fifth byte, later', async (w, v) => {
    await siege(w, async () => {
      for (const first of [0x30, 0xc0, 0x82, 0x40, 0xe0]) {
        for (const length of ['ffffffff7f', '8080808001', 'ffffffffff']) {
          const bytes = Buffer.concat([codec.u8(first), Buffer.from(length, 'hex')]);
          await refused(w, bytes, [0x81, 0x82, 0x95], { v, established: true });
        }
      }
    });
  });

  test('the fifth byte comes alone', async (w) => {
    const raw = await w.raw(5);
    raw.send(Buffer.from('30ffffff', 'hex'));
    raw.send(Buffer.from('ff', 'hex'));
    await raw.expectRefusal([0x81, 0x95]);
  });

  test('longer than needed (5: malformed)', async (w) => {
    const ping = (width) => Buffer.concat([codec.u8(0xc0), codec.varint(0, width)]);
    const message = (width) => {
      const body = Buffer.concat([codec.str('t'), codec.varint(0)]);
      return Buffer.concat([codec.u8(0x30), codec.varint(body.length, width), body]);
    };
    for (const width of [2, 3, 4]) {
      for (const bytes of [ping(width), message(width)]) {
        await refused(w, bytes, [0x81], { established: true });
        // 3.1.1 does not say: taken or refused, and no loop.
        const raw = await w.raw(4);
        raw.send(bytes, codec.pingreq());
        await raw.next().catch(() => {});
      }
    }
    const body = codec.connect({ id: unique() }).subarray(2);
    const packets = await closedBy(w, Buffer.concat([codec.u8(0x10), codec.varint(body.length, 4), body]));
    for (const packet of packets) assert.deepEqual([packet.type, packet.code], ['connack', 0x81]);
  });

  test('inside: property lengths and subscription identifiers', async (w) => {
    const five = Buffer.from('ffffffff7f', 'hex');
    const id = codec.u16(1);
    const entry = Buffer.concat([codec.str('t'), codec.u8(0)]);
    const identifier = (bytes) => codec.properties(Buffer.concat([codec.u8(0x0b), bytes]));
    const cases = {
      'PUBLISH, five bytes': codec.frame(0x30, Buffer.concat([codec.str('t'), five])),
      'PUBLISH, longer than needed': codec.frame(0x30, Buffer.concat([codec.str('t'), codec.varint(0, 2)])),
      'SUBSCRIBE, five bytes': codec.frame(0x82, Buffer.concat([id, five, entry])),
      'identifier, five bytes': codec.frame(0x82, Buffer.concat([id, identifier(five), entry])),
      'identifier, longer than needed':
        codec.frame(0x82, Buffer.concat([id, identifier(codec.varint(5, 3)), entry])),
      'identifier, cut': codec.frame(0x82, Buffer.concat([id, identifier(Buffer.from([0x80])), entry])),
    };
    await siege(w, async () => {
      for (const [what, bytes] of Object.entries(cases)) {
        await refused(w, bytes, [0x81], { established: true, what });
      }
    });
  });
});
