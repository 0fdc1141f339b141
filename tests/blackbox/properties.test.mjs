// What MQTT 5 properties of a PUBLISH travel, unchanged and in order; what MQTT 3 sees of it.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { pass } from '../harness/raw.mjs';
import { suite } from '../harness/suite.mjs';

const plain = (props) => JSON.parse(JSON.stringify(props));

suite('properties', (test) => {
  test('all that travel arrive as they were sent', async (w) => {
    const subscribers = await Promise.all([w.raw(5), w.raw(5)]);  // of two shards
    for (const raw of subscribers) await raw.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    const cases = [
      { payloadFormat: 1 }, { payloadFormat: 0 }, { contentType: 'application/json' },
      { contentType: '' }, { responseTopic: 'answer/to' }, { correlationData: Buffer.from([0, 255]) },
      { correlationData: Buffer.alloc(0) }, { user: [['a', 'b']] }, { user: [['', '']] },
      { payloadFormat: 1, contentType: 'ä/€', responseTopic: 'a/b', user: [['ä', '€']],
        correlationData: Buffer.alloc(1000, 7) },
    ];
    for (const props of cases) {
      for (const qos of [0, 1]) {
        publisher.publish(w.topic(), 'ä', { qos, props });
        for (const raw of subscribers) {
          const message = await raw.message();
          assert.deepEqual(plain(message.props), plain(props));
          assert.equal(message.text, 'ä');
        }
        if (qos === 1) await publisher.answer('puback');
      }
    }
  });

  test('user properties keep their order and their duplicates', async (w) => {
    const subscriber = await w.raw(5);
    await subscriber.subscribe({ filter: w.topic(), qos: 1 }, { subscriptionId: 9 });
    const publisher = await w.raw(5);
    const user = [['b', '1'], ['a', '2'], ['b', '1'], ['a', '1'], ['', 'x'], ['c', ''], ['a', '2']];
    // Between others, so that the order counts of all of them and not of a block.
    const mixed = Buffer.concat([codec.prop('user', user[0]), codec.prop('contentType', 'c'),
      ...user.slice(1, 4).map((pair) => codec.prop('user', pair)), codec.prop('responseTopic', 'r'),
      ...user.slice(4).map((pair) => codec.prop('user', pair))]);
    for (const props of [{ user }, mixed]) {
      await publisher.published(w.topic(), 'x', { props });
      const message = await subscriber.message();
      assert.deepEqual(message.props.user, user);
      assert.deepEqual(message.props.subscriptionId, [9]);
    }
  });

  test('user properties up to the limit', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic());
    const user = Array.from({ length: 64 }, (_, i) => [`${i}`, 'v'.repeat(900)]);
    await raw.published(w.topic(), 'x', { props: { user } });
    assert.deepEqual((await raw.message()).props.user, user);
  });

  test('request and response with MQTT.js', async (w) => {
    const server = await w.client(5);
    await server.subscribeAsync(w.topic('request'), { qos: 1 });
    const client = await w.client(5, { properties: { requestResponseInformation: true } });
    await client.subscribeAsync(w.topic('response/1'), { qos: 1 });
    const correlationData = Buffer.from('id 1');
    await client.publishAsync(w.topic('request'), 'ping', {
      qos: 1, properties: { responseTopic: w.topic('response/1'), correlationData,
        contentType: 'text/plain', payloadFormatIndicator: true,
        userProperties: { a: ['1', '2'] } } });
    const request = await server.inbox.one();
    assert.equal(request.properties.contentType, 'text/plain');
    assert.equal(request.properties.payloadFormatIndicator, true);
    assert.deepEqual({ ...request.properties.userProperties }, { a: ['1', '2'] });
    await server.publishAsync(request.properties.responseTopic, 'pong', {
      qos: 1, properties: { correlationData: request.properties.correlationData } });
    const response = await client.inbox.one();
    assert.equal(response.text, 'pong');
    assert.ok(correlationData.equals(response.properties.correlationData));
  });

  test('between versions: MQTT 3 sees the payload, and nothing is made up', async (w) => {
    const [v3, v4, v5] = await Promise.all([w.raw(3), w.raw(4), w.raw(5)]);
    for (const raw of [v3, v4, v5]) await raw.subscribe({ filter: w.topic(), qos: 1 });
    const props = { user: [['a', 'b']], contentType: 'c', messageExpiry: 100 };
    await v5.published(w.topic(), 'from 5', { props });
    for (const raw of [v3, v4, v5]) assert.equal((await raw.message()).text, 'from 5');
    await v4.published(w.topic(), 'from 3.1.1');
    for (const raw of [v3, v4]) assert.equal((await raw.message()).text, 'from 3.1.1');
    assert.deepEqual((await v5.message()).props, {});
  });

  test('a response topic with a wildcard is refused', async (w) => {
    for (const responseTopic of ['a/+', '#']) {
      const raw = await w.raw(5);
      raw.publish(w.topic(), 'x', { qos: 1, props: { responseTopic } });
      await raw.expectRefusal([0x82, 0x90, 0x81]);
    }
  });

  test('the payload is what the payload format says, or the server does not look', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic());
    raw.publish(w.topic(), Buffer.from([0xff]), { qos: 1, props: { payloadFormat: 1 } });
    const answer = await raw.next();  // MQTT 5 §3.3.2.3.2: the server may check
    const known = ['publish', 'puback', 'disconnect'].includes(answer.type);
    assert.ok(known && [undefined, 0, 0x10, 0x99].includes(answer.code), answer.type);
  });
});

