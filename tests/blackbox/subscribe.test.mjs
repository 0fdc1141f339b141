// SUBSCRIBE and UNSUBSCRIBE: filters, what they match, what is granted and what is refused.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { suite } from '../harness/suite.mjs';

// [filter, topic, whether it matches]; MQTT 5 §4.7.1 and §4.7.2, with its examples.
const matching = [
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/#', 'sport', true], ['sport/#', 'sports', false], ['#', 'a', true], ['#', '/', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false], ['sport/+', 'sport/', true], ['+/+', '/finance', true],
  ['/+', '/finance', true], ['+', '/finance', false], ['+', 'finance', true], ['+/#', 'a', true],
  ['a/b', 'a/b', true], ['a/b', 'a/b/', false], ['a/b', 'A/b', false], ['a//b', 'a/b', false],
  ['a//b', 'a//b', true], ['a/+/b', 'a//b', true], ['a/+/+/b', 'a/x/y/b', true],
  ['+/a/#', 'x/a', true], ['+/a/#', 'x/a/b/c', true], ['+/a/#', 'x/b', false],
  ['/', '/', true], ['/#', '/', true], ['/#', 'a', false], ['ä/+', 'ä/ö', true],
];
const bad = ['a/#/b', '#/a', 'a#', 'a/b#', '+a', 'a+', 'a/+b', 'a/b+/c', '##', '++', 'a/#b'];

suite('filters', (test) => {
  for (const [filter, topic, matches] of matching) {
    test(`${filter} ${matches ? 'matches' : 'does not match'} ${topic}`, async (w) => {
      const [here, there] = await Promise.all([w.raw(5), w.raw(4)]);  // of two shards
      await here.subscribe([{ filter, qos: 1 }, w.topic('end')]);
      await there.subscribe([{ filter, qos: 1 }, w.topic('end')]);
      const publisher = await w.raw(5);
      await publisher.published(topic, 'x');
      await publisher.published(w.topic('end'), 'x');
      for (const raw of [here, there]) {
        const topics = [(await raw.message()).topic];
        if (topics[0] !== w.topic('end')) topics.push((await raw.message()).topic);
        const found = topics.includes(topic);
        assert.equal(found, matches);
        await raw.expectNothing();
      }
    });
  }

  test.each([3, 4, 5], 'bad filters', async (w, v) => {
    for (const filter of bad) {
      const raw = await w.raw(v);
      raw.send(codec.subscribe({ v, packetId: 9, filters: [w.topic('good'), filter] }));
      if (v === 3) {  // it has no failure code
        await raw.expectClose();
        continue;
      }
      const { codes } = await raw.expect('suback', { packetId: 9 });
      assert.deepEqual(codes, [0, v === 5 ? 0x8f : 0x80], filter);
      await raw.published(w.topic('good'), 'x');  // the good one holds
      await raw.message();
    }
  });

  test.each([4, 5], 'an empty filter: a bad one, or malformed', async (w, v) => {
    const raw = await w.raw(v);
    raw.send(codec.subscribe({ v, packetId: 9, filters: [''] }));
    const packet = await raw.next().catch(() => null);  // a close will do in 3.1.1
    if (packet?.type === 'suback') assert.deepEqual(packet.codes, [v === 5 ? 0x8f : 0x80]);
    else if (v === 5) assert.ok([0x81, 0x82, 0x8f].includes(packet?.code));
  });

  test('QoS 2 is granted, and lowered to what was published', async (w) => {
    for (const v of [3, 4, 5]) {
      const raw = await w.raw(v);
      assert.deepEqual(await raw.subscribe({ filter: w.topic(), qos: 2 }), [2]);
      await raw.published(w.topic(), 'x');
      assert.equal((await raw.message()).qos, 1);
    }
  });

  test('many filters in one SUBSCRIBE, one code each, in order', async (w) => {
    for (const v of [4, 5]) {
      const raw = await w.raw(v);
      const filters = Array.from({ length: 300 }, (_, i) => (
        { filter: i % 10 === 3 ? 'a/#/b' : w.topic(`${v}/${i}`), qos: i % 3 }));
      const failed = v === 5 ? 0x8f : 0x80;
      const codes = await raw.subscribe(filters);
      assert.deepEqual(codes, filters.map(({ qos }, i) => (i % 10 === 3 ? failed : qos)));
      const names = filters.map((f) => f.filter).filter((filter) => filter !== 'a/#/b');
      assert.deepEqual(await raw.unsubscribe(names), v === 5 ? names.map(() => 0) : []);
    }
  });

  test('many subscriptions of many clients', async (w) => {
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => w.raw([4, 5][i & 1])));
    await Promise.all(clients.map(async (raw, c) => {
      for (let n = 0; n < 500; n += 100) {
        const codes = await raw.subscribe(
          Array.from({ length: 100 }, (_, k) => w.topic(`${c}/${n + k}/+`)));
        assert.ok(codes.every((code) => code === 0));
      }
    }));
    const publisher = await w.raw(5);
    for (let n = 0; n < 200; ++n) {
      const c = n % clients.length;
      await publisher.published(w.topic(`${c}/${n}/x`), `${n}`);
      assert.equal((await clients[c].message()).text, `${n}`);
    }
    for (const raw of clients) await raw.expectNothing();
  });

  test.each([4, 5], 'a message after SUBACK arrives, one after UNSUBACK does not', async (w, v) => {
    const raw = await w.raw(v);
    const publisher = await w.raw(5);
    for (let n = 0; n < 200; ++n) {
      const filter = w.topic(n & 1 ? `${n}/#` : `${n}/x`);
      await raw.subscribe({ filter, qos: 1 });
      await publisher.published(w.topic(`${n}/x`), `${n}`);
      assert.equal((await raw.message()).text, `${n}`);
      await raw.unsubscribe(filter);
      await publisher.published(w.topic(`${n}/x`), 'late');
    }
    await raw.expectNothing();
  });

  test('UNSUBSCRIBE says what there was (5)', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe([w.topic('a'), w.topic('b/+')]);
    const codes = await raw.unsubscribe([w.topic('a'), w.topic('none'), w.topic('b/+'),
      w.topic('a'), w.topic('b/x')]);
    assert.deepEqual(codes, [0, 0x11, 0, 0x11, 0x11]);
  });

  test('UNSUBSCRIBE of what there is not (3.1, 3.1.1)', async (w) => {
    for (const v of [3, 4]) {
      const raw = await w.raw(v);
      assert.deepEqual(await raw.unsubscribe([w.topic('none')]), []);
    }
  });

  test('user properties in SUBSCRIBE and UNSUBSCRIBE are accepted (5)', async (w) => {
    const raw = await w.raw(5);
    const user = [['a', 'b'], ['a', 'c']];
    assert.deepEqual(await raw.subscribe([w.topic()], { user }), [0]);
    assert.deepEqual(await raw.unsubscribe([w.topic()], { user }), [0]);
  });

  test('retain handling and retain-as-published are accepted; live copies are plain', async (w) => {
    const raw = await w.raw(5);
    for (const retainHandling of [0, 1, 2]) {
      await raw.subscribe({ filter: w.topic(), qos: 1, retainAsPublished: true, retainHandling });
      await raw.published(w.topic(), 'x');
      assert.equal((await raw.message()).retain, false);
    }
  });
});

