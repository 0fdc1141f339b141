// Shared subscriptions: each message to one member of each group.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { deadline, within } from '../harness/raw.mjs';
import { back, durable, expectOnlyMarker, leave, numbered, staying, texts }
  from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

const byNumber = (list) => [...list].sort((a, b) => a - b);

// Members of a group on the topic of the test, of these versions.
async function group(w, versions, { name = 'g', qos = 1, options = () => ({}) } = {}) {
  const filter = `$share/${name}/${w.topic()}`;
  const members = await Promise.all(versions.map((v) => w.raw(v, options(v))));
  for (const raw of members) assert.deepEqual(await raw.subscribe({ filter, qos }), [qos]);
  return members;
}

// Acknowledges what arrives at any of `raws` until `count` messages are there: a list for each.
async function collect(raws, count) {
  const lists = raws.map(() => []);
  let open = count;  // messages to come and PUBRELs to come
  let done;
  const finished = new Promise((resolve) => { done = resolve; });
  raws.forEach((raw, i) => {
    const take = (packet) => {
      const { type, qos, packetId } = packet;
      assert.ok(type === 'publish' || type === 'pubrel', type);
      if (type === 'publish') lists[i].push(packet);
      if (type === 'pubrel') raw.send(codec.ack('pubcomp', packetId));
      if (qos === 1) raw.send(codec.ack('puback', packetId));
      if (qos === 2) raw.send(codec.ack('pubrec', packetId));
      if (qos !== 2 && --open === 0) done();
    };
    raw.packets.splice(0).forEach(take);
    raw.handler = take;
  });
  await within(deadline, () => `${count} messages: ${lists.map((list) => list.length)}`, finished);
  for (const raw of raws) raw.handler = null;
  return lists;
}

