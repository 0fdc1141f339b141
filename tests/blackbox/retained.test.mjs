// Retained messages: set, replaced, deleted, replayed to who subscribes.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { pass } from '../harness/raw.mjs';
import { back, durable, expectOnlyMarker, leave, staying, texts } from '../harness/sessions.mjs';
import { suite } from '../harness/suite.mjs';

async function retain(w, topic, text, options = {}) {
  const publisher = await w.raw(5);
  const { code } = await publisher.published(topic, text, { retain: true, ...options });
  assert.ok(code < 0x80, `0x${code.toString(16)}`);
  await publisher.goodbye();
}

// What a new subscriber to `filter` is sent at once: the marker it publishes comes behind it.
async function replay(w, filter, marker, { v = 5, qos = 2, ...options } = {}) {
  const raw = await w.raw(v);
  await raw.subscribe([{ filter, qos, ...options }]);
  const got = [];
  if (marker !== filter) await raw.subscribe({ filter: marker, qos });
  await raw.published(marker, 'the marker');
  for (let message; (message = await raw.message()).text !== 'the marker';) got.push(message);
  await raw.goodbye();
  return got;
}

suite('retained messages', (test) => {
  test.each([3, 4, 5], 'set, replaced, deleted', async (w, v) => {
    const topic = w.topic('x');
    const publisher = await w.raw(v);
    const last = async () => texts(await replay(w, topic, w.topic('m'), { v }));
    assert.deepEqual(await last(), []);
    await publisher.published(topic, 'one', { retain: true });
    assert.deepEqual(await last(), ['one']);
    await publisher.published(topic, 'two', { retain: true, qos: 2 });
    assert.deepEqual(await last(), ['two']);
    await publisher.published(topic, 'not retained');
    assert.deepEqual(await last(), ['two'], 'a message without the flag changes nothing');
    publisher.publish(topic, 'three', { retain: true });
    await publisher.fence();
    const raw = await w.raw(5);
    // QoS 0 has no acknowledgement to wait for: asked until it is there.
    let message;
    do {
      await raw.subscribe({ filter: topic });
      message = await raw.message();
    } while (message.text === 'two');
    assert.equal(message.text, 'three');
    await publisher.published(topic, '', { retain: true });
    assert.deepEqual(await last(), []);
    await publisher.published(topic, '', { retain: true });  // nothing to delete
    assert.deepEqual(await last(), []);
  });

  test('exact, with + and #, parents, none that does not match', async (w) => {
    const names = ['a', 'a/b', 'a/b/c', 'a//c', 'b', 'a/ä', '/a'];
    for (const name of names) await retain(w, w.topic(name), name);
    const cases = [['a', ['a']], ['a/b', ['a/b']], ['+', ['a', 'b']], ['a/+', ['a/b', 'a/ä']],
      ['a/#', ['a', 'a/b', 'a/b/c', 'a//c', 'a/ä']], ['a/+/c', ['a/b/c', 'a//c']],
      ['+/b/#', ['a/b', 'a/b/c']], ['+/a', ['/a']], ['#', names], ['c', []], ['A', []],
      ['a/b/', []], ['+/+', ['a/b', 'a/ä', '/a']]];
    for (const [filter, expected] of cases) {
      const got = await replay(w, w.topic(filter), `${w.topic()}-marker`);
      assert.deepEqual(new Set(texts(got)), new Set(expected), filter);
      assert.equal(got.length, expected.length, `${filter}: each once`);
      assert.ok(got.every((m) => m.retain && m.topic === w.topic(m.text)), filter);
    }
  });

  test('many filters in one SUBSCRIBE, each replays (5)', async (w) => {
    for (const name of ['a', 'b']) await retain(w, w.topic(name), name);
    const raw = await w.raw(5);
    await raw.subscribe([{ filter: w.topic('a'), qos: 1 }, { filter: w.topic('b'), qos: 0 }],
      { subscriptionId: 9 });
    const got = await raw.messages(2);
    assert.deepEqual(got.map((m) => [m.text, m.qos, m.props.subscriptionId]).sort(),
      [['a', 1, [9]], ['b', 0, [9]]]);
    await raw.expectNothing();
  });

  test('the QoS of a replay is the lower one', async (w) => {
    for (const sent of [0, 1, 2]) {
      const topic = w.topic(`${sent}`);
      if (sent > 0) {
        await retain(w, topic, 'x', { qos: sent });
      } else {
        const publisher = await w.raw(4);
        publisher.publish(topic, 'x', { retain: true });
        while ((await replay(w, topic, w.topic('m'))).length === 0) await publisher.fence();
      }
      for (const v of [3, 4, 5]) {
        for (const granted of [0, 1, 2]) {
          const [message] = await replay(w, topic, w.topic('m'), { v, qos: granted });
          assert.equal(message.qos, Math.min(sent, granted), `${sent} to ${granted}`);
        }
      }
    }
  });

  test('the flag: not on live copies, on replays, as published if asked', async (w) => {
    const plain = await Promise.all([3, 4, 5].map((v) => w.raw(v)));
    for (const raw of plain) await raw.subscribe({ filter: w.topic(), qos: 1 });
    const asked = await w.raw(5);
    await asked.subscribe({ filter: w.topic(), qos: 1, retainAsPublished: true });
    await retain(w, w.topic(), 'flagged');
    for (const raw of plain) assert.equal((await raw.message()).retain, false);
    assert.equal((await asked.message()).retain, true);
    const publisher = await w.raw(4);
    await publisher.published(w.topic(), 'without');
    for (const raw of [...plain, asked]) assert.equal((await raw.message()).retain, false);
    await retain(w, w.topic(), '');
    for (const raw of plain) assert.deepEqual(await raw.message().then((m) => [m.text, m.retain]),
      ['', false], 'the deletion is delivered');
    assert.equal((await asked.message()).retain, true);
  });

  test('retain handling 0, 1 and 2 (5)', async (w) => {
    await retain(w, w.topic(), 'x');
    await retain(w, w.topic('end'), 'end');
    const raw = await w.raw(5);
    const filter = w.topic();
    // What is retained comes some time after its SUBACK, but before that of a later SUBSCRIBE.
    const subscribe = async (retainHandling) => {
      await raw.subscribe({ filter, qos: 1, retainHandling });
      await raw.subscribe({ filter: w.topic('end'), qos: 1 });
      const got = [];
      for (let m; (m = await raw.message()).text !== 'end';) got.push(m.text);
      return got;
    };
    assert.deepEqual(await subscribe(2), [], '2: never');
    assert.deepEqual(await subscribe(1), [], '1: not, the subscription exists');
    assert.deepEqual(await subscribe(0), ['x'], '0: always');
    assert.deepEqual(await subscribe(0), ['x'], '0: again');
    await raw.unsubscribe(filter);
    assert.deepEqual(await subscribe(1), ['x'], '1: a new subscription');
    const id = await leave(w, 5, { filter, qos: 1, retainHandling: 2 });
    const again = await back(w, 5, id);
    await again.subscribe({ filter, qos: 1, retainHandling: 1 });
    await expectOnlyMarker(w, again, filter);
  });

  test.each([4, 5], 'coming back replays nothing; subscribing again does', async (w, v) => {
    const id = await leave(w, v, { filter: w.topic(), qos: 1 });
    await retain(w, w.topic(), 'x');
    const raw = await back(w, v, id);
    assert.equal((await raw.message()).text, 'x', 'from the queue');
    await raw.fence();
    await raw.goodbye();
    const again = await back(w, v, id);
    await expectOnlyMarker(w, again, w.topic());
    await again.subscribe({ filter: w.topic(), qos: 1 });
    const replayed = await again.message();
    assert.deepEqual([replayed.text, replayed.retain], ['x', true]);
  });

  test('all properties are kept, expiry counts down (5)', async (w) => {
    const props = { payloadFormat: 1, contentType: 'text/plain', responseTopic: 'a/b',
      correlationData: Buffer.from([0, 255]), user: [['b', '1'], ['a', '2'], ['b', '1']] };
    await retain(w, w.topic('long'), 'long', { props: { ...props, messageExpiry: 100 } });
    await retain(w, w.topic('short'), 'short', { props: { messageExpiry: 1 } });
    await pass(2100);
    const got = await replay(w, w.topic('+'), w.topic('m/m'));
    assert.deepEqual(texts(got), ['long']);
    const { messageExpiry, ...others } = got[0].props;
    assert.deepEqual(others, props);
    assert.ok(messageExpiry >= 80 && messageExpiry <= 98, `${messageExpiry} s are left`);
    await replay(w, w.topic('long'), w.topic('m/m'), { v: 4 });
  });

  test('of any size; a topic alias means its topic (5)', async (w) => {
    const payload = Buffer.alloc(200_000, 'x');
    await retain(w, w.topic('large'), payload);
    const [large] = await replay(w, w.topic('large'), w.topic('m'));
    assert.ok(large.payload.equals(payload));
    const publisher = await w.raw(5);
    if (!publisher.connack.props.topicAliasMaximum) return;
    await publisher.published(w.topic('alias'), '1', { props: { topicAlias: 1 } });
    await publisher.published('', '2', { retain: true, props: { topicAlias: 1 } });
    assert.deepEqual(texts(await replay(w, w.topic('alias'), w.topic('m'))), ['2']);
  });

  test('no-local holds for replays by nobody: the own message is replayed', async (w) => {
    // MQTT 5 §3.8.3.1 is about messages published to the subscription; a server may leave a client's
    // own retained message out or not. It must not send it twice.
    const raw = await w.raw(5);
    await raw.published(w.topic(), 'own', { retain: true });
    await raw.subscribe({ filter: w.topic(), qos: 1, noLocal: true });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'marker');
    const got = [];
    for (let m; (m = await raw.message()).text !== 'marker';) got.push(m.text);
    assert.ok(got.length <= 1);
  });

  test('$-topics are not matched by a leading wildcard', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe([{ filter: '#', qos: 0 }, { filter: '+/#', qos: 0 }]);
    await raw.published(w.topic(), 'marker', { qos: 1 });
    for (let m; (m = await raw.message()).text !== 'marker';) {
      assert.ok(!m.topic.startsWith('$'), m.topic);
    }
    for (const v of [4, 5]) {  // nor can a client set one
      const publisher = await w.raw(v);
      publisher.publish('$SYS/x', 'x', { qos: 1, retain: true });
      const packet = await publisher.next().catch(() => null);
      assert.ok(packet === null || packet.code === 0x87, JSON.stringify(packet));
    }
    const last = await w.raw(5);
    await last.subscribe({ filter: '$SYS/x', qos: 1 });
    await last.expectNothing();
  });

  test.each([4, 5], 'of a will', async (w, v) => {
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: w.topic(), qos: 2 });
    for (const [payload, expected] of [['one', ['one']], ['two', ['two']], ['', []]]) {
      const client = await w.raw(v, { will: { topic: w.topic(), payload, retain: true, qos: 1 } });
      client.destroy();
      const live = await watcher.message();
      assert.deepEqual([live.text, live.retain], [payload, false]);
      assert.deepEqual(texts(await replay(w, w.topic(), w.topic('m'))), expected);
    }
  });

  test('MQTT.js', async (w) => {
    for (const v of [4, 5]) {
      const client = await w.client(v);
      const topic = w.topic(`js${v}`);
      await client.publishAsync(topic, 'x', { qos: 2, retain: true });
      await client.subscribeAsync(topic, { qos: 2 });
      const message = await client.inbox.one();
      assert.deepEqual([message.text, message.qos, message.retain], ['x', 2, true]);
    }
  });

  test('an old value never comes after a new one, and none is missing', async (w) => {
    const count = 400;
    const publishers = await Promise.all([w.raw(5), w.raw(4)]);
    let running = true;
    const topics = [w.topic('0'), w.topic('1')];
    const sending = Promise.all(publishers.map(async (publisher, i) => {
      for (let n = 1; n <= count; ++n) {
        await publisher.published(topics[i], `${n}`, { retain: true, qos: 1 + n % 2 });
      }
    })).finally(() => { running = false; });
    const watching = Array.from({ length: 6 }, async (_, i) => {
      for (let round = 0; running || round === 0; ++round) {
        const raw = await w.raw([5, 4][i % 2]);
        await raw.subscribe({ filter: i < 3 ? w.topic('+') : topics[i % 2], qos: 1 });
        const last = new Map();
        for (let n = 0; n < 30; ++n) {
          const message = await raw.message({ ms: running ? undefined : 200 }).catch(() => null);
          assert.ok(!raw.closed, 'the server has closed');
          if (message === null) break;
          const [now, before] = [Number(message.text), last.get(message.topic)];
          if (before !== undefined) {
            assert.equal(now, before + 1, `${now} after ${before}, retain ${message.retain}`);
          }
          last.set(message.topic, now);
        }
        raw.destroy();
      }
    });
    await Promise.all([sending, ...watching]);
    for (const topic of topics) {
      assert.deepEqual(texts(await replay(w, topic, w.topic('m/m'))), [`${count}`]);
    }
  });

  test('thousands match one filter', async (w) => {
    const count = 3000;
    const publisher = await w.raw(4);
    const send = (payload) => publisher.send(...Array.from({ length: count }, (_, n) =>
      codec.publish({ v: 4, topic: w.topic(`${n}`), payload, retain: true, qos: 1,
        packetId: n + 1 })));
    send('x');
    for (let n = 0; n < count; ++n) await publisher.expect('puback', { packetId: n + 1 });
    const raw = await w.raw(5, staying(5, { receiveMaximum: 10 }));
    await raw.subscribe({ filter: w.topic('+'), qos: 1 });
    const topics = (await raw.messages(count)).map((m) => m.topic);
    assert.equal(new Set(topics).size, count);
    await raw.expectNothing();
    await raw.unsubscribe(w.topic('+'));
    send('');
    for (let n = 0; n < count; ++n) await publisher.expect('puback', { packetId: n + 1 });
    assert.deepEqual(await replay(w, w.topic('+'), w.topic('m/m')), []);
  });
}, durable);

