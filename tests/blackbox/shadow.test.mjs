// Device shadows over MQTT, as any client sees them: topics, order, acknowledgements, sessions.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { back, leave } from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

const prefix = (thing, name) => `$aws/things/${thing}/shadow/${name ? `name/${name}/` : ''}`;
const json = (message) => JSON.parse(message.text);
const desired = (state, more) => JSON.stringify({ state: { desired: state }, ...more });
const reported = (state, more) => JSON.stringify({ state: { reported: state }, ...more });

suite('device shadows', (test) => {
  test.each([4, 5], 'an update: accepted, delta, documents, in this order', async (w, v) => {
    for (const name of [undefined, 'night']) {
      const p = prefix(unique('lamp'), name);
      const app = await w.raw(v);
      await app.subscribe({ filter: `${p}#`, qos: 1 });
      for (const qos of [0, 1]) {
        const token = unique('token');
        if (qos === 1) app.publish(`${p}update`, desired({ on: true }, { clientToken: token }), { qos, packetId: 7 });
        else app.publish(`${p}update`, desired({ on: true }, { clientToken: token }));
        const got = [];
        while (got.length < 4 + qos) {
          const packet = await app.next();
          got.push(packet);
          if (packet.qos === 1) app.send(codec.ack('puback', packet.packetId));
        }
        const messages = got.filter((packet) => packet.type === 'publish');
        assert.deepEqual(messages.map((m) => [m.topic.slice(p.length), m.qos, m.retain]),
          ['update', 'update/accepted', 'update/delta', 'update/documents'].map((t) => [t, qos, false]));
        const [, accepted, delta, documents] = messages.map(json);
        assert.equal(accepted.version, 1 + qos);
        assert.deepEqual(accepted.state, { desired: { on: true } });
        assert.deepEqual([accepted, delta, documents].map((told) => told.clientToken), [token, token, token]);
        assert.deepEqual(delta.state, { on: true });
        assert.deepEqual([documents.previous.version, documents.current.version],
          [qos ? 1 : undefined, 1 + qos]);
      }
    }
  });

  test('reads, rejections and deletions', async (w) => {
    const thing = unique('lamp');
    const p = prefix(thing);
    const app = await w.raw(5);
    await app.subscribe([`${p}get/+`, `${p}update/+`, `${p}delete/+`].map((filter) => ({ filter, qos: 1 })));
    const ask = async (what, payload, count = 1) => {
      await app.published(`${p}${what}`, payload);
      const all = await app.messages(count);
      return all.map((m) => [m.topic.slice(p.length), json(m)]);
    };
    const missing = { code: 404, message: `No shadow exists with name: '${thing}'` };
    assert.deepEqual(await ask('get', ''), [['get/rejected', missing]]);
    assert.deepEqual(await ask('delete', '{"clientToken":"t"}'),
      [['delete/rejected', { ...missing, clientToken: 't' }]]);
    assert.deepEqual(await ask('update', 'nonsense'),
      [['update/rejected', { code: 400, message: 'Invalid JSON' }]]);
    await ask('update', reported({ on: true }), 2);
    const [[topic, told]] = await ask('get', '{"clientToken":"u"}');
    assert.deepEqual([topic, told.state, told.version, told.clientToken],
      ['get/accepted', { reported: { on: true } }, 1, 'u']);
    assert.deepEqual((await ask('update', reported({ on: false }, { version: 5 })))[0],
      ['update/rejected', { code: 409, message: 'Version conflict' }]);
    const [[deleted, last]] = await ask('delete', '');
    assert.deepEqual([deleted, last.version], ['delete/accepted', 1]);
    assert.deepEqual(await ask('get', ''), [['get/rejected', missing]]);
    assert.equal((await ask('update', reported({ on: true }), 2))[0][1].version, 3, 'it goes on');
  });

  test('what is too large, too deep or not UTF-8', async (w) => {
    const p = prefix(unique('lamp'));
    const app = await w.raw(5);
    await app.subscribe({ filter: `${p}update/rejected`, qos: 1 });
    const rejected = async (payload) => {
      await app.published(`${p}update`, payload);
      return json(await app.message()).code;
    };
    assert.equal(await rejected(reported({ a: 'x'.repeat(8192) })), 413);
    assert.equal(await rejected(`{"state":{},"x":"${'x'.repeat(200_000)}"}`), 413);
    assert.equal(await rejected(reported({ 1: { 2: { 3: { 4: { 5: { 6: { 7: { 8: { 9: 1 } } } } } } } } })), 400);
    assert.equal(await rejected(Buffer.from('7b2261223a22ff227d', 'hex')), 415);
  });

  test('things and shadows do not know of each other', async (w) => {
    const [thing, other] = [unique('lamp'), unique('lamp')];
    const app = await w.raw(5);
    await app.subscribe({ filter: '$aws/things/+/shadow/get/accepted', qos: 1 });
    await app.subscribe({ filter: '$aws/things/+/shadow/name/+/get/accepted', qos: 1 });
    const all = [[thing], [thing, 'a'], [thing, 'b'], [other, 'a']];
    for (const [n, address] of all.entries())
      await app.published(`${prefix(...address)}update`, reported({ n }));
    for (const [n, address] of all.entries()) {
      await app.published(`${prefix(...address)}get`);
      const message = await app.message();
      assert.equal(message.topic, `${prefix(...address)}get/accepted`);
      assert.deepEqual(json(message).state, { reported: { n } });
    }
  });

  test('one after the other, however many are on their way', async (w) => {
    const p = prefix(unique('lamp'));
    const [app, watcher] = [await w.raw(5), await w.raw(5)];
    await watcher.subscribe({ filter: `${p}update/accepted`, qos: 1 });
    const count = 500;
    for (let n = 0; n < count; ++n)
      app.publish(`${p}update`, reported({ n }), { qos: 1, packetId: n + 1 });
    for (let n = 0; n < count; ++n) {
      const told = json(await watcher.message());
      assert.deepEqual([told.version, told.state.reported.n], [n + 1, n]);
    }
    for (let n = 0; n < count; ++n) await app.expect('puback', { packetId: n + 1 });
  });

  test('of two that hold the same version one is let through', async (w) => {
    const p = prefix(unique('lamp'));
    const apps = await Promise.all(Array.from({ length: 8 }, () => w.raw(5)));
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: `${p}update/+`, qos: 1 });
    await apps[0].published(`${p}update`, reported({ by: 'first' }));
    assert.equal(json((await watcher.messages(2))[0]).version, 1);
    await Promise.all(apps.map((app, n) =>
      app.published(`${p}update`, reported({ by: n }, { version: 1, clientToken: `${n}` }))));
    const told = await watcher.messages(8 + 1);  // and documents
    const of = (what) => told.filter((m) => m.topic === `${p}update/${what}`);
    assert.deepEqual([of('accepted').length, of('rejected').length], [1, 7]);
    assert.ok(of('rejected').every((m) => json(m).code === 409));
  });

  test('a device that was away gets the delta when it is back', async (w) => {
    const p = prefix(unique('lamp'));
    const id = await leave(w, 5, { filter: `${p}update/delta`, qos: 1 });
    const app = await w.raw(5);
    await app.published(`${p}update`, desired({ on: true }));
    await app.published(`${p}update`, desired({ level: 3 }));
    const device = await back(w, 5, id);
    const got = (await device.messages(2)).map(json);
    assert.deepEqual(got.map(({ version, state }) => [version, state]),
      [[1, { on: true }], [2, { level: 3, on: true }]]);
    await device.published(`${p}update`, reported({ level: 3, on: true }));
    await device.expectNothing();
  });

  test('a will on a topic of a shadow is a message, and changes no shadow', async (w) => {
    const p = prefix(unique('lamp'));
    const watcher = await w.raw(5);
    await watcher.subscribe([{ filter: `${p}update/#`, qos: 1 }, { filter: `${p}get/+`, qos: 1 }]);
    const device = await w.raw(5, { will: { topic: `${p}update`, payload: reported({ on: false }), qos: 1 } });
    device.destroy();
    assert.equal((await watcher.message()).topic, `${p}update`);
    await watcher.published(`${p}get`);
    assert.equal((await watcher.message()).topic, `${p}get/rejected`);
  });

  test('what is no topic of a shadow', async (w) => {
    const app = await w.raw(5);
    for (const topic of ['$aws/things/lamp/shadow/list', '$aws/things/lamp/shadow/update/accepted',
      '$aws/things/lamp/shadow/update/delta', '$aws/things/a b/shadow/get',
      `$aws/things/${'x'.repeat(129)}/shadow/get`, '$aws/things/lamp/shadow/name/a.b/get']) {
      assert.equal((await app.published(topic, '{}')).code, 0x87, topic);
    }
    assert.equal((await app.published('$aws/things/lamp/shadow/get', '', { retain: true })).code, 0x87);
  });

  test('metrics', async (w) => {
    const before = await w.server.metrics();
    const p = prefix(unique('lamp'));
    const app = await w.raw(5);
    for (const [what, payload] of [['get', ''], ['update', reported({ on: true })],
      ['update', reported({ on: true }, { version: 9 })], ['update', '{'], ['delete', '']])
      await app.published(`${p}${what}`, payload);
    const grown = await w.server.grown(before, /^gnomon_shadow_(requests|rejections|reads)_total/);
    assert.deepEqual(grown.sort(), ['gnomon_shadow_reads_total',
      'gnomon_shadow_rejections_total{reason="other"}', 'gnomon_shadow_rejections_total{reason="version"}',
      'gnomon_shadow_requests_total{kind="delete"}', 'gnomon_shadow_requests_total{kind="get"}',
      'gnomon_shadow_requests_total{kind="update"}']);
  });
});
