// Shared subscriptions (MQTT 5 §4.8.2), in 3.1.1 too: each message of a group goes to one member,
// and none is lost while one of them has a session that lasts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { back, durable, leave, numbered, staying, stayingJs, texts } from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

const sorted = (list) => [...list].sort((a, b) => a - b);

suite('shared subscriptions', (test) => {
  test.each([4, 5], 'MQTT.js: members take turns, groups and plain subscribers get all', async (w, v) => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => w.client(v)));
    const [a, b, other, plain] = clients;
    for (const client of [a, b]) await client.subscribeAsync(`$share/g/${w.topic('#')}`, { qos: 2 });
    await other.subscribeAsync(`$share/other/${w.topic('+')}`, { qos: 1 });
    await plain.subscribeAsync(w.topic('#'), { qos: 0 });
    for (let n = 0; n < 30; ++n) await plain.publishAsync(w.topic('x'), `${n}`, { qos: n % 3 });
    const [fromA, fromB] = [await a.inbox.take(15), await b.inbox.take(15)];
    assert.deepEqual(sorted(texts([...fromA, ...fromB])), numbered(30));
    assert.deepEqual(texts(await other.inbox.take(30)).length, 30);
    assert.deepEqual(texts(await plain.inbox.take(30)).length, 30);
    assert.ok([...fromA, ...fromB].every((m) => m.qos === Number(m.text) % 3));
  });

  test('MQTT.js: a member that is cut off loses nothing to the group', async (w) => {
    const worker = () => w.client(5, { ...stayingJs(5), clientId: unique('worker') });
    const [a, b] = [await worker(), await worker()];
    for (const client of [a, b]) await client.subscribeAsync(`$share/g/${w.topic()}`, { qos: 1 });
    a.removeAllListeners('message');  // it takes what comes
    a.stream.pause();                 // and then nothing more
    const publisher = await w.client(5);
    for (let n = 0; n < 20; ++n) await publisher.publishAsync(w.topic(), `${n}`, { qos: 1 });
    const mine = texts(await b.inbox.take(10));
    a.stream.destroy();
    const all = [...mine, ...texts(await b.inbox.take(10))];
    assert.deepEqual(sorted(all), numbered(20));
  });

  test.each([4, 5], 'SUBACK grants the QoS; UNSUBSCRIBE ends it', async (w, v) => {
    const raw = await w.raw(v);
    const filter = `$share/g/${w.topic('#')}`;
    assert.deepEqual(await raw.subscribe([0, 1, 2].map((qos) => ({ filter, qos }))), [0, 1, 2]);
    if (v === 5) {
      assert.deepEqual(await raw.unsubscribe([filter, filter, w.topic('#')]), [0, 0x11, 0x11]);
      assert.notEqual(raw.connack.props.sharedAvailable, 0);
    } else {
      await raw.unsubscribe([filter]);
    }
    const publisher = await w.raw(5);
    await publisher.published(w.topic('x'), 'nobody wants it', { qos: 1 });
    await raw.expectNothing();
  });

  test('a subscription identifier comes along; no local is a protocol error', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe({ filter: `$share/g/${w.topic()}`, qos: 1 }, { subscriptionId: 77 });
    await raw.published(w.topic(), 'x', { qos: 1 });
    assert.deepEqual((await raw.message()).props.subscriptionId, [77]);
    raw.subscribe({ filter: `$share/g/${w.topic()}`, noLocal: true }).catch(() => {});
    await raw.expectRefusal(0x82);
  });

  test('a malformed $share filter is a bad filter', async (w) => {
    const filters = ['$share', '$share/', '$share/g', '$share/g/', '$share//a', '$share/g+/a',
      '$share/#/a', '$share/g/a/#/b'];
    const v5 = await w.raw(5);
    assert.deepEqual(await v5.subscribe(filters), filters.map(() => 0x8f));
    const v4 = await w.raw(4);
    assert.deepEqual(await v4.subscribe(filters), filters.map(() => 0x80));
  });

  test('what is retained is not replayed', async (w) => {
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'old', { qos: 1, retain: true });
    const raw = await w.raw(5);
    await raw.subscribe({ filter: `$share/g/${w.topic()}`, qos: 1 });
    await raw.expectNothing();
    await publisher.published(w.topic(), 'new', { qos: 1, retain: true });
    const message = await raw.message();
    assert.deepEqual([message.text, message.retain], ['new', false]);
  });

  test('a will reaches one member', async (w) => {
    const members = [await w.client(5), await w.client(4)];
    for (const client of members) {
      await client.subscribeAsync([`$share/g/${w.topic('will')}`, w.topic('marker')], { qos: 1 });
    }
    const first = Promise.race(members.map((client) => once(client, 'message')));
    (await w.raw(5, { will: { topic: w.topic('will'), payload: 'bye', qos: 1 } })).destroy();
    await first;
    await (await w.raw(5)).published(w.topic('marker'), 'marker', { qos: 1 });
    let wills = 0;
    for (const { inbox } of members) {
      for (let message; (message = await inbox.one()).text !== 'marker';) ++wills;
    }
    assert.equal(wills, 1);
  });

  test('QoS 1 without an acknowledgement goes to another; a refusal is the end of it', async (w) => {
    const [a, b] = [await w.raw(5), await w.raw(5)];
    const filter = { filter: `$share/g/${w.topic()}`, qos: 1 };
    await a.subscribe(filter);
    const publisher = await w.raw(5);
    for (let n = 0; n < 3; ++n) await publisher.published(w.topic(), `${n}`, { qos: 1 });
    const got = await a.messages(3, { ack: false });
    await b.subscribe(filter);
    const { ack } = await import('../harness/codec.mjs');
    a.send(ack('puback', got[0].packetId), ack('puback', got[1].packetId, 0x80));
    await a.fence();
    a.destroy();
    assert.equal((await b.message()).text, '2');
    await b.expectNothing();
  });
});

