// Wills that wait, that outlive the server, and that are kept for who is away.

import assert from 'node:assert/strict';
import { pass } from '../harness/raw.mjs';
import { back, durable, expectOnlyMarker, leave, staying } from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

// A watcher, and a client with a will that waits `delay` s, of a session of `expiry` s.
async function scene(w, { delay = 1, expiry = 600, v = 5, id = unique('id'), ...will } = {}) {
  const watcher = await w.raw(5);
  await watcher.subscribe({ filter: w.topic(), qos: 2 });
  const options = { id, ...staying(v, { expiry }),
    will: { topic: w.topic(), payload: 'gone', qos: 1,
      props: v === 5 ? { willDelay: delay } : undefined, ...will } };
  return { id, watcher, options, client: await w.raw(v, options) };
}

// The will comes, between `from` and `to` ms after `since`.
async function expectWill(watcher, since, from, to) {
  const { text } = await watcher.message({ ms: to + 5000 });
  const after = performance.now() - since;
  assert.equal(text, 'gone');
  assert.ok(after >= from && after <= to, `the will came after ${after.toFixed(0)} ms`);
}

suite('will delay', (test) => {
  test('it waits (5)', async (w) => {
    const { watcher, client } = await scene(w);
    const since = performance.now();
    client.destroy();
    await expectWill(watcher, since, 900, 4000);
    await expectOnlyMarker(w, watcher, w.topic());
  });

  test('DISCONNECT 0x04 makes it wait, 0x00 forgets it (5)', async (w) => {
    const { id, watcher, client, options } = await scene(w);
    const since = performance.now();
    await client.goodbye({ reason: 4 });
    await expectWill(watcher, since, 900, 4000);
    await (await w.raw(5, { ...options, id })).goodbye();
    await pass(2000);
    await expectOnlyMarker(w, watcher, w.topic());
  });

  test('a return in time cancels it, with the session or taking it over (5)', async (w) => {
    for (const end of [(client) => client.destroy(), () => {}]) {
      const { id, watcher, client } = await scene(w);
      end(client);
      const again = await back(w, 5, id);  // without a will
      await pass(2000);
      await expectOnlyMarker(w, watcher, w.topic());
      again.destroy();
      await pass(1500);
      await expectOnlyMarker(w, watcher, w.topic());
      watcher.destroy();
    }
  });

  test('the will of the connection that returned counts, once (5)', async (w) => {
    const { watcher, client, options } = await scene(w);
    client.destroy();
    const again = await w.raw(5, { ...options, will: { ...options.will, payload: 'second' } });
    again.destroy();
    assert.equal((await watcher.message()).text, 'second');
    await pass(1500);
    await expectOnlyMarker(w, watcher, w.topic());
  });

  test('the end of the session ends the wait (5)', async (w) => {
    const { watcher, client } = await scene(w, { delay: 3600, expiry: 1 });
    const since = performance.now();
    client.destroy();
    await expectWill(watcher, since, 900, 4000);
  });

  test('a session that ends with its connection has no wait (5)', async (w) => {
    const { watcher, client } = await scene(w, { delay: 3600, expiry: 0 });
    const since = performance.now();
    client.destroy();
    await expectWill(watcher, since, 0, 3000);
  });

  test('a clean start ends the session, and with it the wait (5)', async (w) => {
    for (const end of [(client) => client.destroy(), () => {}]) {
      const { id, watcher, client } = await scene(w, { delay: 3600 });
      end(client);
      const since = performance.now();
      await w.raw(5, { id });
      await expectWill(watcher, since, 0, 3000);
      watcher.destroy();
    }
  });

  test('an expiry that DISCONNECT makes shorter (5)', async (w) => {
    const { watcher, client } = await scene(w, { delay: 3600 });
    const since = performance.now();
    await client.goodbye({ reason: 4, props: { sessionExpiry: 1 } });
    await expectWill(watcher, since, 900, 4000);
  });

  test('without a delay it is sent at once, though the session stays', async (w) => {
    for (const v of [3, 4, 5]) {
      const { id, watcher, client } = await scene(w, { v, delay: 0 });
      client.destroy();
      assert.equal((await watcher.message()).text, 'gone');
      await back(w, v, id);
      await expectOnlyMarker(w, watcher, w.topic());
      watcher.destroy();
    }
  });

  test.each([3, 4, 5], 'QoS 2, to who is there and to who is away', async (w, v) => {
    const away = await leave(w, 4, { filter: w.topic(), qos: 2 });
    const { watcher, client } = await scene(w, { v, delay: 0, qos: 2 });
    client.destroy();
    for (const raw of [watcher, await back(w, 4, away)]) {
      const message = await raw.message();
      assert.deepEqual([message.text, message.qos], ['gone', 2]);
      await raw.expectNothing();
    }
  });
}, { ...durable, concurrency: 4 });

