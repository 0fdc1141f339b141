// What the protocol forbids to an established client.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('refusals', (test) => {
  test.each([4, 5], 'PUBREL, PUBREC and PUBCOMP of nothing', async (w, v) => {
    // No QoS 2 exchange is open: answered by the protocol's rules or refused.
    for (const kind of ['pubrel', 'pubrec', 'pubcomp']) {
      const raw = await w.raw(v);
      raw.send(codec.ack(kind, 7), codec.pingreq());
      const packet = await raw.next().catch(() => null);
      const answers = { pubrel: 'pubcomp', pubrec: 'pubrel' };
      if (packet === null) continue;
      assert.ok(['disconnect', 'pingresp', answers[kind]].includes(packet.type), packet.type);
      if (v === 5 && packet.type === answers[kind]) assert.equal(packet.code, 0x92);
    }
  });

  test.each([4, 5], 'a PUBACK of nothing: ignored or refused', async (w, v) => {
    const raw = await w.raw(v);
    raw.send(codec.ack('puback', 7), codec.pingreq());
    const packet = await raw.next().catch(() => null);
    assert.ok(packet === null || ['disconnect', 'pingresp'].includes(packet.type));
  });

  test('a session expiry in DISCONNECT that CONNECT did not have (5)', async (w) => {
    const raw = await w.raw(5);
    raw.send(codec.disconnect({ props: { sessionExpiry: 5 } }));
    await raw.expectRefusal(0x82);
  });

  test('DISCONNECT in all its forms is a good end (5)', async (w) => {
    const forms = [{}, { reason: 0 }, { reason: 0x80 },
      { reason: 0, props: { reasonString: 'bye', user: [['a', 'b'], ['a', 'b']] } },
      { reason: 0, props: { sessionExpiry: 0 } }];
    for (const form of forms) await (await w.raw(5)).goodbye(form);
  });

  test.each([3, 4, 5], 'nothing is answered behind DISCONNECT', async (w, v) => {
    const watcher = await w.raw(5);
    await watcher.subscribe(w.topic());
    const raw = await w.raw(v);
    raw.send(codec.disconnect({ v }), codec.publish({ v, topic: w.topic(), payload: 'late' }),
      codec.pingreq());
    await raw.expectClose();
    await watcher.expectNothing();
  });
});
