// What was on its way when a connection ended goes on at the next one: to subscribers and from
// publishers, at QoS 1 and 2, with the same packet ids in the same order.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { within } from '../harness/raw.mjs';
import { back, durable, expectOnlyMarker, leave, numbered, staying, stayingJs, texts }
  from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

const wire = (messages) => messages.map((m) => [m.packetId, m.text, m.qos]);

// A subscriber that is there, and messages of these QoS that it has got and not acknowledged.
async function unacknowledged(w, v, kinds) {
  const id = unique('id');
  const raw = await back(w, v, id, { present: false });
  await raw.subscribe({ filter: w.topic(), qos: 2 });
  const publisher = await w.raw(5);
  for (const [n, qos] of kinds.entries()) await publisher.published(w.topic(), `${n}`, { qos });
  const sent = await raw.messages(kinds.length, { ack: false });
  assert.deepEqual(texts(sent), numbered(kinds.length));
  return { id, raw, publisher, sent };
}

suite('to a subscriber that comes back', (test) => {
  test.each([3, 4, 5], 'what it did not acknowledge, before what is new', async (w, v) => {
    const { id, raw, publisher, sent } = await unacknowledged(w, v, [1, 2, 1, 2, 1]);
    assert.ok(sent.every((m) => !m.dup));
    raw.destroy();
    await raw.close();
    await publisher.published(w.topic(), 'new');
    for (let round = 0; round < 2; ++round) {  // never acknowledged: it comes every time
      const again = await back(w, v, id);
      const got = await again.messages(6, { ack: false });
      assert.deepEqual(wire(got.slice(0, 5)), wire(sent));
      assert.ok(got.slice(0, 5).every((m) => m.dup), 'DUP is set');
      // The first time it may have been written to the connection that was on its way out.
      assert.equal(got[5].text, 'new');
      if (round > 0) assert.ok(got[5].dup);
      assert.ok(!sent.some((m) => m.packetId === got[5].packetId), 'an id that is in flight');
      await again.goodbye();
    }
    const last = await back(w, v, id);
    await last.messages(6);
    await last.fence();
    await last.goodbye();
    await expectOnlyMarker(w, await back(w, v, id), w.topic());
  });

  test.each([4, 5], 'what it acknowledged does not come again', async (w, v) => {
    const { id, raw, sent } = await unacknowledged(w, v, [1, 1, 1, 1, 1]);
    for (const n of [3, 0]) raw.send(codec.ack('puback', sent[n].packetId));
    await raw.fence();
    raw.destroy();
    const again = await back(w, v, id);
    assert.deepEqual(wire(await again.messages(3)), wire([sent[1], sent[2], sent[4]]));
    await again.fence();
    await again.goodbye();
    await expectOnlyMarker(w, await back(w, v, id), w.topic());
  });

  test.each([3, 4, 5], 'PUBREL without its PUBCOMP, in order', async (w, v) => {
    const { id, raw, sent } = await unacknowledged(w, v, [2, 2, 2, 2]);
    for (const n of [0, 2]) {
      raw.send(codec.ack('pubrec', sent[n].packetId));
      await raw.expect('pubrel', { packetId: sent[n].packetId });
    }
    raw.destroy();
    for (let round = 0; round < 2; ++round) {
      const again = await back(w, v, id);
      const got = [];
      while (got.length < 4) got.push(await again.next());
      const releases = got.filter((packet) => packet.type === 'pubrel');
      const messages = got.filter((packet) => packet.type === 'publish');
      assert.deepEqual(releases.map((m) => m.packetId), [sent[0].packetId, sent[2].packetId]);
      assert.deepEqual(wire(messages), wire([sent[1], sent[3]]));
      assert.ok(messages.every((m) => m.dup));
      await again.goodbye();
    }
    const last = await back(w, v, id);
    while (last.packets.length < 4) await last.fence().then((all) => last.packets.unshift(...all));
    for (const packet of last.packets.splice(0)) {
      if (packet.type === 'publish') await last.complete(packet.packetId);
      else last.send(codec.ack('pubcomp', packet.packetId));
    }
    await last.fence();
    await last.goodbye();
    await expectOnlyMarker(w, await back(w, v, id), w.topic());
  });

  test.each([4, 5], 'a PUBREC that comes twice gets its PUBREL twice', async (w, v) => {
    const { raw, sent } = await unacknowledged(w, v, [2]);
    const { packetId } = sent[0];
    for (let n = 0; n < 2; ++n) {
      raw.send(codec.ack('pubrec', packetId));
      await raw.expect('pubrel', { packetId });
    }
    raw.send(codec.ack('pubcomp', packetId));
    await raw.expectNothing();
    raw.send(codec.ack('pubrec', packetId));
    const { code } = await raw.expect('pubrel', { packetId });
    if (v === 5) assert.equal(code, 0x92, 'it is over');
  });

  test('a PUBREC or PUBACK that refuses ends the delivery (5)', async (w) => {
    const { id, raw, sent } = await unacknowledged(w, 5, [2, 1]);
    raw.send(codec.ack('pubrec', sent[0].packetId, 0x83), codec.ack('puback', sent[1].packetId, 0x83));
    await raw.expectNothing();
    await raw.goodbye();
    await expectOnlyMarker(w, await back(w, 5, id), w.topic());
  });

  test('a clean session is sent nothing again', async (w) => {
    for (const v of [4, 5]) {
      const id = unique('id');
      const raw = await w.raw(v, { id });
      await raw.subscribe({ filter: w.topic(), qos: 2 });
      const publisher = await w.raw(5);
      for (const qos of [1, 2]) await publisher.published(w.topic(), 'x', { qos });
      await raw.messages(2, { ack: false });
      raw.destroy();
      await (await w.raw(v, { id })).expectNothing();
    }
  });

  test('no more than its receive maximum, first, later and after a return (5)', async (w) => {
    const count = 12;
    const id = await leave(w, 5, { filter: w.topic(), qos: 2 });
    const publisher = await w.raw(5);
    for (let n = 0; n < count; ++n) await publisher.published(w.topic(), `${n}`, { qos: 1 + n % 2 });
    const options = staying(5, { receiveMaximum: 3 });
    let raw = await back(w, 5, id, options);
    const first = await raw.messages(3, { ack: false });
    assert.deepEqual(texts(first), ['0', '1', '2']);
    const quiet = async () => {
      for (let n = 0; n < 5; ++n) {
        await publisher.published(w.topic('other'), 'x');
        await raw.expectNothing();
      }
    };
    await quiet();
    raw.send(codec.ack('pubrec', first[1].packetId));
    await raw.expect('pubrel');
    await quiet();  // PUBREC alone frees no place
    raw.send(codec.ack('puback', first[0].packetId), codec.ack('pubcomp', first[1].packetId));
    const more = await raw.messages(2, { ack: false });
    assert.deepEqual(texts(more), ['3', '4']);
    await quiet();
    await raw.goodbye();
    raw = await back(w, 5, id, options);
    const again = await raw.messages(3, { ack: false });
    assert.deepEqual(texts(again), ['2', '3', '4']);
    assert.ok(again.every((m) => m.dup));
    await quiet();
    await raw.goodbye();
    raw = await back(w, 5, id, staying(5, { receiveMaximum: 1 }));
    for (let n = 2; n < count; ++n) {
      const message = await raw.message({ ack: false });
      assert.equal(message.text, `${n}`);
      if (n < 5) await quiet();
      if (message.qos === 1) raw.send(codec.ack('puback', message.packetId));
      else await raw.complete(message.packetId);
    }
    await raw.expectNothing();
  });

  test.each([4, 5], 'packet ids go round while one stays in flight', async (w, v) => {
    const { raw, publisher, sent: [open] } = await unacknowledged(w, v, [1]);
    const total = 66_000;
    for (let done = 0; done < total; done += 1000) {
      publisher.send(...Array.from({ length: 1000 }, (_, k) => codec.publish({
        topic: w.topic(), payload: `${done + k}`, qos: 1, packetId: k + 1 })));
      for (let k = 0; k < 1000; ++k) {
        let message = await raw.message({ ms: 3000 }).catch(() => null);
        if (message === null) {  // waiting for the one id that comes next is allowed too
          raw.send(codec.ack('puback', open.packetId));
          open.packetId = null;
          message = await raw.message();
        }
        assert.equal(message.text, `${done + k}`);
        assert.notEqual(message.packetId, open.packetId, 'it is in flight');
      }
      for (let k = 0; k < 1000; ++k) await publisher.expect('puback');
    }
    if (open.packetId !== null) raw.send(codec.ack('puback', open.packetId));
    await raw.expectNothing();
  });
}, durable);

