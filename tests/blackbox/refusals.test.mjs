// What the server does not offer is refused with its reason: QoS 2, retained messages; and what the
// protocol forbids to an established client.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('refusals', (test) => {
  test.each([3, 4, 5], 'a PUBLISH of QoS 2', async (w, v) => {
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: w.topic(), qos: 1 });
    const before = await w.server.metrics();
    const raw = await w.raw(v);
    raw.publish(w.topic(), 'x', { qos: 2 });
    await raw.expectRefusal(0x9b);
    await watcher.expectNothing();
    assert.ok((await w.server.grown(before, /refused/)).length > 0, 'a metric counts it');
  });

  test.each([3, 4, 5], 'a PUBLISH to be retained', async (w, v) => {
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: w.topic(), qos: 1 });
    const before = await w.server.metrics();
    for (const [payload, qos] of [['x', 0], ['x', 1], ['', 0], ['', 1]]) {
      const raw = await w.raw(v);
      raw.publish(w.topic(), payload, { qos, retain: true });
      await raw.expectRefusal(0x9a);
    }
    await watcher.expectNothing();
    assert.ok((await w.server.grown(before, /refused/)).length > 0, 'a metric counts it');
  });

  test('QoS 2 and retained wills (5)', async (w) => {
    const cases = [[{ qos: 2 }, 0x9b], [{ retain: true }, 0x9a]];
    for (const [options, code] of cases) {
      const raw = await w.socket(5);
      raw.send(codec.connect({ id: unique(), will: { topic: 'w', payload: 'x', ...options } }));
      await raw.expect('connack', { code });
      await raw.expectClose();
    }
  });

  test.each([3, 4], 'QoS 2 and retained wills', async (w, v) => {
    for (const options of [{ qos: 2 }, { retain: true }]) {
      const raw = await w.socket(v);
      const will = { topic: 'w', payload: 'x', ...options };
      raw.send(codec.connect({ v, id: unique(), will }));
      for (const packet of await raw.close()) assert.ok(packet.type === 'connack' && packet.code > 0);
    }
  });

  test('MQTT.js sees the reason', async (w) => {
    const client = await w.client(5);
    const told = new Promise((resolve) => { client.once('disconnect', resolve); });
    client.publish(w.topic(), 'x', { qos: 2 }, () => {});
    // MQTT.js knows Maximum QoS from CONNACK and may refuse by itself.
    const error = new Promise((resolve) => { client.once('error', resolve); });
    const reason = await Promise.race([told, error]);
    assert.ok(reason.reasonCode === 0x9b || reason instanceof Error);
  });

  test.each([4, 5], 'PUBREL, PUBREC and PUBCOMP of nothing', async (w, v) => {
    // They belong to QoS 2, which no connection has: answered by the protocol's rules or refused.
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
