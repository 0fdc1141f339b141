// PUBLISH and SUBSCRIBE: who gets what, at which QoS, in which order, how often.

import assert from 'node:assert/strict';
import { suite, unique } from '../harness/suite.mjs';
import * as codec from '../harness/codec.mjs';

const sorted = (list) => [...list].sort((a, b) => a - b);

suite('publish', (test) => {
  test.each([3, 4, 5], 'MQTT.js to MQTT.js, QoS 0 and 1', async (w, v) => {
    const subscriber = await w.client(v);
    const publisher = await w.client(v);
    await subscriber.subscribeAsync(w.topic('#'), { qos: 1 });
    await publisher.publishAsync(w.topic('a/ä'), 'zero', { qos: 0 });
    await publisher.publishAsync(w.topic('b'), 'one', { qos: 1 });
    const [zero, one] = await subscriber.inbox.take(2);
    assert.deepEqual([zero.topic, zero.text, zero.qos], [w.topic('a/ä'), 'zero', 0]);
    assert.deepEqual([one.topic, one.text, one.qos], [w.topic('b'), 'one', 1]);
    assert.deepEqual([zero.retain, one.retain], [false, false]);
    await subscriber.unsubscribeAsync(w.topic('#'));
    await publisher.publishAsync(w.topic('b'), 'late', { qos: 1 });
    assert.deepEqual(subscriber.inbox.messages, []);
  });

  test('between all versions, the lower QoS counts', async (w) => {
    const publishers = await Promise.all([3, 4, 5].map((v) => w.raw(v)));
    for (const v of [3, 4, 5]) {
      const subscriber = await w.raw(v);
      for (const granted of [0, 1]) {
        const topic = w.topic(`${v}/${granted}`);
        assert.deepEqual(await subscriber.subscribe({ filter: topic, qos: granted }), [granted]);
        for (const publisher of publishers) {
          for (const qos of [0, 1]) {
            const text = `${publisher.v} ${qos}`;
            if (qos === 1) await publisher.published(topic, text);
            else publisher.publish(topic, text);
            const message = await subscriber.message();
            assert.deepEqual([message.text, message.qos], [text, Math.min(qos, granted)]);
            assert.deepEqual([message.retain, message.dup], [false, false]);
          }
        }
      }
    }
  });

  test('payloads of all sizes and bytes', async (w) => {
    const subscriber = await w.raw(5);
    const publisher = await w.raw(4);
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    for (const size of [0, 1, 2, 100, 127, 128, 16_000, 16_383, 16_384, 70_000, 300_000]) {
      const payload = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7) & 255));
      for (const qos of [0, 1]) {
        publisher.publish(w.topic(), payload, { qos });
        const message = await subscriber.message();
        assert.ok(message.payload.equals(payload), `${size} bytes, QoS ${qos}`);
        if (qos === 1) await publisher.answer('puback');
      }
    }
  });

  test('topics of all lengths and characters', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe('#');
    const topics = ['/', '//', 'a//b', '/a/', ' ', 'ä/€/😀', 'a b\tc', '\u{10ffff}', '\ufeffbom',
      'x'.repeat(127), 'x'.repeat(128), 'y'.repeat(65000), `${'l/'.repeat(127)}x`];
    for (const rest of topics) {
      const topic = w.prefix.slice(0, 5) + rest;
      const publisher = await w.raw(4);
      await publisher.published(topic, 'x');
      assert.equal((await subscriber.message()).topic, topic);
    }
  });

  test('publishing to nobody is acknowledged', async (w) => {
    for (const v of [3, 4, 5]) {
      const publisher = await w.raw(v);
      const { code } = await publisher.published(w.topic(), 'x');
      assert.ok([0x00, 0x10].includes(code), `PUBACK 0x${code.toString(16)}`);
    }
  });

  test('hundreds of receivers, of all versions', async (w) => {
    const receivers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => w.raw([3, 4, 5][i % 3])));
    await Promise.all(receivers.map((raw, i) => raw.subscribe({ filter: w.topic(), qos: i & 1 })));
    const publisher = await w.raw(5);
    for (let n = 0; n < 5; ++n) await publisher.published(w.topic(), `${n}`);
    await Promise.all(receivers.map(async (raw, i) => {
      const messages = await raw.messages(5);
      assert.deepEqual(messages.map((m) => m.text), ['0', '1', '2', '3', '4']);
      assert.ok(messages.every((m) => m.qos === (i & 1)));
    }));
    for (const raw of receivers) await raw.expectNothing();
  });

  test('many publishers to one, each in its order, none missing', async (w) => {
    const count = 2000;
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic('+'), qos: 1 });
    const publishers = await Promise.all(Array.from({ length: 8 }, (_, i) => w.raw([4, 5][i & 1])));
    const sending = publishers.map(async (publisher, i) => {
      const qos = i < 4 ? 1 : 0;
      for (let n = 0; n < count; n += 100) {  // a hundred in one write
        publisher.send(...Array.from({ length: 100 }, (_, k) => codec.publish({
          v: publisher.v, topic: w.topic(`${i}`), payload: `${n + k}`, qos, packetId: n + k + 1 })));
        if (qos === 0) await publisher.fence();
        for (let k = 0; qos === 1 && k < 100; ++k) {
          await publisher.expect('puback', { packetId: n + k + 1 });
        }
      }
    });
    const expected = publishers.map(() => 0);
    for (let left = publishers.length * count; left > 0; --left) {
      const { topic, text } = await subscriber.message();
      const i = Number(topic.split('/').at(-1));
      assert.equal(Number(text), expected[i]++, `publisher ${i}`);
    }
    await Promise.all(sending);
    await subscriber.expectNothing();
  });

  test('one publisher to many topics and receivers, in its order', async (w) => {
    const receivers = await Promise.all(Array.from({ length: 6 }, (_, i) => w.raw([5, 4][i & 1])));
    await Promise.all(receivers.map((raw, i) => raw.subscribe(
      { filter: i % 3 === 0 ? w.topic('#') : w.topic(`${i % 3}`), qos: 1 })));
    const publisher = await w.raw(5);
    const all = Array.from({ length: 3000 }, (_, n) => [`${n % 3}`, n, n % 2]);
    publisher.send(...all.map(([topic, n, qos]) => codec.publish(
      { topic: w.topic(topic), payload: `${n}`, qos, packetId: n + 1 })));
    await Promise.all(receivers.map(async (raw, i) => {
      const mine = all.filter(([topic]) => i % 3 === 0 || topic === `${i % 3}`);
      const got = (await raw.messages(mine.length)).map((message) => Number(message.text));
      // MQTT orders messages of one QoS and topic; here, all of one publisher keep their order.
      assert.deepEqual(got, mine.map(([, n]) => n));
    }));
    await publisher.fence();
  });

  test('a publisher that goes at once: what it sent before arrives', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    for (let round = 0; round < 20; ++round) {
      const v = [3, 4, 5][round % 3];
      const raw = await w.socket(v);
      const texts = Array.from({ length: 10 }, (_, i) => `${round} ${i}`);
      raw.send(codec.connect({ v, id: unique() }), ...texts.map((payload, i) => codec.publish(
        { v, topic: w.topic(), payload, qos: round & 1, packetId: i + 1 })), codec.disconnect({ v }));
      assert.deepEqual((await subscriber.messages(10)).map((m) => m.text), texts);
    }
  });

  test('own messages come back', async (w) => {
    for (const v of [3, 4, 5]) {
      const raw = await w.raw(v);
      await raw.subscribe({ filter: w.topic(), qos: 1 });
      await raw.published(w.topic(), 'mine');
      assert.equal((await raw.message()).text, 'mine');
    }
  });

  test('packet ids of deliveries: never one that is in flight', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    for (let n = 0; n < 500; ++n) publisher.publish(w.topic(), `${n}`, { qos: 1 });
    const first = await subscriber.messages(500, { ack: false });
    const ids = new Set(first.map((message) => message.packetId));
    assert.equal(ids.size, 500);
    assert.ok(!ids.has(0));
    // Half of them are acknowledged, in no order.
    for (const { packetId } of first.filter((_, i) => i % 2).reverse()) {
      subscriber.send(codec.ack('puback', packetId));
      ids.delete(packetId);
    }
    for (let n = 0; n < 250; ++n) publisher.publish(w.topic(), `${n}`, { qos: 1 });
    for (const { packetId } of await subscriber.messages(250, { ack: false })) {
      assert.ok(!ids.has(packetId), `id ${packetId} is in flight`);
    }
  });

  test('metrics count messages, connections and subscriptions', async (w) => {
    const before = await w.server.metrics();
    const raw = await w.raw(5);
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    for (let n = 0; n < 10; ++n) await raw.published(w.topic(), 'x');
    for (let n = 0; n < 10; ++n) raw.publish(w.topic(), 'x');
    await raw.messages(20);
    await raw.fence();
    const grown = (m, name) => m[name] - before[name];
    await w.server.untilMetrics((m) => [
      [1, 'gnomon_connections'], [1, 'gnomon_subscriptions'], [1, 'gnomon_connects_total'],
      [10, 'gnomon_messages_received_total{qos="0"}'], [10, 'gnomon_messages_sent_total{qos="0"}'],
      [10, 'gnomon_messages_received_total{qos="1"}'], [10, 'gnomon_messages_sent_total{qos="1"}'],
    ].every(([by, name]) => grown(m, name) === by), 'the counts');
  });
});

