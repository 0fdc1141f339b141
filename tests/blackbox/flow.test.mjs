// Topic aliases, receive maximum and maximum packet size, both ways.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { suite } from '../harness/suite.mjs';

suite('topic aliases to the server', (test) => {
  test('set, used, set anew', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic('#'), qos: 1 });
    const publisher = await w.raw(5);
    const max = publisher.connack.props.topicAliasMaximum;
    const send = (topic, topicAlias, qos) =>
      publisher.publish(topic, 'x', { qos, props: { topicAlias, user: [['k', 'v']] } });
    send(w.topic('a'), 1, 0);
    send('', 1, 1);
    send(w.topic('b'), max, 1);
    send('', max, 0);
    send('', 1, 0);
    send(w.topic('c'), 1, 0);
    send('', 1, 0);
    const got = await subscriber.messages(7);
    assert.deepEqual(got.map((m) => m.topic.at(-1)), [...'aabbacc']);
    for (const { props } of got) {
      assert.deepEqual(props, { user: [['k', 'v']] }, 'an alias does not travel');
    }
  });

  test('every alias there is', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic('#'));
    const all = Array.from({ length: raw.connack.props.topicAliasMaximum }, (_, i) => i + 1);
    for (const topicAlias of all) raw.publish(w.topic(`${topicAlias}`), 'x', { props: { topicAlias } });
    for (const topicAlias of all) raw.publish('', 'y', { props: { topicAlias } });
    const got = await raw.messages(2 * all.length);
    assert.deepEqual(got.map((m) => Number(m.topic.split('/').at(-1))), [...all, ...all]);
  });

  test('belong to their connection', async (w) => {
    const first = await w.raw(5);
    first.publish(w.topic(), 'x', { props: { topicAlias: 1 } });
    await first.fence();
    const second = await w.raw(5);
    second.publish('', 'x', { props: { topicAlias: 1 } });
    await second.expectRefusal([0x82, 0x94]);
  });

  test('0, beyond the maximum, not set: refused', async (w) => {
    const { topicAliasMaximum } = (await w.raw(5)).connack.props;
    for (const topicAlias of [0, topicAliasMaximum + 1, 65535]) {
      for (const qos of [0, 1]) {
        const raw = await w.raw(5);
        raw.publish(w.topic(), 'x', { qos, props: { topicAlias } });
        await raw.expectRefusal(0x94);
      }
    }
    const raw = await w.raw(5);
    raw.publish('', 'x', { props: { topicAlias: 5 } });
    await raw.expectRefusal([0x82, 0x94]);
  });

  test('MQTT.js uses them', async (w) => {
    const subscriber = await w.client(5);
    await subscriber.subscribeAsync(w.topic('+'));
    const publisher = await w.client(5, { autoUseTopicAlias: true, autoAssignTopicAlias: true });
    for (let n = 0; n < 200; ++n) await publisher.publishAsync(w.topic(`${n % 50}`), `${n}`);
    const got = await subscriber.inbox.take(200);
    got.forEach((m, n) => assert.deepEqual([m.topic, m.text], [w.topic(`${n % 50}`), `${n}`]));
  });
});

