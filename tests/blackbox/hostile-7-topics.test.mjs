// Hostile input rows 7, 8 and 14: topics that are none, too deep, or reserved.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { refused, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

// Strings that no UTF-8 string of MQTT may be (MQTT 5 §1.5.4).
const notStrings = {
  'U+0000': Buffer.from('a\0b'), 'a lone continuation byte': Buffer.from([0x61, 0x80]),
  'half a character': Buffer.from([0x61, 0xe2, 0x82]), 'an overlong slash': Buffer.from([0xc0, 0xaf]),
  'an overlong U+0000': Buffer.from([0xc0, 0x80]), 'a surrogate': Buffer.from([0xed, 0xa0, 0x80]),
  'beyond U+10FFFF': Buffer.from([0xf4, 0x90, 0x80, 0x80]), '0xFF': Buffer.from([0xff]),
  'overlong in three bytes': Buffer.from([0xe0, 0x80, 0xaf]),
  'overlong in four bytes': Buffer.from([0xf0, 0x80, 0x80, 0xaf]),
  'bad behind 40 good bytes': Buffer.from([...Buffer.from('x'.repeat(40)), 0xff]),
};

// MQTT 5, QoS 1: DISCONNECT, or PUBACK 0x90 or 0x87 and the connection goes on.
async function refusedOrToldSo(w, topic) {
  const raw = await w.raw(5);
  raw.publish(topic, 'x', { qos: 1 });
  const answer = await raw.next();
  assert.ok([0x90, 0x87, 0x81, 0x82].includes(answer.code), `${topic}: ${answer.code}`);
  if (answer.type === 'puback') await raw.expectNothing();
  else await raw.expectClose();
}

suite('row 7: topics that are none', (test) => {
  test.each([3, 4, 5], 'PUBLISH', async (w, v) => {
    await siege(w, async () => {
      for (const qos of [0, 1]) {
        const send = (topic, codes, what) => refused(
          w, codec.publish({ v, topic, qos, payload: 'x' }), codes, { v, established: true, what });
        await send('', [0x82, 0x81, 0x90], 'empty');
        for (const topic of ['+', '#', 'a/+', 'a/#', 'a+b', 'a/b#', '/#']) {
          if (v < 5 || qos === 0) await send(topic, [0x90, 0x81, 0x82], topic);
          else await refusedOrToldSo(w, topic);
        }
        for (const [what, topic] of Object.entries(notStrings)) await send(topic, [0x81], what);
      }
    });
  });

  test.each([3, 4, 5], 'SUBSCRIBE and UNSUBSCRIBE', async (w, v) => {
    await siege(w, async () => {
      for (const [what, filter] of Object.entries(notStrings)) {
        for (const packet of [codec.subscribe, codec.unsubscribe]) {
          await refused(w, packet({ v, filters: ['good', filter] }), [0x81],
            { v, established: true, what });
        }
      }
    });
  });

  test.each([3, 4, 5], 'CONNECT: client id, will topic, user name', async (w, v) => {
    await siege(w, async () => {
      for (const [what, text] of Object.entries(notStrings)) {
        const id = unique();
        const cases = [{ id: text }, { id, will: { topic: text } }, { id, username: text }];
        for (const options of cases) {
          await refused(w, codec.connect({ v, ...options }), [0x81, 0x85], { v, what, silent: true });
        }
      }
    });
  });

  test('strings in properties', async (w) => {
    await siege(w, async () => {
      for (const [what, text] of Object.entries(notStrings)) {
        for (const props of [{ user: [[text, 'x']] }, { user: [['x', text]] }, { contentType: text },
          { responseTopic: text }]) {
          await refused(w, codec.publish({ topic: 't', props }), [0x81], { established: true, what });
        }
      }
    });
  });

  test('characters that are strange but allowed', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic('#'));
    for (const text of ['\u0001', '\u007f', '\ufeff', '\uffff', '\u{1f600}', '\u{10fffe}', ' ']) {
      raw.publish(w.topic(text), text, { props: { user: [[text, text]] } });
      const message = await raw.message();
      assert.deepEqual([message.topic, message.props.user], [w.topic(text), [[text, text]]]);
    }
  });
});