// How long after a start a client may take to return before its will is sent.
const grace = 10_000;
const held = { ...durable, env: { GNOMON_WILL_GRACE: '2' } };

for (const signal of ['SIGTERM', 'SIGKILL']) {
  suite(`wills over ${signal}`, (test) => {
    test.each([4, 5], 'of clients that were there: once, unless they return', async (w, v) => {
      const away = await leave(w, 5, { filter: w.topic('#'), qos: 2 });
      const connect = (name, options) => w.raw(v, { id: unique(name), ...options,
        will: { topic: w.topic(name), payload: name, qos: 1,
          props: v === 5 ? { willDelay: options?.delay } : undefined } });
      const stays = staying(v);
      await connect('lost', stays);
      await connect('clean', {});
      const returns = unique('returns');
      await connect('returns', { ...stays, id: returns, delay: 600 });
      await w.server.restart(signal);
      await (await back(w, v, returns)).fence();
      const watcher = await back(w, 5, away);
      const seen = [];
      while (!seen.includes('lost') || !seen.includes('clean')) {
        seen.push((await watcher.message({ ms: grace })).text);
      }
      // A server that ends in good order may send the wills of 3.1.1 then: `returns` was not back.
      const expected = signal === 'SIGTERM' && v === 4 ? seen.filter((x) => x !== 'returns') : seen;
      assert.deepEqual(expected.sort(), ['clean', 'lost']);
      await w.server.restart(signal);
      const again = await w.raw(5);
      await again.subscribe({ filter: w.topic('#'), qos: 1 });
      const last = await connect('last', {});
      last.destroy();
      assert.equal((await again.message()).text, 'last', 'none is sent again');
    });

    test('a delay goes on (5)', async (w) => {
      const away = await leave(w, 5, { filter: w.topic(), qos: 1 });
      const { client, watcher } = await scene(w, { delay: 2 });
      client.destroy();
      await client.close();
      await watcher.fence();
      await w.server.restart(signal);
      const { text } = await (await back(w, 5, away)).message({ ms: grace });
      assert.equal(text, 'gone');
    });

    test('a return within its delay, after the restart, cancels it (5)', async (w) => {
      const away = await leave(w, 5, { filter: w.topic(), qos: 1 });
      const { id, client } = await scene(w, { delay: 5 });
      const marker = await scene(w, { delay: 6, payload: 'of one that does not return' });
      client.destroy();
      marker.client.destroy();
      await marker.watcher.fence();
      await w.server.restart(signal);
      await back(w, 5, id);
      const watcher = await back(w, 5, away);
      const { text } = await watcher.message({ ms: grace });
      assert.equal(text, 'of one that does not return');
      await watcher.expectNothing();
    });

    test('what DISCONNECT forgot stays forgotten (5)', async (w) => {
      const away = await leave(w, 5, { filter: w.topic(), qos: 1 });
      const { client } = await scene(w, { delay: 0 });
      await client.goodbye();
      const marker = await scene(w, { delay: 0, payload: 'of one that was there' });
      await marker.watcher.fence();
      await w.server.restart(signal);
      const watcher = await back(w, 5, away);
      assert.equal((await watcher.message({ ms: grace })).text, 'of one that was there');
      await watcher.expectNothing();
    });
  }, { ...held, timeout: 150_000 });
}