suite('from a publisher that comes back', (test) => {
  test.each([3, 4, 5], 'QoS 2 with DUP before PUBREL is the same message', async (w, v) => {
    const away = await leave(w, 5, { filter: w.topic(), qos: 2 });
    const online = await w.raw(4);
    await online.subscribe({ filter: w.topic(), qos: 2 });
    const id = unique('id');
    let raw = await back(w, v, id, { present: false });
    const send = (text, packetId, dup) => raw.publish(w.topic(), text, { qos: 2, packetId, dup });
    send('1', 7, false);
    assert.ok((await raw.expect('pubrec', { packetId: 7 })).code < 0x80);
    send('1', 7, true);  // on the same connection
    await raw.expect('pubrec', { packetId: 7 });
    for (const end of [() => raw.destroy(), () => raw.goodbye()]) {
      await end();
      raw = await back(w, v, id);
      send('1', 7, true);
      assert.ok((await raw.expect('pubrec', { packetId: 7 })).code < 0x80);
    }
    raw.send(codec.ack('pubrel', 7));
    assert.equal((await raw.expect('pubcomp', { packetId: 7 })).code, 0);
    raw.send(codec.ack('pubrel', 7));
    const { code } = await raw.expect('pubcomp', { packetId: 7 });
    if (v === 5) assert.ok([0x92, 0].includes(code), 'known no more');
    send('2', 7, false);  // the id is free: another message
    await raw.expect('pubrec', { packetId: 7 });
    raw.send(codec.ack('pubrel', 7));
    await raw.expect('pubcomp', { packetId: 7 });
    for (const subscriber of [online, await back(w, 5, away)]) {
      assert.deepEqual(texts(await subscriber.messages(2)), ['1', '2']);
      await subscriber.expectNothing();
    }
  });

  test.each([4, 5], 'a clean one too, on its connection; the next one begins anew', async (w, v) => {
    const away = await leave(w, 5, { filter: w.topic(), qos: 2 });
    const id = unique('id');
    for (const text of ['1', '2']) {
      const raw = await w.raw(v, { id });
      for (const dup of [false, true, true]) {
        raw.publish(w.topic(), text, { qos: 2, packetId: 7, dup });
        await raw.expect('pubrec', { packetId: 7 });
      }
      await raw.goodbye();
    }
    assert.deepEqual(texts(await (await back(w, 5, away)).messages(2)), ['1', '2']);
  });

  test.each([3, 4, 5], 'QoS 1 with DUP arrives at least once, in order', async (w, v) => {
    const away = await leave(w, 5, { filter: w.topic(), qos: 1 });
    const id = unique('id');
    let raw = await back(w, v, id, { present: false });
    const send = (dup) => raw.send(...numbered(5).map((payload, n) => codec.publish(
      { v, topic: w.topic(), payload, qos: 1, packetId: n + 1, dup })));
    send(false);
    raw.destroy();  // perhaps some got there
    raw = await back(w, v, id);
    send(true);
    for (let n = 0; n < 5; ++n) await raw.expect('puback', { packetId: n + 1 });
    const subscriber = await back(w, 5, away);
    const marker = await w.raw(5);
    await marker.published(w.topic(), 'end');
    const seen = new Set();
    for (let text; text !== 'end'; seen.add(text)) text = (await subscriber.message()).text;
    assert.deepEqual([...seen], [...numbered(5), 'end']);
  });

  test.each([4, 5], 'acknowledgements come in the order of the messages', async (w, v) => {
    await leave(w, 5, { filter: w.topic('kept'), qos: 2 });
    const raw = await w.raw(v, { id: unique('id'), ...staying(v) });
    const qos = (n) => 1 + (n % 3 === 0 ? 1 : 0);
    raw.send(...Array.from({ length: 300 }, (_, n) => codec.publish({ v, payload: `${n}`,
      topic: w.topic(n % 2 ? 'kept' : 'to nobody'), qos: qos(n), packetId: n + 1 })));
    for (let n = 0; n < 300; ++n) {
      await raw.expect(qos(n) === 1 ? 'puback' : 'pubrec', { packetId: n + 1 });
    }
  });

  test('more than the server\'s receive maximum is refused (5)', async (w) => {
    const raw = await w.raw(5);
    const most = raw.connack.props.receiveMaximum ?? 65535;
    // PUBREL never comes, so each keeps its place.
    for (let n = 1; n <= most; ++n) raw.publish(w.topic(), '', { qos: 2, packetId: n });
    for (let n = 1; n <= most; ++n) await raw.expect('pubrec', { packetId: n });
    if (most < 65535) {
      raw.publish(w.topic(), '', { qos: 2, packetId: most + 1 });
      const { type, code } = await raw.next();
      if (type === 'disconnect') assert.equal(code, 0x93);
      else assert.ok(type === 'pubrec' && code >= 0x80, `${type} 0x${code.toString(16)}`);
    }
  });

  test.each([4, 5], 'MQTT.js: QoS 2 there and back over lost connections', async (w, v) => {
    const subscriber = await w.client(v, { clientId: unique('js'), ...stayingJs(v),
      reconnectPeriod: 10 });
    await subscriber.subscribeAsync(w.topic(), { qos: 2 });
    const publisher = await w.client(v, { clientId: unique('js'), ...stayingJs(v),
      reconnectPeriod: 10 });
    const all = numbered(200).map((text) => publisher.publishAsync(w.topic(), text, { qos: 2 }));
    for (let n = 0; n < 5; ++n) {
      await Promise.any([all[n * 40], subscriber.inbox.take(1, 60_000).then(([one]) => {
        subscriber.inbox.messages.unshift(one);
      })]);
      (n % 2 ? subscriber : publisher).stream.destroy();
    }
    await within(30_000, 'all acknowledged', Promise.all(all));
    const got = texts(await subscriber.inbox.take(200));
    assert.deepEqual(new Set(got), new Set(numbered(200)));
    assert.equal(subscriber.inbox.messages.length, 0);
  });
}, durable);