suite('topic aliases to the client', (test) => {
  test('are used when allowed, within the maximum', async (w) => {
    const subscriber = await w.raw(5, { props: { topicAliasMaximum: 3 } });
    await subscriber.subscribe({ filter: w.topic('#'), qos: 1 });
    const publisher = await w.raw(4);
    for (let n = 0; n < 30; ++n) {
      publisher.publish(w.topic(`long/topic/${n % 6}`), `${n}`, { qos: n % 2 });
    }
    const got = await subscriber.messages(30);
    got.forEach((m, n) => assert.equal(m.topic, w.topic(`long/topic/${n % 6}`)));
    const aliases = got.map((m) => m.props.topicAlias).filter((alias) => alias !== undefined);
    assert.ok(aliases.every((alias) => alias >= 1 && alias <= 3), `aliases ${aliases}`);
    // One topic over and over comes as an alias alone.
    for (let n = 0; n < 5; ++n) publisher.publish(w.topic('long/topic/0'), 'again');
    const again = await subscriber.messages(5);
    assert.ok(again.some((m) => m.wireTopic === '' && m.props.topicAlias > 0), 'an alias is used');
    assert.ok(again.every((m) => m.topic === w.topic('long/topic/0')));
  });

  test('are not used when not allowed', async (w) => {
    for (const v of [4, 5]) {
      const subscriber = await w.raw(v);
      await subscriber.subscribe(w.topic());
      const publisher = await w.raw(5);
      for (let n = 0; n < 5; ++n) publisher.publish(w.topic(), 'x', { props: { topicAlias: 1 } });
      for (const m of await subscriber.messages(5)) {
        assert.deepEqual([m.wireTopic, m.props?.topicAlias], [w.topic(), undefined]);
      }
    }
  });

  test('and MQTT.js understands them', async (w) => {
    const subscriber = await w.client(5, { properties: { topicAliasMaximum: 8 } });
    await subscriber.subscribeAsync(w.topic('+'), { qos: 1 });
    const publisher = await w.client(4);
    for (let n = 0; n < 100; ++n) await publisher.publishAsync(w.topic(`${n % 20}`), `${n}`);
    const got = await subscriber.inbox.take(100);
    got.forEach((m, n) => assert.deepEqual([m.topic, m.text], [w.topic(`${n % 20}`), `${n}`]));
  });
});

suite('receive maximum', (test) => {
  test("the client's is kept: never more unacknowledged", async (w) => {
    for (const receiveMaximum of [1, 2, 7]) {
      const topic = w.topic(`${receiveMaximum}`);
      const subscriber = await w.raw(5, { props: { receiveMaximum } });
      await subscriber.subscribe({ filter: topic, qos: 1 });
      const publisher = await w.raw(5);
      const count = 50;
      for (let n = 0; n < count; ++n) publisher.publish(topic, `${n}`, { qos: 1 });
      for (let n = 0; n < count; ++n) await publisher.expect('puback');
      const open = [];
      for (let n = 0; n < count; ++n) {
        const message = await subscriber.message({ ack: false });
        assert.equal(message.text, `${n}`, 'in order');
        open.push(message.packetId);
        if (open.length < receiveMaximum && n + 1 < count) continue;
        await subscriber.expectNothing();
        subscriber.send(codec.ack('puback', open.shift()));
      }
      await subscriber.expectNothing();
    }
  });

  test('QoS 0 does not wait for it', async (w) => {
    const subscriber = await w.raw(5, { props: { receiveMaximum: 1 } });
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'one');
    const { packetId } = await subscriber.message({ ack: false });
    for (let n = 0; n < 10; ++n) publisher.publish(w.topic(), `${n}`);
    const texts = (await subscriber.messages(10)).map((message) => message.text);
    assert.deepEqual(texts, [...'0123456789']);
    subscriber.send(codec.ack('puback', packetId));
    await subscriber.expectNothing();
  });

  test('an acknowledgement that refuses gives room too', async (w) => {
    const subscriber = await w.raw(5, { props: { receiveMaximum: 1 } });
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    for (let n = 0; n < 3; ++n) await publisher.published(w.topic(), `${n}`);
    for (let n = 0; n < 3; ++n) {
      const { packetId, text } = await subscriber.message({ ack: false });
      assert.equal(text, `${n}`);
      subscriber.send(codec.ack('puback', packetId, 0x80, { reasonString: 'no room' }));
    }
    await subscriber.expectNothing();
  });

  test('0 is a protocol error', async (w) => {
    const raw = await w.socket(5);
    raw.send(codec.connect({ id: 'x', props: { receiveMaximum: 0 } }));
    await raw.expect('connack', { code: 0x82 });
    await raw.expectClose();
  });

  test('more at once than the server takes: acknowledged all, or 0x93', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    const max = publisher.connack.props.receiveMaximum;
    const count = 3 * max;
    publisher.send(...Array.from({ length: count }, (_, n) => codec.publish(
      { topic: w.topic(), payload: `${n}`, qos: 1, packetId: n + 1 })));
    let acknowledged = 0;
    for (let packet; acknowledged < count; ++acknowledged) {
      packet = await publisher.next();
      if (packet.type === 'disconnect') {
        assert.equal(packet.code, 0x93);
        await publisher.expectClose();
        return;
      }
      assert.deepEqual([packet.type, packet.packetId], ['puback', acknowledged + 1]);
    }
    await subscriber.messages(count);
  });

  test('exactly as many as the server takes at once', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    const count = publisher.connack.props.receiveMaximum;
    for (let round = 0; round < 3; ++round) {
      publisher.send(...Array.from({ length: count }, (_, n) => codec.publish(
        { topic: w.topic(), payload: `${n}`, qos: 1, packetId: n + 1 })));
      for (let n = 0; n < count; ++n) await publisher.expect('puback', { packetId: n + 1 });
      await subscriber.messages(count);
    }
  });
});

