// Sessions over a restart of the server, in good order and by kill -9: nothing that was acknowledged
// is forgotten, nothing that was ended comes back.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { pass } from '../harness/raw.mjs';
import { back, durable, expectOnlyMarker, leave, numbered, staying, stayingJs, texts }
  from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

for (const signal of ['SIGTERM', 'SIGKILL']) {
  suite(`sessions over ${signal}`, (test) => {
    test.each([4, 5], 'the session, its subscriptions and its queue', async (w, v) => {
      const id = await leave(w, v, [{ filter: w.topic('+'), qos: 2 },
        { filter: w.topic('zero'), qos: 0 }]);
      const publisher = await w.raw(5);
      for (let n = 0; n < 20; ++n) await publisher.published(w.topic('a'), `${n}`, { qos: 1 + n % 2 });
      for (let round = 0; round < 2; ++round) await w.server.restart(signal);
      const raw = await back(w, v, id);
      const got = await raw.messages(20, { ack: false });
      assert.deepEqual(got.map((m) => [m.text, m.qos]), numbered(20).map((n) => [n, 1 + n % 2]));
      for (const { packetId, qos } of got) {
        if (qos === 1) raw.send(codec.ack('puback', packetId));
        else await raw.complete(packetId);
      }
      const later = await w.raw(5);
      later.publish(w.topic('live'), 'QoS 0');
      assert.equal((await raw.message()).text, 'QoS 0');
      await expectOnlyMarker(w, raw, w.topic('marker'));
      later.publish(w.topic('zero'), 'to the filter of QoS 0');
      assert.equal((await raw.message()).text, 'to the filter of QoS 0');
    });

    test.each([4, 5], 'sessions of clients that were there when it ended', async (w, v) => {
      const id = unique('id');
      const raw = await back(w, v, id, { present: false });
      await raw.subscribe({ filter: w.topic(), qos: 1 });
      await w.server.restart(signal);
      const publisher = await w.raw(5);
      await publisher.published(w.topic(), 'before the return');
      const again = await back(w, v, id);
      assert.equal((await again.message()).text, 'before the return');
      await expectOnlyMarker(w, again, w.topic());
    });

    test.each([4, 5], 'what was sent and not acknowledged: ids, order, DUP', async (w, v) => {
      const id = unique('id');
      const raw = await back(w, v, id, { present: false });
      await raw.subscribe({ filter: w.topic(), qos: 2 });
      const publisher = await w.raw(4);
      const kinds = [1, 2, 2, 1, 2];
      for (const [n, qos] of kinds.entries()) await publisher.published(w.topic(), `${n}`, { qos });
      const sent = await raw.messages(5, { ack: false });
      raw.send(codec.ack('pubrec', sent[2].packetId));
      await raw.expect('pubrel', { packetId: sent[2].packetId });
      for (let round = 0; round < 2; ++round) {
        await w.server.restart(signal);
        const again = await back(w, v, id);
        const got = [];
        while (got.length < 5) got.push(await again.next());
        const releases = got.filter((packet) => packet.type === 'pubrel');
        assert.deepEqual(releases.map((m) => m.packetId), [sent[2].packetId]);
        const messages = got.filter((packet) => packet.type === 'publish');
        assert.deepEqual(messages.map((m) => [m.packetId, m.text, m.qos]),
          [0, 1, 3, 4].map((n) => [sent[n].packetId, `${n}`, kinds[n]]));
        assert.ok(messages.every((m) => m.dup), 'DUP is set');
        if (round === 0) continue;
        again.send(codec.ack('pubcomp', sent[2].packetId));
        for (const { packetId, qos } of messages) {
          if (qos === 1) again.send(codec.ack('puback', packetId));
          else await again.complete(packetId);
        }
        await again.fence();
        await again.goodbye();
        await expectOnlyMarker(w, await back(w, v, id), w.topic());
      }
    });

    test.each([4, 5], 'QoS 2 of a publisher: its packet id is remembered', async (w, v) => {
      const away = await leave(w, 5, { filter: w.topic(), qos: 2 });
      const id = unique('id');
      let raw = await back(w, v, id, { present: false });
      const send = (text, packetId, dup) =>
        raw.publish(w.topic(), text, { qos: 2, packetId, dup });
      send('1', 7, false);
      await raw.expect('pubrec', { packetId: 7 });
      send('2', 8, false);
      await raw.expect('pubrec', { packetId: 8 });
      raw.send(codec.ack('pubrel', 8));
      await raw.expect('pubcomp', { packetId: 8 });
      await w.server.restart(signal);
      raw = await back(w, v, id);
      send('1', 7, true);
      assert.ok((await raw.expect('pubrec', { packetId: 7 })).code < 0x80);
      raw.send(codec.ack('pubrel', 7));
      await raw.expect('pubcomp', { packetId: 7, code: 0 });
      send('3', 8, false);  // its id was free: a new message
      await raw.expect('pubrec', { packetId: 8 });
      await w.server.restart(signal);
      raw = await back(w, v, id);
      raw.send(codec.ack('pubrel', 8));  // answered, whatever is known of it
      await raw.expect('pubcomp', { packetId: 8 });
      const subscriber = await back(w, 5, away);
      assert.deepEqual(texts(await subscriber.messages(3)), ['1', '2', '3']);
      await subscriber.expectNothing();
    });

    test.each([4, 5], 'what was unsubscribed stays so', async (w, v) => {
      const id = await leave(w, v, ['a', 'b'].map((t) => ({ filter: w.topic(t), qos: 1 })));
      const raw = await back(w, v, id);
      await raw.unsubscribe(w.topic('a'));
      await w.server.restart(signal);
      const publisher = await w.raw(5);
      await publisher.published(w.topic('a'), 'no');
      const again = await back(w, v, id);
      await publisher.published(w.topic('a'), 'no');
      await expectOnlyMarker(w, again, w.topic('b'));
    });

    test.each([4, 5], 'a session that was ended stays so', async (w, v) => {
      const id = await leave(w, v, { filter: w.topic(), qos: 1 });
      const publisher = await w.raw(5);
      await publisher.published(w.topic(), 'x');
      const clean = await w.raw(v, { id });
      await clean.fence();
      await w.server.restart(signal);
      const raw = await back(w, v, id, { present: false });
      await (await w.raw(5)).published(w.topic(), 'y');
      await raw.expectNothing();
    });

    test('options, identifiers and properties (5)', async (w) => {
      const id = await leave(w, 5,
        { filter: w.topic('#'), qos: 1, retainAsPublished: true, noLocal: true },
        { subscription: { subscriptionId: 268435455 } });
      const props = { contentType: 'c', user: [['b', '1'], ['a', '2'], ['b', '1']] };
      const before = await w.raw(5);
      await before.published(w.topic('a'), 'before', { retain: true, props });
      await w.server.restart(signal);
      const after = await w.raw(5);
      await after.published(w.topic('b'), 'after', { retain: true, props });
      const raw = await back(w, 5, id);
      for (const text of ['before', 'after']) {
        const message = await raw.message();
        assert.deepEqual([message.text, message.retain], [text, true]);
        assert.deepEqual(message.props, { ...props, subscriptionId: [268435455] });
      }
      await raw.published(w.topic('c'), 'own');
      await expectOnlyMarker(w, raw, w.topic('d'));
    });

    test('expiry of messages and of sessions goes on while it is down (5)', async (w) => {
      const topic = w.topic();
      const stays = await leave(w, 5, { filter: topic, qos: 1 });
      const ends = await leave(w, 5, { filter: topic, qos: 1 }, staying(5, { expiry: 2 }));
      const shortened = await w.raw(5, { id: unique('id'), ...staying(5) });
      await shortened.goodbye({ props: { sessionExpiry: 0 } });
      const publisher = await w.raw(5);
      await publisher.published(topic, 'short', { props: { messageExpiry: 2 } });
      await publisher.published(topic, 'long', { props: { messageExpiry: 100 } });
      await w.server.restart(signal, { between: () => pass(3100) });
      await back(w, 5, ends, { present: false });
      const message = await (await back(w, 5, stays)).message();
      assert.equal(message.text, 'long');
      const left = message.props.messageExpiry;
      assert.ok(left >= 70 && left <= 97, `${left} s are left`);
    });

    test.each([4, 5], 'MQTT.js: offline, QoS 2, resumed', async (w, v) => {
      const options = { clientId: unique('js'), ...stayingJs(v) };
      const first = await w.client(v, options);
      await first.subscribeAsync(w.topic('#'), { qos: 2 });
      await first.endAsync();
      const publisher = await w.client(v);
      for (const text of numbered(10)) await publisher.publishAsync(w.topic('x'), text, { qos: 2 });
      await w.server.restart(signal);
      const second = await w.client(v, options);
      assert.equal(second.connack.sessionPresent, true);
      assert.deepEqual(texts(await second.inbox.take(10)), numbered(10));
      const later = await w.client(v);
      await later.publishAsync(w.topic('x'), 'live', { qos: 2 });
      assert.equal((await second.inbox.one()).text, 'live');
      assert.deepEqual(second.inbox.messages, []);
    });

    test('hundreds of sessions', async (w) => {
      const count = 300;
      const ids = Array.from({ length: count }, () => unique('many'));
      const version = (i) => [4, 5][i % 2];
      await Promise.all(ids.map((id, i) => leave(w, version(i),
        [{ filter: w.topic(`${i}`), qos: 1 }, { filter: w.topic('all'), qos: 1 }], { id })));
      const publisher = await w.raw(5);
      await publisher.published(w.topic('all'), 'to all');
      for (let i = 0; i < count; i += 7) await publisher.published(w.topic(`${i}`), `to ${i}`);
      await w.server.restart(signal);
      await Promise.all(ids.map(async (id, i) => {
        const raw = await back(w, version(i), id);
        const expected = i % 7 === 0 ? ['to all', `to ${i}`] : ['to all'];
        assert.deepEqual(texts(await raw.messages(expected.length)), expected);
        await raw.goodbye();
      }));
    });
  }, durable);
}

suite('what a restart takes away', (test) => {
  test.each([4, 5], 'clean sessions, wherever their clients were', async (w, v) => {
    const id = unique('id');
    const raw = await w.raw(v, { id });
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    await w.server.restart();
    const again = await w.raw(v, { id, clean: false });
    assert.equal(again.connack.sessionPresent, false);
    await again.published(w.topic(), 'x');
    await again.expectNothing();
  });

  test('another number of shards finds every session', async (w) => {
    const ids = await Promise.all(Array.from({ length: 20 }, () =>
      leave(w, 5, { filter: w.topic(), qos: 1 })));
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x');
    for (const shards of [3, 1]) {
      await w.server.restart('SIGTERM', { shards });
      for (const id of ids) {
        const raw = await back(w, 5, id);
        raw.destroy();
        await raw.close();
      }
    }
    for (const id of ids) assert.equal((await (await back(w, 5, id)).message()).text, 'x');
  });
}, durable);