suite('shared subscriptions', (test) => {
  for (const versions of [[4, 4, 4], [5, 5, 5], [3, 4, 5]]) {
    test(`each message to exactly one of ${versions.join(', ')}`, async (w) => {
      const members = await group(w, versions);
      const ordinary = await w.raw(5);
      await ordinary.subscribe({ filter: w.topic(), qos: 1 });
      const publisher = await w.raw(4);
      for (let n = 0; n < 300; ++n) publisher.publish(w.topic(), `${n}`, { qos: 1 });
      const lists = await collect(members, 300);
      assert.deepEqual(byNumber(texts(lists.flat())), numbered(300));
      for (const list of lists) {
        assert.ok(list.length > 0, `everybody works: ${lists.map((l) => l.length)}`);
        assert.deepEqual(texts(list), byNumber(texts(list)), 'each sees them in order');
      }
      for (let n = 0; n < 300; ++n) await publisher.answer('puback');
      assert.deepEqual(texts(await ordinary.messages(300)), numbered(300), 'others get all');
      for (const raw of [...members, ordinary]) await raw.expectNothing();
    });
  }

  test('at QoS 0 and 2', async (w) => {
    for (const qos of [0, 2]) {
      const members = await group(w, [4, 5], { qos, name: `g${qos}` });
      const publisher = await w.raw(5);
      for (let n = 0; n < 50; ++n) {
        if (qos === 0) publisher.publish(w.topic(), `${n}`);
        else await publisher.published(w.topic(), `${n}`, { qos });
      }
      const lists = await collect(members, 50);
      assert.deepEqual(byNumber(texts(lists.flat())), numbered(50));
      assert.ok(lists.flat().every((m) => m.qos === qos));
      for (const raw of members) {
        await raw.expectNothing();
        await raw.goodbye();
      }
    }
  });

  test('two groups each get one, wildcards too', async (w) => {
    const first = await group(w, [4, 5], { name: 'one' });
    const second = await group(w, [5, 5], { name: 'two' });
    const third = await w.raw(4);
    await third.subscribe({ filter: `$share/one/${w.topic('#')}`, qos: 1 });
    const publisher = await w.raw(5);
    for (let n = 0; n < 60; ++n) await publisher.published(w.topic(), `${n}`);
    for (const members of [first, second, [third]]) {
      const lists = await collect(members, 60);
      assert.deepEqual(byNumber(texts(lists.flat())), numbered(60), 'same name, other filter');
      for (const raw of members) await raw.expectNothing();
    }
    await publisher.published(w.topic('below'), 'x');
    assert.equal((await third.message()).topic, w.topic('below'));
  });

  test('one client in two groups and with an ordinary subscription (5)', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe({ filter: `$share/a/${w.topic()}`, qos: 1 }, { subscriptionId: 1 });
    await raw.subscribe({ filter: `$share/b/${w.topic('#')}`, qos: 1 }, { subscriptionId: 2 });
    await raw.subscribe({ filter: w.topic('+/#'), qos: 1 }, { subscriptionId: 4 });
    await raw.subscribe({ filter: w.topic(), qos: 1 }, { subscriptionId: 3 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x');
    // A copy for each, or one for several with all their identifiers (§3.3.4).
    const seen = [];
    while (seen.length < 3) seen.push(...(await raw.message()).props.subscriptionId);
    assert.deepEqual(byNumber(seen), [1, 2, 3]);
    await raw.expectNothing();
  });

  test('the options of each member count (5)', async (w) => {
    const raw = await w.raw(5);
    const filter = `$share/g/${w.topic()}`;
    await raw.subscribe({ filter, qos: 2, retainAsPublished: true }, { subscriptionId: 5 });
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x', { qos: 2, retain: true, props: { contentType: 'c' } });
    const message = await raw.message();
    assert.deepEqual([message.qos, message.retain], [2, true]);
    assert.deepEqual(message.props, { subscriptionId: [5], contentType: 'c' });
    await raw.subscribe({ filter, qos: 0 });
    await publisher.published(w.topic(), 'y');
    const second = await raw.message();
    assert.deepEqual([second.qos, second.props.subscriptionId], [0, undefined], 'replaced');
  });

  test('no-local is a protocol error (5)', async (w) => {
    const raw = await w.raw(5);
    raw.send(codec.subscribe({ filters: [{ filter: `$share/g/${w.topic()}`, noLocal: true }] }));
    await raw.expectRefusal(0x82);
  });

  test('names and filters that are none', async (w) => {
    for (const filter of ['$share', '$share/', '$share/g', '$share/g/', '$share//x', '$share/+/x',
      '$share/#/x', '$share/g+/x', '$share/a#b/x', '$share/g/#/x', '$share/g/a+']) {
      for (const v of [4, 5]) {
        const raw = await w.raw(v);
        raw.send(codec.subscribe({ v, filters: [filter] }));
        const packet = await raw.next().catch(() => null);
        if (packet === null) continue;
        if (packet.type === 'disconnect') {
          assert.ok([0x81, 0x82, 0x8f].includes(packet.code), `${filter}: 0x${packet.code}`);
        } else {
          assert.ok(packet.codes[0] >= 0x80, `${filter} was granted`);
        }
      }
    }
  });

  test.each([4, 5], 'what goes unacknowledged with its member goes to another', async (w, v) => {
    const [leaver, stayer] = await group(w, [v, v]);
    const publisher = await w.raw(5);
    const count = 40;
    for (let n = 0; n < count; ++n) await publisher.published(w.topic(), `${n}`);
    // The one acknowledges nothing; the other has acknowledged all of its own.
    const held = [];
    const got = [];
    while (held.length + got.length < count) {
      await leaver.fence().then((all) => held.push(...all));
      await stayer.fence().then((all) => got.push(...all));
    }
    for (const { packetId } of got) stayer.send(codec.ack('puback', packetId));
    assert.ok(held.length > 0, 'the leaver got some');
    leaver.destroy();
    const again = await stayer.messages(held.length);
    assert.deepEqual(byNumber(texts([...got, ...again])), numbered(count));
    await publisher.published(w.topic(), 'later');
    assert.equal((await stayer.message()).text, 'later');
    await stayer.expectNothing();
  });

  test.each([4, 5], 'members that leave get nothing, the last one ends the group', async (w, v) => {
    const filter = `$share/g/${w.topic()}`;
    const members = await group(w, [v, v, v]);
    const publisher = await w.raw(5);
    await members[0].unsubscribe(filter);
    await members[1].goodbye();
    for (let n = 0; n < 20; ++n) await publisher.published(w.topic(), `${n}`);
    assert.deepEqual(texts(await members[2].messages(20)), numbered(20));
    await members[0].expectNothing();
    await members[2].unsubscribe(filter);
    await publisher.published(w.topic(), 'to nobody');
    await members[2].expectNothing();
    // A group of that name begins anew.
    const [fresh] = await group(w, [v]);
    await publisher.published(w.topic(), 'fresh');
    assert.equal((await fresh.message()).text, 'fresh');
    await fresh.expectNothing();
  });

  test('unsubscribing from a group that one is not in (5)', async (w) => {
    const [raw] = await group(w, [5]);
    assert.deepEqual(await raw.unsubscribe([`$share/other/${w.topic()}`, w.topic()]), [0x11, 0x11]);
    assert.deepEqual(await raw.unsubscribe(`$share/g/${w.topic()}`), [0]);
  });

  test('members come and go under load: nothing is lost', async (w) => {
    const [steady] = await group(w, [5]);
    const publisher = await w.raw(4);
    const count = 1000;
    const seen = new Set();
    let done = false;
    const reading = (async () => {
      while (!done) {
        for (const packet of await steady.fence()) {
          seen.add(packet.text);
          steady.send(codec.ack('puback', packet.packetId));
        }
        done = seen.size === count;
      }
    })();
    let sent = 0;
    const sending = (async () => {
      for (; sent < count; ++sent) await publisher.published(w.topic(), `${sent}`);
    })();
    // What a guest does not acknowledge goes to another.
    while (sent < count) {
      const guests = await group(w, [4, 5]);
      for (const raw of guests) await raw.fence();
      for (const raw of guests) raw.destroy();
    }
    await Promise.all([sending, reading]);
  });

  test('with MQTT.js', async (w) => {
    const clients = [await w.client(4), await w.client(5)];
    for (const client of clients) {
      await client.subscribeAsync(`$share/g/${w.topic('+')}`, { qos: 2 });
    }
    const publisher = await w.client(5);
    for (const text of numbered(40)) await publisher.publishAsync(w.topic('x'), text, { qos: 2 });
    const all = () => clients.flatMap((client) => texts(client.inbox.messages));
    while (all().length < 40) await Promise.race(clients.map((client) =>
      new Promise((resolve) => { client.once('message', resolve); })));
    assert.deepEqual(byNumber(all()), numbered(40));
  });
}, durable);

suite('shared subscriptions of sessions that stay', (test) => {
  const share = (w) => ({ filter: `$share/g/${w.topic()}`, qos: 2 });

  test.each([4, 5], 'messages wait while nobody is there', async (w, v) => {
    const ids = [await leave(w, v, share(w)), await leave(w, v, share(w))];
    const publisher = await w.raw(5);
    for (let n = 0; n < 30; ++n) await publisher.published(w.topic(), `${n}`, { qos: 1 + n % 2 });
    publisher.publish(w.topic(), 'QoS 0');
    await publisher.fence();
    const raws = await Promise.all(ids.map((id) => back(w, v, id)));
    const lists = await collect(raws, 30);
    assert.deepEqual(byNumber(texts(lists.flat())), numbered(30));
    for (const raw of raws) await raw.expectNothing();
  });

  test('an online member is preferred, clean or not', async (w) => {
    const id = await leave(w, 5, share(w));
    const publisher = await w.raw(4);
    for (const options of [{}, staying(5)]) {
      const online = await w.raw(5, options);
      await online.subscribe(share(w));
      for (let n = 0; n < 20; ++n) await publisher.published(w.topic(), `${n}`);
      assert.deepEqual(texts(await online.messages(20)), numbered(20));
      await online.unsubscribe(share(w).filter);
    }
    await expectOnlyMarker(w, await back(w, 5, id), w.topic());
  });

  for (const signal of ['SIGTERM', 'SIGKILL']) {
    test(`the group and what waits for it outlive ${signal}`, async (w) => {
      const ids = [await leave(w, 5, share(w)), await leave(w, 4, share(w))];
      const publisher = await w.raw(5);
      for (let n = 0; n < 20; ++n) await publisher.published(w.topic(), `${n}`);
      await w.server.restart(signal);
      const later = await w.raw(5);
      for (let n = 20; n < 30; ++n) await later.published(w.topic(), `${n}`, { qos: 2 });
      const raws = [await back(w, 5, ids[0]), await back(w, 4, ids[1])];
      const lists = await collect(raws, 30);
      assert.deepEqual(byNumber(texts(lists.flat())), numbered(30));
      for (const raw of raws) {
        await raw.expectNothing();
        await raw.unsubscribe(share(w).filter);
      }
      await w.server.restart(signal);
      await (await w.raw(5)).published(w.topic(), 'to nobody');
      for (const [i, v] of [[0, 5], [1, 4]]) await (await back(w, v, ids[i])).expectNothing();
    });
  }

  test.each([4, 5], 'QoS 2 once sent stays with its member', async (w, v) => {
    const id = unique('id');
    const raw = await back(w, v, id, { present: false });
    await raw.subscribe(share(w));
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'mine', { qos: 2 });
    const sent = await raw.message({ ack: false });
    raw.destroy();
    await raw.close();
    const other = await w.raw(v);
    await other.subscribe(share(w));
    await publisher.published(w.topic(), 'for the other', { qos: 2 });
    assert.equal((await other.message()).text, 'for the other');
    await other.expectNothing();
    const again = await back(w, v, id);
    const { text, packetId, dup } = await again.message();
    assert.deepEqual([text, packetId, dup], ['mine', sent.packetId, true]);
  });

  test('the end of the last session ends the group', async (w) => {
    const ids = [await leave(w, 5, share(w)), await leave(w, 4, share(w))];
    const publisher = await w.raw(5);
    await publisher.published(w.topic(), 'x');
    for (const id of ids) await (await w.raw(4, { id })).goodbye();
    const raw = await w.raw(5);
    await raw.subscribe(share(w));
    await expectOnlyMarker(w, raw, w.topic());
  });
}, durable);