suite('share groups that keep', (test) => {
  test.each([4, 5], 'messages for members that are away, in order', async (w, v) => {
    const filter = { filter: `$share/g/${w.topic('+')}`, qos: 2 };
    const ids = [await leave(w, v, filter), await leave(w, v, filter)];
    const publisher = await w.raw(5);
    for (let n = 0; n < 40; ++n) await publisher.published(w.topic('a'), `${n}`, { qos: 1 + n % 2 });
    const raw = await back(w, v, ids[1]);
    const got = texts(await raw.messages(40));
    const ofQos = (qos, list) => list.filter((n) => 1 + n % 2 === qos);  // §4.6: each in order
    for (const qos of [1, 2]) assert.deepEqual(ofQos(qos, got), ofQos(qos, numbered(40)));
    await raw.expectNothing();
    await raw.goodbye();
    await (await back(w, v, ids[0])).expectNothing();
  });

  test('a clean member takes what piled up for one that is away', async (w) => {
    await leave(w, 5, { filter: `$share/g/${w.topic()}`, qos: 1 });
    const publisher = await w.raw(5);
    for (let n = 0; n < 10; ++n) await publisher.published(w.topic(), `${n}`, { qos: 1 });
    const raw = await w.raw(5);
    await raw.subscribe({ filter: `$share/g/${w.topic()}`, qos: 1 });
    assert.deepEqual(texts(await raw.messages(10)), numbered(10));
  });

  test('nothing is kept once the last session has ended', async (w) => {
    const id = await leave(w, 5, { filter: `$share/g/${w.topic()}`, qos: 1 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'for nobody', { qos: 1 });
    await (await w.raw(5, { id, clean: true })).goodbye();
    const raw = await w.raw(5, { id, ...staying(5) });
    await raw.subscribe({ filter: `$share/g/${w.topic()}`, qos: 1 });
    await raw.expectNothing();
  });

  for (const signal of ['SIGTERM', 'SIGKILL']) {
    test.each([4, 5], `the group and its queue survive ${signal}`, async (w, v) => {
      const filter = { filter: `$share/g/${w.topic('#')}`, qos: 2 };
      const id = await leave(w, v, filter);
      const online = unique('online');
      const there = await back(w, v, online, { present: false });
      await there.subscribe(filter);
      const publisher = await w.raw(5);
      for (let n = 0; n < 12; ++n) await publisher.published(w.topic('x'), `${n}`, { qos: 1 + n % 2 });
      const before = await there.messages(12, { ack: false });
      await w.server.restart(signal);
      // QoS 2 is with the session that was given it, QoS 1 with the group.
      const raw = await back(w, v, id);
      const ones = before.filter((m) => m.qos === 1).map((m) => m.text);
      assert.deepEqual(texts(await raw.messages(ones.length)), ones);
      const again = await back(w, v, online);
      const twos = before.filter((m) => m.qos === 2).map((m) => m.text);
      assert.deepEqual(texts(await again.messages(twos.length)), twos);
      const later = await w.raw(5);
      later.publish(w.topic('x'), 'live');
      const first = await Promise.any([raw.message(), again.message()]);
      assert.equal(first.text, 'live');
    });
  }

  test('many messages, several members, everything once', async (w) => {
    const total = 3000;
    const members = [];
    for (let n = 0; n < 4; ++n) {
      const client = await w.client(5, n % 2 ? stayingJs(5) : {});
      await client.subscribeAsync(`$share/g/${w.topic('+')}`, { qos: 2 });
      members.push(client);
    }
    const publisher = await w.client(5);
    for (let sent = []; sent.length < total;) {  // MQTT.js does not keep to a Receive Maximum
      const some = numbered(500, sent.length).map((n) =>
        publisher.publishAsync(w.topic(`${n % 7}`), n, { qos: 1 + n % 2 }));
      sent = sent.concat(await Promise.all(some));
    }
    const count = () => members.reduce((sum, m) => sum + m.inbox.messages.length, 0);
    while (count() < total) await Promise.race(members.map((m) => once(m, 'message')));
    const all = members.flatMap((m) => texts(m.inbox.messages));
    assert.deepEqual(sorted(all), numbered(total));
    for (const member of members) assert.ok(member.inbox.messages.length > total / 16, 'a fair share');
  });
}, durable);
