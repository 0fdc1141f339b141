// compat = "aws": the limits and deviations of AWS IoT Core, so that a test finds what AWS would
// refuse. Each is also what the default mode does not do.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { Raw } from '../harness/raw.mjs';
import { suite, unique } from '../harness/suite.mjs';

// Until the second is over for which CONNECTs of a client id are counted.
const nextSecond = async (w) => {
  const other = await w.raw(5);
  for (const begin = performance.now(); performance.now() - begin < 1100;) await other.fence();
};

const refusedConnect = async (w, v, options) => {
  const raw = await w.socket(v);
  raw.send(codec.connect({ v, id: unique('id'), ...options }));
  const connack = await raw.expect('connack');
  await raw.expectClose();
  return connack.code;
};

suite('as AWS IoT', (test) => {
  test('CONNACK says what there is', async (w) => {
    const { props } = (await w.raw(5, { props: { sessionExpiry: 7200 }, clean: true })).connack;
    assert.equal(props.maximumQos, 1);
    assert.equal(props.receiveMaximum, 100);
    assert.equal(props.topicAliasMaximum, 8);
    assert.equal(props.maximumPacketSize, 149504);
    assert.equal(props.subscriptionIdsAvailable, 0);
    assert.equal(props.sessionExpiry, 3600);
    assert.notEqual(props.sharedAvailable, 0);
    assert.notEqual(props.retainAvailable, 0);
  });

  test('QoS 2 is refused', async (w) => {
    const v5 = await w.raw(5);
    v5.publish(w.topic(), 'x', { qos: 2 });
    await v5.expectRefusal(0x9b);
    const v4 = await w.raw(4);
    v4.publish(w.topic(), 'x', { qos: 2 });
    await v4.expectClose();
    assert.deepEqual(await (await w.raw(5)).subscribe({ filter: w.topic(), qos: 2 }), [1]);
    const subscriber = await w.raw(4);
    subscriber.subscribe({ filter: w.topic(), qos: 2 }).catch(() => {});
    await subscriber.expectClose();
    const will = { topic: w.topic(), payload: 'x', qos: 2 };
    assert.equal(await refusedConnect(w, 5, { will }), 0x9b);
    for (const type of ['pubrec', 'pubrel', 'pubcomp']) {
      const raw = await w.raw(5);
      raw.send(codec.ack(type, 1));
      await raw.expectRefusal(0x82);
    }
  });

  test('subscription identifiers are refused', async (w) => {
    const raw = await w.raw(5);
    raw.subscribe(w.topic(), { subscriptionId: 1 }).catch(() => {});
    await raw.expectRefusal(0xa1);
  });

  test('# does not match the level before it', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic('#'));
    for (const topic of [w.topic(), w.topic(''), w.topic('a/b')]) raw.publish(topic, topic);
    assert.equal((await raw.message()).topic, w.topic(''));
    assert.equal((await raw.message()).topic, w.topic('a/b'));
    await raw.expectNothing();
  });

  test('topics: 256 bytes, seven slashes', async (w) => {
    const raw = await w.raw(5);
    const deep = 'a/b/c/d/e/f/g/h', long = 'x'.repeat(256);
    assert.deepEqual(await raw.subscribe([deep, `${deep}/i`, long, `${long}x`]), [0, 0x8f, 0, 0x8f]);
    const shared = `$share/${'n'.repeat(128)}/`;
    assert.deepEqual(await raw.subscribe([shared + deep, `$share/${'n'.repeat(129)}/a`,
      `${shared}${deep}/i`, shared + long]), [0, 0x8f, 0x8f, 0]);
    for (const [topic, code] of [[deep, 0], [`${deep}/i`, 0x90], [long, 0], [`${long}x`, 0x90]]) {
      assert.equal((await (await w.raw(5)).published(topic, 'x')).code, code, topic);
    }
    const v4 = await w.raw(4);
    v4.publish(`${deep}/i`, 'x', { qos: 1 });
    await v4.expectClose();
  });

  test('client ids: 128 bytes, none that begins with $', async (w) => {
    const ok = await w.raw(5, { id: 'i'.repeat(128) });
    await ok.goodbye();
    for (const id of ['i'.repeat(129), '$mine']) {
      assert.equal(await refusedConnect(w, 5, { id }), 0x85);
      assert.equal(await refusedConnect(w, 4, { id }), 2);
    }
    const { props } = (await w.raw(5, { id: '' })).connack;
    assert.match(props.assignedClientId, /^\$GEN\//);
  });

  test('keep-alive: between 30 and 1200 seconds, and MQTT 5 is told', async (w) => {
    for (const [asked, told] of [[0, 1200], [10, 30], [30, undefined], [600, undefined],
      [1200, undefined], [5000, 1200]]) {
      const raw = await w.raw(5, { keepAlive: asked });
      assert.equal(raw.connack.props.serverKeepAlive, told, `${asked}`);
    }
  });

  test('payloads: 128 KiB', async (w) => {
    const raw = await w.raw(5);
    assert.equal((await raw.published(w.topic(), 'x'.repeat(131072))).code, 0);
    raw.publish(w.topic(), 'x'.repeat(131073));
    await raw.expectRefusal(0x95);
  });

  test('eight filters in a SUBSCRIBE, 50 in all', async (w) => {
    const raw = await w.raw(5);
    const eight = (n) => Array.from({ length: 8 }, (_, i) => w.topic(`${n}/${i}`));
    assert.deepEqual(await raw.subscribe([...eight(0), w.topic('x')]), Array(9).fill(0x97));
    for (let n = 0; n < 6; ++n) assert.deepEqual(await raw.subscribe(eight(n)), Array(8).fill(0));
    assert.deepEqual(await raw.subscribe([w.topic('a'), w.topic('b'), w.topic('c')]), [0, 0, 0x97]);
    assert.deepEqual(await raw.subscribe([w.topic('a')]), [0]);
  });

  test('what is retained comes for the exact topic only', async (w) => {
    const raw = await w.raw(5);
    await raw.published(w.topic('a'), 'kept', { retain: true });
    await raw.subscribe([w.topic('+'), w.topic('#')]);
    await raw.expectNothing();
    await raw.subscribe(w.topic('a'));
    const message = await raw.message();
    assert.deepEqual([message.text, message.retain], ['kept', true]);
  });

  test('a topic retains once a second', async (w) => {
    const raw = await w.raw(5);
    const retain = async (text) => (await raw.published(w.topic(), text, { retain: true })).code;
    assert.equal(await retain('first'), 0);
    assert.equal(await retain('second'), 0x97);
    const before = await w.server.metrics();
    raw.publish(w.topic(), 'third', { retain: true });
    await raw.fence();
    assert.ok((await w.server.grown(before, /publishes_refused.*rate/)).length > 0);
    await raw.subscribe(w.topic());
    assert.equal((await raw.message()).text, 'first');
    await nextSecond(w);
    assert.equal(await retain(''), 0);
  });

  test('100 members in a share group', async (w) => {
    const filter = `$share/${unique('group')}/${w.topic()}`;
    const members = await Promise.all(Array.from({ length: 100 }, (_, n) => w.raw(n % 2 ? 4 : 5)));
    for (const member of members) assert.deepEqual(await member.subscribe(filter), [0]);
    const v5 = await w.raw(5);
    assert.deepEqual(await v5.subscribe(filter), [0x97]);
    assert.deepEqual(await (await w.raw(4)).subscribe(filter), [0x80]);
    await members[0].unsubscribe(filter);
    assert.deepEqual(await v5.subscribe(filter), [0]);
  });

  test('message expiry is at most seven days', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic());
    for (const [given, left] of [[700_000, 604_800], [60, 60], [0, 1]]) {
      raw.publish(w.topic(), 'x', { props: { messageExpiry: given } });
      const { messageExpiry } = (await raw.message()).props;
      assert.ok(messageExpiry === left || messageExpiry === left - 1, `${given}: ${messageExpiry}`);
    }
  });

  test('what is sent again has no DUP', async (w) => {
    const id = unique('id');
    const options = { id, clean: false, props: { sessionExpiry: 600 } };
    const raw = await w.raw(5, options);
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    await raw.published(w.topic(), 'x');
    await raw.message({ ack: false });
    raw.destroy();
    await nextSecond(w);
    const message = await (await w.raw(5, options)).message();
    assert.deepEqual([message.text, message.dup], ['x', false]);
  });

  test('a client id connects once a second', async (w) => {
    const id = unique('id');
    await w.raw(5, { id });
    assert.equal(await refusedConnect(w, 5, { id }), 0x97);
    assert.equal(await refusedConnect(w, 4, { id }), 3);
    await nextSecond(w);
    await w.raw(5, { id });
  });

  test('100 messages a second from a connection', async (w) => {
    const raw = await w.raw(5);
    let refused = 0;
    for (let n = 0; n < 150; ++n) refused += (await raw.published(w.topic(), 'x')).code === 0x97;
    assert.ok(refused > 20 && refused <= 50, `${refused} refused`);
    const v4 = await w.raw(4);
    const before = await w.server.metrics();
    for (let n = 0; n < 150; ++n) v4.publish(w.topic(), 'x');
    await v4.fence();
    assert.ok((await w.server.grown(before, /refused.*rate/)).length > 0);
  });

  test('100 messages a second to a connection', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic());
    const publishers = await Promise.all([1, 2, 3].map(() => w.raw(5)));
    for (const publisher of publishers) {
      for (let n = 0; n < 60; ++n) publisher.publish(w.topic(), 'x');
      await publisher.fence();
    }
    // What comes from other shards may still be on its way. The rest is dropped, so it never comes.
    let got = 0;
    while (got < 100) got += (await raw.fence()).length;
    got += (await raw.fence()).length;
    assert.ok(got < 180, `${got}`);
  });

  test('512 KiB a second from a connection, the rest a little later', async (w) => {
    const raw = await w.raw(5);
    const begin = performance.now();
    for (let n = 0; n < 17; ++n) raw.publish(w.topic(), 'x'.repeat(120_000));
    await raw.fence();
    const took = performance.now() - begin;
    assert.ok(took > 1500, `${took} ms for four seconds' worth`);
  });
}, { args: ['--compat', 'aws'] });

suite('the default is MQTT', (test) => {
  test('none of this holds', async (w) => {
    const raw = await w.raw(5, { id: 'i'.repeat(300), keepAlive: 0 });
    assert.equal(raw.connack.props.serverKeepAlive, undefined);
    await raw.subscribe({ filter: `${'a/'.repeat(20)}#`, qos: 2 }, { subscriptionId: 1 });
    await raw.published('a/'.repeat(20).slice(0, -1), 'x'.repeat(200_000), { qos: 2 });
    assert.equal((await raw.message()).payload.length, 200_000);
    for (let n = 0; n < 300; ++n) raw.publish(w.topic(), 'x');
    assert.ok(raw instanceof Raw);
    await raw.expectNothing();
  });
});
