// Hostile input row 11, as far as there are identities: what waits for a client goes to nobody who may
// not have it. And the bounds of what waits: refused, counted, nobody else disturbed.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { MiB, siege } from '../harness/hostile.mjs';
import { back, durable, expectOnlyMarker, leave, numbered, staying, texts }
  from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('row 11: access that is taken back', (test) => {
  test.each([4, 5], 'a queue, retained messages and wills are not for who is not let in', async (w, v) => {
    const id = await leave(w, v, { filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'waits');
    await publisher.published(w.topic('r'), 'retained', { retain: true });
    await w.server.restart('SIGTERM', { env: { GNOMON_LOCAL: 'false' } });
    for (const options of [{ id, ...staying(v) }, { id, clean: true },
      { id: unique('other'), clean: false, will: { topic: w.topic(), payload: 'will', qos: 1 } }]) {
      const raw = await w.socket(v);
      // All at once: nothing behind the CONNECT may be taken before it is decided.
      raw.send(codec.connect({ v, ...options }),
        codec.subscribe({ v, filters: [w.topic('#')] }),
        codec.publish({ v, topic: w.topic(), payload: 'forged', qos: 1 }),
        codec.unsubscribe({ v, filters: [w.topic()] }));
      const packets = await raw.close();
      assert.deepEqual(packets.map(({ type, code }) => [type, code]),
        [['connack', v === 5 ? 0x87 : 5]]);
    }
    await w.server.restart();
    const raw = await back(w, v, id);
    assert.equal((await raw.message()).text, 'waits');
    await expectOnlyMarker(w, raw, w.topic());
    const reader = await w.raw(5);
    await reader.subscribe({ filter: w.topic('#'), qos: 1 });
    assert.deepEqual(texts(await reader.messages(1)), ['retained']);
    await reader.expectNothing();
  });

  test.each([4, 5], 'unsubscribed, taken over, ended: what comes later does not come', async (w, v) => {
    const id = await leave(w, v, [{ filter: w.topic('a'), qos: 2 }, { filter: w.topic('b'), qos: 2 }]);
    const publisher = await w.raw(5);
    const first = await back(w, v, id);
    const second = await back(w, v, id);  // takes it over
    await second.unsubscribe(w.topic('a'));
    await publisher.published(w.topic('a'), 'no', { qos: 2 });
    await publisher.published(w.topic('b'), 'yes', { qos: 2 });
    assert.equal((await second.message()).text, 'yes');
    const rest = (await first.close()).filter((packet) => packet.type === 'publish');
    assert.deepEqual(rest, []);
    (await w.raw(v, { id })).destroy();
    await publisher.published(w.topic('b'), 'no', { qos: 2 });
    const third = await back(w, v, id, { present: false });
    await third.expectNothing();
  });
}, durable);

const most = 50;
const bounded = { ...durable, env: { GNOMON_SESSION_MESSAGES_MAX: String(most),
  GNOMON_SESSION_BYTES_MAX: String(100_000) } };
const counted = /queue_refused/;

suite('the bounds of a queue', (test) => {
  // Fills the queue of a session that is away with messages of `bytes`; returns how many it took.
  const fill = async (w, topic, qos, bytes) => {
    const publisher = await w.raw(5);
    for (let n = 0; n <= most; ++n) {
      const { code } = await publisher.published(topic, `${n}`.padEnd(bytes, '.'), { qos });
      if (code === 0x97) return n;
      assert.ok(code < 0x80, `0x${code.toString(16)}`);
    }
    return assert.fail('it has no bound');
  };

  for (const qos of [1, 2]) {
    test(`messages, QoS ${qos}: 0x97, before MQTT 5 a close without a word`, (w) => siege(w, async () => {
      const id = await leave(w, 5, { filter: w.topic(), qos });
      assert.equal(await fill(w, w.topic(), qos, 5), most);
      for (const v of [3, 4]) {
        const raw = await w.raw(v);
        raw.publish(w.topic(), 'too much', { qos });
        await raw.expectClose();
      }
      const raw = await back(w, 5, id);
      const got = await raw.messages(most);
      assert.deepEqual(got.map(({ text }) => Number.parseInt(text, 10)), [...Array(most).keys()]);
      await raw.fence();
      const publisher = await w.raw(5);
      assert.equal((await publisher.published(w.topic(), 'room again', { qos })).code, 0);
      assert.equal((await raw.message()).text, 'room again');
      await raw.expectNothing();
    }, { counted }));
  }

  test('bytes', (w) => siege(w, async () => {
    const id = await leave(w, 4, { filter: w.topic(), qos: 1 });
    const count = await fill(w, w.topic(), 1, 10_000);
    assert.ok(count >= 8 && count <= 10, `${count} of 10 KB in 100 KB`);
    assert.equal((await (await w.raw(5)).published(w.topic(), 'a small one')).code, 0);
    const got = await (await back(w, 4, id)).messages(count + 1);
    assert.deepEqual(got.map(({ text }) => text.replace(/\.+$/, '')),
      [...numbered(count), 'a small one']);
  }, { counted }));

  test('the bounds hold over a restart, and for who is there and does not acknowledge', async (w) => {
    const id = await leave(w, 5, { filter: w.topic(), qos: 1 });
    assert.equal(await fill(w, w.topic(), 1, 5), most);
    await w.server.restart('SIGKILL');
    await siege(w, async () => {
      const publisher = await w.raw(5);
      assert.equal((await publisher.published(w.topic(), 'no')).code, 0x97);
      const raw = await back(w, 5, id);
      const got = await raw.messages(most, { ack: false });
      assert.equal((await publisher.published(w.topic(), 'no')).code, 0x97);
      raw.send(codec.ack('puback', got[0].packetId));
      await raw.fence();
      assert.equal((await publisher.published(w.topic(), 'yes')).code, 0);
      assert.equal((await publisher.published(w.topic(), 'no')).code, 0x97);
      assert.equal((await raw.message({ ack: false })).text, 'yes');
    }, { counted });
  });

  test('what was promised is taken past them: QoS 2 of a session, wills', async (w) => {
    const id = await leave(w, 5, { filter: w.topic(), qos: 2 });
    assert.equal(await fill(w, w.topic(), 2, 5), most);
    const sender = await back(w, 5, unique('sender'), { present: false });
    assert.equal((await sender.published(w.topic(), 'promised', { qos: 2 })).code, 0);
    (await w.raw(5, { will: { topic: w.topic(), payload: 'will', qos: 1 } })).destroy();
    await w.server.untilMetrics((m) => m.gnomon_queued_messages >= most + 2, 'the will');
    const got = await (await back(w, 5, id)).messages(most + 2);
    assert.deepEqual(texts(got.slice(-2)), ['promised', 'will']);
  });

  test('one full queue: who has room gets the message, and the publisher hears of it', async (w) => {
    await leave(w, 5, { filter: w.topic(), qos: 1 });
    assert.equal(await fill(w, w.topic(), 1, 5), most);
    const there = await w.raw(4);
    await there.subscribe({ filter: w.topic(), qos: 1 });
    assert.equal((await (await w.raw(5)).published(w.topic(), 'to one')).code, 0x97);
    assert.equal((await there.message()).text, 'to one');
  });
}, bounded);

suite('the end of what is large', (test) => {
  test('a session with 30,000 messages, and one with 20,000 subscriptions', (w) =>
    siege(w, async () => {
      const queued = await leave(w, 5, { filter: w.topic('q'), qos: 1 });
      const publisher = await w.raw(4);
      for (let n = 0; n < 30_000; n += 1000) {
        publisher.send(...Array.from({ length: 1000 }, (_, k) => codec.publish(
          { v: 4, topic: w.topic('q'), payload: `${n + k}`, qos: 1, packetId: k + 1 })));
        for (let k = 0; k < 1000; ++k) await publisher.answer('puback');
      }
      const many = await w.raw(5, { id: unique('many'), ...staying(5) });
      for (let n = 0; n < 20_000; n += 1000) {
        await many.subscribe(Array.from({ length: 1000 }, (_, k) =>
          ({ filter: w.topic(`${n + k}/+`), qos: 1 })));
      }
      await many.goodbye({ props: { sessionExpiry: 0 } });
      const raw = await w.raw(5, { id: queued });
      assert.equal(raw.connack.sessionPresent, false);
      await w.server.untilMetrics((m) => m.gnomon_sessions === 0 && m.gnomon_queued_messages === 0,
        'both to be gone');
      // Its shard and the others have forgotten it too.
      const { code } = await (await w.raw(5)).published(w.topic('7/x'), 'to nobody');
      assert.ok(code === 0 || code === 0x10);
      // The heap of each shard keeps what its largest session took; over ten such rounds the whole
      // stops growing at 220 MiB with four shards, of which a first round may take a third.
    }, { grows: 96 * MiB, counted: null, slowest: 1000 }));
}, { ...durable, timeout: 120_000 });