suite('row 8: deep topics', (test) => {
  test.each([4, 5], '65,535 slashes', async (w, v) => {
    const deepest = '/'.repeat(65535);
    await siege(w, async () => {
      const raw = await w.raw(v);
      const filters = [deepest, '+/'.repeat(32767), `${'a/'.repeat(32767)}#`, 'a/'.repeat(32767)];
      for (const filter of filters) {
        assert.deepEqual(await raw.subscribe([filter, w.topic()]), [v === 5 ? 0x8f : 0x80, 0]);
        await raw.unsubscribe([filter]);
      }
      await refused(w, codec.publish({ v, topic: deepest }), [0x90, 0x81],
        { v, established: true });
      if (v === 5) await refusedOrToldSo(w, deepest);
      else await refused(w, codec.publish({ v, topic: deepest, qos: 1 }), [], { v, established: true });
      await refused(w, codec.connect({ v, id: unique(), will: { topic: deepest } }), [0x90],
        { v, silent: v < 5 });
    });
  });

  test('128 levels are taken, 129 are not', async (w) => {
    const levels = (count, level = 'l') => [w.prefix, ...Array(count - 1).fill(level)].join('/');
    const raw = await w.raw(5);
    assert.deepEqual(await raw.subscribe([levels(128), levels(128, '+'), levels(127, '+'),
      `${levels(127)}/#`]), [0, 0, 0, 0]);
    assert.deepEqual(await raw.subscribe([levels(129), levels(129, '+'), `${levels(128)}/#`]),
      [0x8f, 0x8f, 0x8f]);
    await raw.published(levels(128), 'x');
    assert.equal((await raw.message()).topic, levels(128));
    await raw.expectNothing();
    raw.publish(levels(129), 'x');
    await raw.expectRefusal(0x90);
  });

  test('deep wildcard filters do not make matching slow', async (w) => {
    const raw = await w.raw(5);
    // Every combination of "+" and "a" in twelve levels, to be matched with a/a/a/…
    const filters = Array.from({ length: 4096 }, (_, bits) =>
      Array.from({ length: 12 }, (_, i) => ((bits >> i) & 1 ? '+' : 'a')).join('/'));
    for (let at = 0; at < filters.length; at += 512) {
      await raw.subscribe(filters.slice(at, at + 512));
    }
    const publisher = await w.raw(5);
    await siege(w, async () => {
      for (let n = 0; n < 20; ++n) {
        await publisher.published(Array(12).fill('a').join('/'), 'x');
        await publisher.published(`${Array(12).fill('a').join('/')}/b${n}`, 'x');
        await raw.message();
      }
    }, { counted: null });
    await raw.expectNothing();
  });
});

suite('row 14: reserved topics', (test) => {
  const topics = ['$SYS/broker/uptime', '$SYS', '$aws/things/t/shadow/update/delta', '$CONTROL/x/v1', '$x',
    '$', '$share/g/t', '$aws/events/presence/connected/x', `$x${'/y'.repeat(100)}`, '$/+', '$x/#'];

  test.each([3, 4, 5], 'PUBLISH, retained or not, and wills', async (w, v) => {
    const watcher = await w.raw(5);
    await watcher.subscribe(['#', '+/#', '+', '+/+/+', '$SYS/#', '$aws/#', '$CONTROL/#', '$x/#']);
    await siege(w, async () => {
      for (const topic of topics) {
        const codes = [0x87, 0x9a, 0x90, 0x81, 0x82];
        for (const retain of [false, true]) {
          await refused(w, codec.publish({ v, topic, payload: 'x', retain }), codes,
            { v, established: true, what: topic });
          await refused(w, codec.connect({ v, id: unique(), will: { topic, retain } }), codes,
            { v, silent: v < 5, what: topic });
        }
        if (v === 5) {
          await refusedOrToldSo(w, topic);
        } else {
          const raw = await w.raw(v);
          raw.publish(topic, 'x', { qos: 1 });
          await raw.expectClose();
        }
      }
    });
    await watcher.fence();  // and nothing but the bystander's beats
    assert.ok(watcher.packets.every((packet) => !packet.topic?.startsWith('$')));
  });

  test('by an alias', async (w) => {
    const raw = await w.raw(5);
    raw.publish('$x', 'x', { qos: 1, props: { topicAlias: 1 } });
    await raw.expect('puback', { code: 0x87 });
    raw.publish('', 'x', { qos: 1, props: { topicAlias: 1 } });
    const answer = await raw.next();  // the alias was set, or it was not
    assert.ok(answer.type === 'puback' ? answer.code === 0x87 : [0x94, 0x82].includes(answer.code));
  });

  test('a client id or a filter that looks reserved is ordinary', async (w) => {
    const raw = await w.raw(5, { id: unique('$SYS') });
    assert.deepEqual(await raw.subscribe(['$SYS/#', '$aws/#', '$CONTROL/#']), [0, 0, 0]);
    await raw.unsubscribe(['$SYS/#', '$aws/#', '$CONTROL/#']);
    await raw.expectNothing();
  });
}, { env: { GNOMON_SYS_INTERVAL: '0' } });  // whatever comes from there is a client's