suite('$-topics', (test) => {
  const names = ['$SYS/x', '$aws/things/t/shadow/update/delta', '$x', '$', '$share/g/x', '$/a'];

  test.each([3, 4, 5], 'clients do not publish to them', async (w, v) => {
    const watcher = await w.raw(5);
    await watcher.subscribe(['#', '+/#', '+/x', '$SYS/#', '$aws/things/#', '$x', '$/+', '$']);
    for (const topic of names) {
      for (const qos of [0, 1]) {
        const before = await w.server.metrics();
        const raw = await w.raw(v);
        raw.publish(topic, 'x', { qos });
        if (v === 5 && qos === 1) {
          const puback = await raw.expect('puback', { code: 0x87 });
          assert.ok(puback.props.reasonString, 'a reason string');
          await raw.expectNothing();  // it may go on
        } else {
          await raw.expectRefusal(0x87);
        }
        assert.ok((await w.server.grown(before, /refused/)).length > 0, 'a metric counts it');
      }
    }
    await watcher.expectNothing();
  });

  test('subscribing to them is granted', async (w) => {
    const raw = await w.raw(5);
    const filters = ['$SYS/#', '$aws/things/+/shadow/update/accepted', '$x/+', '$'];
    assert.deepEqual(await raw.subscribe(filters), [0, 0, 0, 0]);
  });

  test('a $ that is not in front is ordinary', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic('$a/+'));
    await raw.published(w.topic('$a/$b'), 'x');
    assert.equal((await raw.message()).topic, w.topic('$a/$b'));
  });
}, { env: { GNOMON_SYS_INTERVAL: '0' } });  // whatever comes from there is a client's