suite('overlapping subscriptions', (test) => {
  test.each([3, 4], 'one copy, with the highest QoS', async (w, v) => {
    const raw = await w.raw(v);
    await raw.subscribe([{ filter: w.topic('a/b'), qos: 0 }, { filter: w.topic('+/b'), qos: 1 },
      { filter: w.topic('#'), qos: 0 }]);
    const publisher = await w.raw(5);
    await publisher.published(w.topic('a/b'), '1');
    await publisher.published(w.topic('a/c'), '2');
    await publisher.published(w.topic('x/b'), '3');
    const got = (await raw.messages(3)).map((m) => [m.text, m.qos]);
    assert.deepEqual(got, [['1', 1], ['2', 0], ['3', 1]]);
    await raw.expectNothing();
  });

  test('one copy, with the highest QoS and all identifiers (5)', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe({ filter: w.topic('a/b'), qos: 0 }, { subscriptionId: 7 });
    await raw.subscribe({ filter: w.topic('+/b'), qos: 1 }, { subscriptionId: 268435455 });
    await raw.subscribe([{ filter: w.topic('#'), qos: 0 }, { filter: w.topic('a/+') }],
      { subscriptionId: 128 });
    await raw.subscribe({ filter: w.topic('+/+'), qos: 0 });
    const publisher = await w.raw(4);
    await publisher.published(w.topic('a/b'), '1');
    const first = await raw.message();
    assert.equal(first.qos, 1);
    assert.deepEqual(sorted(new Set(first.props.subscriptionId)), [7, 128, 268435455]);
    await publisher.published(w.topic('c'), '2');
    assert.deepEqual((await raw.message()).props.subscriptionId, [128]);
    await raw.unsubscribe([w.topic('#'), w.topic('a/+')]);
    await publisher.published(w.topic('a/b'), '3');
    assert.deepEqual(sorted((await raw.message()).props.subscriptionId), [7, 268435455]);
    await publisher.published(w.topic('x/y'), '4');
    assert.equal((await raw.message()).props.subscriptionId, undefined);
    await raw.expectNothing();
  });

  test('subscribing again replaces QoS, identifier and options (5)', async (w) => {
    const raw = await w.raw(5);
    const filter = w.topic('+');
    assert.deepEqual(await raw.subscribe({ filter, qos: 1 }, { subscriptionId: 1 }), [1]);
    assert.deepEqual(await raw.subscribe({ filter, qos: 0 }, { subscriptionId: 2 }), [0]);
    await raw.published(w.topic('x'), '1');
    const message = await raw.message();
    assert.deepEqual([message.qos, message.props.subscriptionId], [0, [2]]);
    await raw.subscribe({ filter, qos: 1, noLocal: true });
    await raw.published(w.topic('x'), '2');
    await raw.subscribe({ filter, qos: 1 });
    await raw.published(w.topic('x'), '3');
    const last = await raw.message();
    assert.deepEqual([last.text, last.qos, last.props.subscriptionId], ['3', 1, undefined]);
    await raw.expectNothing();
    assert.deepEqual(await raw.unsubscribe(filter), [0]);
    assert.deepEqual(await raw.unsubscribe(filter), [0x11]);
  });

  test('a filter given twice in one SUBSCRIBE: the last one counts', async (w) => {
    const raw = await w.raw(5);
    const filter = w.topic();
    assert.deepEqual(await raw.subscribe([{ filter, qos: 1 }, { filter, qos: 0 }]), [1, 0]);
    await raw.published(filter, 'x');
    assert.equal((await raw.message()).qos, 0);
    await raw.expectNothing();
  });

  test('no-local: not what the client publishes itself (5)', async (w) => {
    const raw = await w.raw(5);
    const other = await w.raw(5);
    await raw.subscribe({ filter: w.topic('#'), qos: 1, noLocal: true }, { subscriptionId: 1 });
    await raw.published(w.topic('x'), 'own');
    await other.published(w.topic('x'), 'foreign');
    assert.equal((await raw.message()).text, 'foreign');
    // Another subscription of the same client without the option still wants it.
    await raw.subscribe({ filter: w.topic('x'), qos: 0 }, { subscriptionId: 2 });
    await raw.published(w.topic('x'), 'own');
    const own = await raw.message();
    assert.deepEqual([own.qos, own.props.subscriptionId], [0, [2]]);
    await other.published(w.topic('x'), 'foreign');
    const foreign = await raw.message();
    assert.deepEqual([foreign.qos, sorted(foreign.props.subscriptionId)], [1, [1, 2]]);
    await raw.expectNothing();
  });

  test('no-local is by connection: a will of the same client id is not its own', async (w) => {
    const id = unique('id');
    const old = await w.raw(5, { id, will: { topic: w.topic(), payload: 'will' } });
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: w.topic(), noLocal: true });
    old.destroy();
    assert.equal((await watcher.message()).text, 'will');
  });

  test('MQTT.js: identifiers and no-local (5)', async (w) => {
    const client = await w.client(5);
    const other = await w.client(5);
    await client.subscribeAsync(w.topic('+'), { qos: 1, nl: true,
      properties: { subscriptionIdentifier: 300 } });
    await client.publishAsync(w.topic('a'), 'own', { qos: 1 });
    await other.publishAsync(w.topic('a'), 'foreign', { qos: 1 });
    const message = await client.inbox.one();
    assert.deepEqual([message.text, message.properties.subscriptionIdentifier], ['foreign', 300]);
  });
});