suite('retained messages over a restart', (test) => {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    test(`${signal}: kept, replaced, deleted, expired`, async (w) => {
      const props = { contentType: 'c', user: [['b', '1'], ['a', '2']] };
      await retain(w, w.topic('kept'), 'kept', { qos: 2, props });
      await retain(w, w.topic('replaced'), 'old');
      await retain(w, w.topic('deleted'), 'x');
      await retain(w, w.topic('short'), 'x', { props: { messageExpiry: 2 } });
      await retain(w, w.topic('long'), 'long', { props: { messageExpiry: 100 } });
      await w.server.restart(signal);
      await retain(w, w.topic('replaced'), 'new');
      await retain(w, w.topic('deleted'), '');
      await w.server.restart(signal, { between: () => pass(3100) });
      const got = await replay(w, w.topic('+'), w.topic('m/m'));
      assert.deepEqual(new Set(texts(got)), new Set(['kept', 'new', 'long']));
      assert.ok(got.every((m) => m.retain));
      const kept = got.find((m) => m.text === 'kept');
      assert.deepEqual([kept.qos, kept.props], [2, props]);
      const left = got.find((m) => m.text === 'long').props.messageExpiry;
      assert.ok(left >= 70 && left <= 97, `${left} s are left`);
    });
  }
}, durable);
