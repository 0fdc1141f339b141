// Sessions that outlive their connection: when they stay and end, and what waits for their client.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { pass } from '../harness/raw.mjs';
import { back, durable, expectOnlyMarker, leave, numbered, staying, stayingJs, texts }
  from '../harness/sessions.mjs';
import { suite, unique, versionName } from '../harness/suite.mjs';

// The session is over after `ms`, or soon after. Asking resumes it for another second, so nobody
// asks while that time goes by.
async function expectItEnds(w, id, ms = 1500) {
  for (let tries = 0; tries < 4; ++tries) {
    await pass(ms);
    const raw = await w.raw(5, { id, ...staying(5, { expiry: 1 }) });
    if (!raw.connack.sessionPresent) return;
    await raw.goodbye();
  }
  assert.fail(`the session of ${id} does not end`);
}

suite('sessions', (test) => {
  test('CONNACK announces what there is (5)', async (w) => {
    const { props } = (await w.raw(5)).connack;
    for (const name of ['maximumQos', 'sessionExpiry']) assert.equal(props[name], undefined, name);
    for (const name of ['retainAvailable', 'wildcardAvailable', 'subscriptionIdsAvailable']) assert.ok([undefined, 1].includes(props[name]), name);
  });

  test.each([4, 5], 'a session is present once it has been made', async (w, v) => {
    const id = unique('id');
    for (const present of [false, true, true]) {
      await (await back(w, v, id, { present })).goodbye();
    }
    const clean = await w.raw(v, { id });
    assert.equal(clean.connack.sessionPresent, false, 'a clean start');
    await clean.goodbye();
    await back(w, v, id, { present: false });
  });

  test('a clean start begins a session that may stay (5)', async (w) => {
    const id = unique('id');
    const first = await w.raw(5, { id, ...staying(5), clean: true });
    await first.subscribe({ filter: w.topic(), qos: 1 });
    await first.goodbye();
    const second = await back(w, 5, id);
    await expectOnlyMarker(w, second, w.topic());
  });

  test('without an expiry it ends with its connection (5)', async (w) => {
    const id = unique('id');
    const first = await w.raw(5, { id, clean: false });
    await first.subscribe({ filter: w.topic(), qos: 1 });
    await first.goodbye();
    const second = await w.raw(5, { id, clean: false });
    assert.equal(second.connack.sessionPresent, false);
    await second.published(w.topic(), 'to nobody');
    await second.expectNothing();
  });

  test('more than seven days becomes seven days (5)', async (w) => {
    const week = 7 * 24 * 3600;
    for (const [asked, announced] of [[0xffffffff, [week]], [week + 1, [week]],
      [week, [undefined, week]], [100, [undefined, 100]]]) {
      const raw = await w.raw(5, { id: unique(), ...staying(5, { expiry: asked }) });
      assert.ok(announced.includes(raw.connack.props.sessionExpiry),
        `${asked}: ${raw.connack.props.sessionExpiry}`);
    }
  });

  test('that it does not end can be allowed, and then before MQTT 5 it does not (5)', async (w) => {
    const never = 0xffffffff;
    await w.server.restart('SIGTERM', { env: { GNOMON_SESSION_EXPIRY_MAX: String(never) } });
    const ids = [];
    for (const asked of [never, never - 1, 100]) {
      const raw = await w.raw(5, { id: unique(), ...staying(5, { expiry: asked }) });
      assert.ok([undefined, asked].includes(raw.connack.props.sessionExpiry), `${asked}`);
      ids.push(await leave(w, 5, { filter: w.topic(), qos: 1 }, staying(5, { expiry: asked })));
    }
    const old = await leave(w, 4, { filter: w.topic(), qos: 1 });
    await w.server.restart();  // what was promised is not taken back
    for (const id of ids) await back(w, 5, id);
    await back(w, 4, old);
  });

  test.each([3, 4, 5], 'it stays however the connection ends', async (w, v) => {
    const id = await leave(w, v, { filter: w.topic(), qos: 1 });
    for (const end of [(raw) => raw.destroy(), (raw) => raw.socket.resetAndDestroy(),
      (raw) => raw.send(Buffer.from([0xf0, 0x00])), (raw) => raw.goodbye()]) {
      const raw = await back(w, v, id);
      await end(raw);
      await raw.close();
    }
    await expectOnlyMarker(w, await back(w, v, id), w.topic());
  });

  for (const qos of [1, 2]) {
    test.each([4, 5], `MQTT.js: what came meanwhile, in order, QoS ${qos}`, async (w, v) => {
      const options = { clientId: unique('js'), ...stayingJs(v) };
      const first = await w.client(v, options);
      assert.equal(first.connack.sessionPresent, false);
      await first.subscribeAsync(w.topic('#'), { qos: 2 });
      await first.endAsync();
      const publisher = await w.client(v === 4 ? 5 : 4);
      for (const text of numbered(30)) await publisher.publishAsync(w.topic(text), text, { qos });
      const second = await w.client(v, options);
      assert.equal(second.connack.sessionPresent, true);
      const got = await second.inbox.take(30);
      assert.deepEqual(texts(got), numbered(30));
      assert.ok(got.every((message) => message.qos === qos));
      await publisher.publishAsync(w.topic('live'), 'live', { qos });
      assert.deepEqual(texts(await second.inbox.take(1)), ['live']);
      assert.deepEqual(second.inbox.messages, []);
    });
  }

  test.each([3, 4, 5], 'QoS 1 and 2 mixed wait in order, sent for the first time', async (w, v) => {
    const id = await leave(w, v, [{ filter: w.topic('+'), qos: 2 }, { filter: w.topic('b'), qos: 1 }]);
    const publisher = await w.raw(5);
    for (const [n, topic, qos] of [[0, 'a', 1], [1, 'a', 2], [2, 'b', 2], [3, 'a', 2], [4, 'b', 1]]) {
      await publisher.published(w.topic(topic), `${n}`, { qos });
    }
    const raw = await back(w, v, id);
    const got = await raw.messages(5, { ack: false });
    assert.deepEqual(texts(got), numbered(5));
    assert.deepEqual(got.map((m) => m.qos), [1, 2, 2, 2, 1], 'the higher of two filters');
    assert.deepEqual(got.map((m) => [m.dup, m.retain]), got.map(() => [false, false]));
    assert.equal(new Set(got.map((m) => m.packetId)).size, 5);
    for (const { packetId, qos } of got) {
      if (qos === 1) raw.send(codec.ack('puback', packetId));
      else await raw.complete(packetId);
    }
    await raw.expectNothing();
  });

  test.each([4, 5], 'thousands wait, large ones too', async (w, v) => {
    const count = 3000;
    const id = await leave(w, v, { filter: w.topic(), qos: 1 });
    const publisher = await w.raw(4);
    const payload = (n) => Buffer.from(`${n} ${'x'.repeat(n % 500 === 0 ? 100_000 : n % 300)}`);
    for (let n = 0; n < count; n += 100) {
      publisher.send(...Array.from({ length: 100 }, (_, k) => codec.publish({ v: 4, topic: w.topic(),
        payload: payload(n + k), qos: 1, packetId: n + k + 1 })));
      for (let k = 0; k < 100; ++k) await publisher.expect('puback', { packetId: n + k + 1 });
    }
    const raw = await back(w, v, id);
    for (let n = 0; n < count; ++n) {
      assert.ok((await raw.message()).payload.equals(payload(n)), `message ${n}`);
    }
    await raw.expectNothing();
  });

  test.each([3, 4, 5], 'QoS 0 does not wait, neither sent nor subscribed', async (w, v) => {
    const id = await leave(w, v, [{ filter: w.topic('zero'), qos: 0 },
      { filter: w.topic('one'), qos: 1 }]);
    const publisher = await w.raw(5);
    await publisher.published(w.topic('zero'), 'subscribed with 0');
    publisher.publish(w.topic('one'), 'sent with 0');
    await publisher.published(w.topic('one'), 'kept');
    const raw = await back(w, v, id);
    assert.equal((await raw.message()).text, 'kept');
    publisher.publish(w.topic('one'), 'live 0');
    assert.equal((await raw.message()).text, 'live 0');
    await publisher.published(w.topic('zero'), 'live 1');
    const live = await raw.message();
    assert.deepEqual([live.text, live.qos], ['live 1', 0], 'the subscription is there');
    await raw.expectNothing();
  });

  test.each([3, 4, 5], 'who is there gets QoS 0, 1 and 2', async (w, v) => {
    const raw = await back(w, v, unique('id'), { present: false });
    assert.deepEqual(await raw.subscribe({ filter: w.topic(), qos: 2 }), [2]);
    const publisher = await w.raw(v);
    for (const qos of [0, 1, 2]) {
      if (qos === 0) publisher.publish(w.topic(), '0');
      else await publisher.published(w.topic(), `${qos}`, { qos });
      const message = await raw.message();
      assert.deepEqual([message.text, message.qos], [`${qos}`, qos]);
    }
    await raw.expectNothing();
  });

  test.each([4, 5], 'what is unsubscribed does not come any more', async (w, v) => {
    const filters = [w.topic('a'), w.topic('b')].map((filter) => ({ filter, qos: 1 }));
    const id = await leave(w, v, filters);
    const raw = await back(w, v, id);
    await raw.unsubscribe(w.topic('a'));
    await raw.goodbye();
    const publisher = await w.raw(5);
    await publisher.published(w.topic('a'), 'no');
    await publisher.published(w.topic('b'), 'yes');
    const again = await back(w, v, id);
    assert.equal((await again.message()).text, 'yes');
    await publisher.published(w.topic('a'), 'no');
    await expectOnlyMarker(w, again, w.topic('b'));
  });

  test('subscribing again replaces the options for what comes later (5)', async (w) => {
    const id = await leave(w, 5, { filter: w.topic(), qos: 2 }, { subscription: { subscriptionId: 1 } });
    await leave(w, 5, { filter: w.topic(), qos: 1 }, { id, subscription: { subscriptionId: 2 } });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x', { qos: 2 });
    const message = await (await back(w, 5, id)).message();
    assert.deepEqual([message.qos, message.props.subscriptionId], [1, [2]]);
  });

  test('identifiers, retain-as-published and properties wait too (5)', async (w) => {
    const id = unique('id');
    await leave(w, 5, { filter: w.topic('#'), qos: 1, retainAsPublished: true },
      { id, subscription: { subscriptionId: 7 } });
    await leave(w, 5, { filter: w.topic('a'), qos: 1 }, { id, subscription: { subscriptionId: 300 } });
    const plain = await leave(w, 5, { filter: w.topic('#'), qos: 1 });
    const old = await leave(w, 4, { filter: w.topic('#'), qos: 1 });
    const props = { payloadFormat: 1, contentType: 'text/plain', responseTopic: 'a/b',
      correlationData: Buffer.from('id'), user: [['b', '1'], ['a', '2'], ['b', '1']] };
    const publisher = await w.raw(5);
    await publisher.published(w.topic('a'), 'x', { retain: true, props });
    const message = await (await back(w, 5, id)).message();
    const { subscriptionId, ...others } = message.props;
    assert.deepEqual(subscriptionId.sort((a, b) => a - b), [7, 300]);
    assert.deepEqual(others, props);
    assert.equal(message.retain, true, 'as published');
    const second = await (await back(w, 5, plain)).message();
    assert.deepEqual([second.retain, second.props], [false, props]);
    assert.equal((await (await back(w, 4, old)).message()).retain, false);
  });

  test('no-local: own messages do not wait (5)', async (w) => {
    const id = unique('id');
    const raw = await back(w, 5, id, { present: false });
    await raw.subscribe({ filter: w.topic(), qos: 1, noLocal: true });
    await raw.published(w.topic(), 'own');
    const other = await w.raw(5);
    await other.published(w.topic(), 'foreign');
    assert.equal((await raw.message({ ack: false })).text, 'foreign');
    await raw.published(w.topic(), 'own again');
    await raw.goodbye();
    const again = await back(w, 5, id);
    assert.equal((await again.message()).text, 'foreign');
    await again.published(w.topic(), 'own after the return');
    await expectOnlyMarker(w, again, w.topic());
  });

  test('a message expires while it waits, another counts down (5)', async (w) => {
    const ids = [await leave(w, 5, { filter: w.topic(), qos: 2 }),
      await leave(w, 4, { filter: w.topic(), qos: 2 })];
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'short', { props: { messageExpiry: 1 } });
    await publisher.published(w.topic(), 'short', { qos: 2, props: { messageExpiry: 1 } });
    await publisher.published(w.topic(), 'long', { props: { messageExpiry: 100 } });
    await publisher.published(w.topic(), 'for ever');
    await pass(2100);
    for (const [i, v] of [[0, 5], [1, 4]]) {
      const [long, always] = await (await back(w, v, ids[i])).messages(2);
      assert.deepEqual([long.text, always.text], ['long', 'for ever']);
      if (v === 4) continue;
      const left = long.props.messageExpiry;
      assert.ok(left >= 80 && left <= 98, `${left} s are left`);
      assert.equal(always.props.messageExpiry, undefined);
    }
  });

  test('a message that is larger than the client takes is passed over (5)', async (w) => {
    const id = await leave(w, 5, { filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x'.repeat(5000));
    await publisher.published(w.topic(), 'small');
    const raw = await back(w, 5, id, staying(5, { maximumPacketSize: 1000 }));
    assert.equal((await raw.message()).text, 'small');
    await raw.expectNothing();
  });

  for (const [before, after] of [[4, 5], [5, 4], [3, 5], [5, 3], [3, 4]]) {
    const names = `${versionName[before]}, resumed with ${versionName[after]}`;
    test(`made with ${names}`, async (w) => {
      const id = await leave(w, before, { filter: w.topic(), qos: 2 });
      const publisher = await w.raw(5);
      const props = { contentType: 'c', user: [['k', 'v']] };
      await publisher.published(w.topic(), '1', { qos: 1, props });
      await publisher.published(w.topic(), '2', { qos: 2, props });
      const raw = await back(w, after, id);
      const got = await raw.messages(2);
      assert.deepEqual(got.map((m) => [m.text, m.qos]), [['1', 1], ['2', 2]]);
      if (after === 5) assert.deepEqual(got[0].props, props);
      await raw.goodbye();
      await expectOnlyMarker(w, await back(w, before, id), w.topic());
    });
  }
}, durable);

suite('the end of a session', (test) => {
  test('its expiry (5)', async (w) => {
    const stays = await leave(w, 5, { filter: w.topic(), qos: 1 });
    const id = await leave(w, 5, { filter: w.topic(), qos: 1 }, staying(5, { expiry: 1 }));
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x');
    await expectItEnds(w, id);
    const raw = await w.raw(5, { id, ...staying(5) });
    await raw.expectNothing();
    await publisher.published(w.topic(), 'y');
    await raw.expectNothing();
    assert.deepEqual(texts(await (await back(w, 5, stays)).messages(2)), ['x', 'y']);
  });

  test('it does not end while its client is there (5)', async (w) => {
    const id = unique('id');
    const raw = await w.raw(5, { id, ...staying(5, { expiry: 1 }) });
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    await pass(2500);
    raw.destroy();
    await expectOnlyMarker(w, await back(w, 5, id), w.topic());
  });

  test('DISCONNECT makes it shorter, longer, or ends it (5)', async (w) => {
    const ids = ['longer', 'over', 'same'].map(unique);
    const [longer, over, same] = await Promise.all(ids.map((id) =>
      w.raw(5, { id, ...staying(5, { expiry: 2 }) })));
    await longer.goodbye({ props: { sessionExpiry: 600 } });
    await over.goodbye({ props: { sessionExpiry: 0 } });
    await back(w, 5, ids[1], { present: false });
    await same.goodbye();
    const id = unique('shorter');
    await (await w.raw(5, { id, ...staying(5) })).goodbye({ props: { sessionExpiry: 1 } });
    await expectItEnds(w, id, 2600);
    await back(w, 5, ids[2], { present: false });
    await back(w, 5, ids[0]);
  });

  test('DISCONNECT cannot begin what CONNECT did not (5)', async (w) => {
    for (const expiry of [undefined, 0]) {
      const id = unique('id');
      const raw = await w.raw(5, { id, clean: false, props: { sessionExpiry: expiry } });
      raw.send(codec.disconnect({ props: { sessionExpiry: 600 } }));
      await raw.expectRefusal(0x82);
      await back(w, 5, id, { present: false });
    }
  });

  test.each([3, 4, 5], 'a clean start: subscriptions and queue are gone', async (w, v) => {
    const id = await leave(w, v, { filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x');
    const clean = await w.raw(v, { id });
    assert.equal(clean.connack.sessionPresent, false);
    await publisher.published(w.topic(), 'y');
    await clean.expectNothing();
    await clean.goodbye();
    const again = await back(w, v, id, { present: false });
    await publisher.published(w.topic(), 'z');
    await again.expectNothing();
  });

  test('many at once, with queues (5)', async (w) => {
    const ids = Array.from({ length: 100 }, () => unique('many'));
    await Promise.all(ids.map((id) => leave(w, 5, { filter: w.topic(), qos: 1 },
      { id, ...staying(5, { expiry: 2 }) })));
    const publisher = await w.raw(5);
    for (let n = 0; n < 20; ++n) await publisher.published(w.topic(), `${n}`);
    await expectItEnds(w, ids[0], 3000);
    for (const id of ids.slice(1)) {
      const raw = await back(w, 5, id, { present: false });
      await raw.expectNothing();
      raw.destroy();
    }
    await publisher.published(w.topic(), 'to nobody');
  });
}, { ...durable, concurrency: 4 });

suite('take-over of a session', (test) => {
  test.each([3, 4, 5], 'it goes on at the new connection', async (w, v) => {
    const id = unique('id');
    const old = await back(w, v, id, { present: false });
    await old.subscribe({ filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    for (const text of numbered(3)) await publisher.published(w.topic(), text);
    const sent = await old.messages(3, { ack: false });
    const now = await back(w, v, id);
    await old.expectRefusal(0x8e);
    const again = await now.messages(3);
    assert.deepEqual(again.map((m) => [m.text, m.packetId, m.dup]),
      sent.map((m) => [m.text, m.packetId, true]));
    await expectOnlyMarker(w, now, w.topic());
  });

  test.each([3, 4, 5], 'between clean and persistent', async (w, v) => {
    const id = unique('id');
    const topic = w.topic();
    const first = await w.raw(v, { id });
    await first.subscribe({ filter: topic, qos: 1 });
    const second = await back(w, v, id, { present: false });
    await first.expectRefusal(0x8e);
    const publisher = await w.raw(5);
    await publisher.published(topic, 'the subscription was of the clean one');
    await second.expectNothing();
    await second.subscribe({ filter: topic, qos: 1 });
    const third = await w.raw(v, { id });
    assert.equal(third.connack.sessionPresent, false);
    await second.expectRefusal(0x8e);
    await publisher.published(topic, 'the subscription was of the old session');
    await third.expectNothing();
    await third.goodbye();
    await back(w, v, id, { present: false });
  });

  test.each([4, 5], 'under load, again and again: nothing is lost', async (w, v) => {
    const id = await leave(w, v, { filter: w.topic(), qos: 1 });
    const publisher = await w.raw(5);
    const count = 600;
    let done = 0;
    const sending = (async () => {
      for (; done < count; ++done) await publisher.published(w.topic(), `${done}`);
    })();
    const seen = new Set();
    let raw = await back(w, v, id);
    while (seen.size < count) {
      for (let n = 0; n < 40 && seen.size < count; ++n) {
        const message = await raw.message();
        if (!message.dup) assert.equal(Number(message.text), seen.size, 'in order');
        seen.add(message.text);
      }
      const now = await back(w, v, id);
      raw.destroy();
      raw = now;
    }
    await sending;
  });
}, durable);