suite('reason strings', (test) => {
  test('come with a refusal when wanted, never when not', async (w) => {
    for (const requestProblem of [undefined, 1, 0]) {
      const wanted = requestProblem !== 0;
      const raw = await w.raw(5, { props: { requestProblem } });
      const puback = await raw.published('$x', 'x');
      assert.equal(puback.code, 0x87);
      assert.equal(puback.props.reasonString !== undefined, wanted, 'in PUBACK');
      const packetId = raw.packetId();
      raw.send(codec.subscribe({ packetId, filters: ['a/#/b'] }));
      const suback = await raw.expect('suback', { packetId });
      if (!wanted) assert.equal(suback.props.reasonString, undefined, 'in SUBACK');
      const unsuback = await raw.unsubscribe(['none']);
      assert.deepEqual(unsuback, [0x11]);
      raw.publish('a/#', 'x');
      const disconnect = await raw.expectRefusal([0x90, 0x81, 0x82]);
      assert.equal(disconnect.props.reasonString !== undefined, wanted, 'in DISCONNECT');
    }
  });
});

suite('message expiry', (test) => {
  test('the remaining interval is forwarded', async (w) => {
    const [v5, v4] = await Promise.all([w.raw(5), w.raw(4)]);
    for (const raw of [v5, v4]) await raw.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    for (const messageExpiry of [10, 604800, 0xffffffff]) {
      await publisher.published(w.topic(), 'x', { props: { messageExpiry } });
      const left = (await v5.message()).props.messageExpiry;
      assert.ok(left === messageExpiry || left === messageExpiry - 1, `${left} of ${messageExpiry}`);
      assert.equal((await v4.message()).text, 'x');
    }
    await publisher.published(w.topic(), 'x');
    assert.equal((await v5.message()).props.messageExpiry, undefined);
  });

  test('counts down behind the receive maximum; what is over is not delivered', async (w) => {
    const v5 = await w.raw(5, { props: { receiveMaximum: 1 } });
    await v5.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    const send = (text, messageExpiry) =>
      publisher.published(w.topic(), text, { props: { messageExpiry } });
    await send('first');
    const first = await v5.message({ ack: false });
    await send('short', 1);
    await send('long', 100);
    await send('for ever');
    const before = await w.server.metrics();
    await pass(2100);
    v5.send(codec.ack('puback', first.packetId));
    const long = await v5.message();
    assert.equal(long.text, 'long');
    assert.ok(long.props.messageExpiry >= 96 && long.props.messageExpiry <= 98,
      `${long.props.messageExpiry} s left`);
    const last = await v5.message();
    assert.deepEqual([last.text, last.props.messageExpiry], ['for ever', undefined]);
    await v5.expectNothing();
    assert.ok((await w.server.grown(before, /expired/)).length > 0, 'a metric counts it');
  });
}, { concurrency: 2 });