suite('maximum packet size', (test) => {
  test("what is larger than the client's is dropped for it, silently", async (w) => {
    const small = await w.raw(5, { props: { maximumPacketSize: 200, receiveMaximum: 1 } });
    const large = await w.raw(5);
    for (const raw of [small, large]) await raw.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(4);
    const before = await w.server.metrics();
    const texts = ['1', 'x'.repeat(300), '2', 'y'.repeat(200), 'z'.repeat(100_000), '3'];
    for (const text of texts) {
      publisher.publish(w.topic(), text);
      await publisher.published(w.topic(), text);
    }
    const got = await small.messages(6);
    for (const qos of [0, 1]) {  // QoS 1 waits for the receive maximum, QoS 0 passes it
      assert.deepEqual(got.filter((m) => m.qos === qos).map((m) => m.text), ['1', '2', '3']);
    }
    await small.expectNothing();
    assert.deepEqual((await large.messages(12)).map((m) => m.text), texts.flatMap((t) => [t, t]));
    assert.ok((await w.server.grown(before, /dropped/)).length > 0, 'a metric counts it');
  });

  test('to the byte', async (w) => {
    const topic = w.topic();
    const size = codec.publish({ topic, payload: 'x'.repeat(100), qos: 1 }).length;
    for (const [maximumPacketSize, arrives] of [[size, true], [size - 1, false]]) {
      const raw = await w.raw(5, { props: { maximumPacketSize } });
      await raw.subscribe({ filter: topic, qos: 1 });
      const publisher = await w.raw(5);
      await publisher.published(topic, 'x'.repeat(100));
      if (arrives) assert.equal((await raw.message()).size, size);
      await publisher.published(topic, 'end');
      assert.equal((await raw.message()).text, 'end');
    }
  });

  test('0 is a protocol error', async (w) => {
    const raw = await w.socket(5);
    raw.send(codec.connect({ id: 'x', props: { maximumPacketSize: 0 } }));
    await raw.expect('connack', { code: 0x82 });
    await raw.expectClose();
  });

  test.each([4, 5], "a packet as large as the server's, and one byte more", async (w, v) => {
    const { maximumPacketSize } = (await w.raw(5)).connack.props;
    const subscriber = await w.raw(4);
    await subscriber.subscribe(w.topic());
    const publisher = await w.raw(v);
    const head = codec.publish({ v, topic: w.topic(), payload: Buffer.alloc(0) }).length + 3;
    const payload = Buffer.alloc(maximumPacketSize - head, 1);
    const packet = codec.publish({ v, topic: w.topic(), payload });
    assert.equal(packet.length, maximumPacketSize);
    publisher.send(packet);
    assert.equal((await subscriber.message()).payload.length, payload.length);
    await publisher.fence();
    // The length alone tells: nothing of the rest has to come.
    publisher.send(codec.frame(0x30, Buffer.from([0, 1]), maximumPacketSize - 3));
    await publisher.expectRefusal(0x95);
    await subscriber.expectNothing();
  });
});
