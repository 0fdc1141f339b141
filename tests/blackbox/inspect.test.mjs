// What an administrator sees and does: /clients, /subscriptions, /retained, and their commands.

import assert from 'node:assert/strict';
import { run } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';

const staying = { clean: false, props: { sessionExpiry: 1000 } };

const gnomon = (w, ...args) => run([...args, '--admin', w.server.ready.admin]);
// The lines of JSON that a command prints.
async function listed(w, ...args) {
  const { code, stdout, stderr } = await gnomon(w, ...args, '--json');
  assert.deepEqual([code, stderr], [0, '']);
  return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}
const mine = (w, all) => all.filter(({ client_id: id }) => id.startsWith(w.prefix))
  .sort((a, b) => (a.client_id < b.client_id ? -1 : 1));

suite('an administrator', (test) => {
  test('sees clients that are connected and sessions that are kept', async (w) => {
    const clean = await w.raw(4, { id: w.topic('a-clean'), keepAlive: 77 });
    await clean.subscribe(['x/1', 'x/#'].map((filter) => ({ filter, qos: 1 })));
    const kept = await w.raw(5, { id: w.topic('b-kept'), ...staying });
    await kept.subscribe({ filter: w.topic('q'), qos: 1 });
    const away = await w.raw(5, { id: w.topic('c-away'), ...staying });
    await away.subscribe({ filter: w.topic('q'), qos: 1 });
    await away.goodbye();
    await clean.published(w.topic('q'), 'queued');
    const [one, two, three, ...rest] = mine(w, await listed(w, 'clients'));
    assert.deepEqual(rest, []);
    assert.equal(one.version, '3.1.1');
    assert.deepEqual([one.connected, one.persistent, one.subscriptions, one.keep_alive_seconds],
      [true, false, 2, 77]);
    assert.match(one.address, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual([two.connected, two.persistent, two.version, two.subscriptions],
      [true, true, '5', 1]);
    assert.deepEqual([three.connected, three.persistent, three.queued, three.expiry_seconds],
      [false, true, 1, 1000]);
    const { stdout } = await gnomon(w, 'clients');
    assert.match(stdout, /^CLIENT +STATE +ADDRESS/);
    assert.match(stdout, new RegExp(`^${w.topic('c-away')} +away .* kept +1 +1 +\\ds$`, 'm'));
  });

  test('sees one client', async (w) => {
    for (const [v, options] of [[4, {}], [5, staying]]) {
      const id = `${w.topic('one')}/${v} ü"`;
      const raw = await w.raw(v, { id, ...options });
      await raw.subscribe([{ filter: w.topic('a'), qos: 1 }, { filter: '$share/g/x', qos: 2 }],
        v === 5 ? { subscriptionId: 9 } : undefined);
      const [client] = await listed(w, 'client', id);
      assert.deepEqual([client.client_id, client.connected, client.subscriptions], [id, true, 2]);
      assert.equal(client.persistent, v === 5);
      assert.deepEqual(client.filters.map(({ filter }) => filter), [w.topic('a'), '$share/g/x']);
      assert.deepEqual([client.filters[0].qos, client.filters[0].identifier],
        [1, v === 5 ? 9 : undefined]);
      const { stdout } = await gnomon(w, 'client', id);
      assert.match(stdout, /^address +127\.0\.0\.1:\d+$/m);
      assert.match(stdout, new RegExp(`^${w.topic('a')} +1`, 'm'));
      await raw.goodbye();
    }
    const nobody = await gnomon(w, 'client', w.topic('nobody'));
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /there is no client/);
  });

  test('sees every subscription once, by pages', async (w) => {
    const filters = Array.from({ length: 250 }, (_, n) => w.topic(`f/${n}`));
    for (const [name, options] of [['clean', {}], ['kept', staying], ['away', staying]]) {
      const raw = await w.raw(5, { id: w.topic(name), ...options });
      await raw.subscribe(filters.map((filter) => ({ filter, qos: 1 })));
      if (name === 'away') await raw.goodbye();
    }
    const seen = [];
    let after = '';
    let pages = 0;
    do {
      const page = await (await w.server.get(`/subscriptions?limit=100${after}`)).json();
      assert.ok(page.subscriptions.length <= 100);
      seen.push(...page.subscriptions);
      after = page.next && `&after=${page.next}`;
      ++pages;
    } while (after);
    assert.ok(pages >= 8);
    const names = mine(w, seen).map(({ client_id: id, filter }) => `${id} ${filter}`);
    assert.equal(names.length, 750);
    assert.equal(new Set(names).size, 750);
    assert.ok(seen.every(({ qos }) => qos <= 2));
    assert.equal(mine(w, await listed(w, 'subscriptions')).length, 750);
  });

  test('sees what is retained, by pages and by filter', async (w) => {
    const raw = await w.raw(5);
    for (let n = 0; n < 250; ++n) {
      await raw.published(w.topic(`r/${n}`), `value ${n}`, { retain: true });
    }
    await raw.published(w.topic('big'), 'x'.repeat(5000), { retain: true });
    const all = await listed(w, 'retained', w.topic('r/+'));
    assert.equal(new Set(all.map(({ topic }) => topic)).size, 250);
    assert.equal(all.find(({ topic }) => topic === w.topic('r/7')).payload, 'value 7');
    assert.equal((await listed(w, 'retained', w.topic('r/+'), '--limit', '3')).length, 3);
    const [big] = await listed(w, 'retained', w.topic('big'));
    assert.deepEqual([big.bytes, big.qos, big.payload.length], [5000, 1, 256]);
    assert.ok(Math.abs(big.received_ms - Date.now()) < 60_000);
    const page = await (await w.server.get('/retained?limit=100')).json();
    assert.equal(page.retained.length, 100);
    assert.ok(page.next);
  });

  test('kicks: 0x98, the will, and the session stays', async (w) => {
    const watch = await w.raw(5);
    await watch.subscribe(w.topic('will'));
    for (const v of [4, 5]) {
      const id = w.topic(`kicked ${v}`);
      const raw = await w.raw(v, { id, will: { topic: w.topic('will'), payload: id },
        ...(v === 5 ? staying : {}) });
      await raw.subscribe(w.topic('x'));
      const before = (await w.server.metrics())['gnomon_disconnects_total{reason="administrative"}'];
      const { code, stdout, stderr } = await gnomon(w, 'kick', id);
      assert.deepEqual([code, stdout, stderr], [0, '', '']);
      await raw.expectRefusal(0x98);
      assert.equal((await watch.message()).text, id);
      await w.server.untilMetrics((m) =>
        m['gnomon_disconnects_total{reason="administrative"}'] === before + 1, 'counted');
      if (v === 5) {
        const back = await w.raw(5, { id, ...staying });
        assert.equal(back.connack.sessionPresent, true);
        await back.goodbye();
      }
      const again = await gnomon(w, 'kick', id);
      assert.equal(again.code, 1);
      assert.match(again.stderr, v === 5 ? /is not connected/ : /there is no client/);
    }
  });

  test('bad questions are refused, and pages in a browser hear nothing', async (w) => {
    for (const target of ['/clients?limit=0', '/clients?limit=1001', '/clients?limit=x',
      '/clients?after=x', '/clients?after=c.99.0.0', '/clients?after=c.0.0', '/clients?colour=red',
      '/clients?after=c.0.99999999999.0', '/clients?after=%', '/retained?filter=a%23',
      '/retained?after=zz', '/retained?after=0100000000', '/retained?after=090', '/clients/%']) {
      assert.equal((await w.server.get(target)).status, 400, target);
    }
    for (const target of ['/clients', '/clients/x', '/subscriptions', '/retained']) {
      const headers = { Origin: 'http://evil.example' };
      assert.equal((await w.server.get(target, { headers })).status, 403, target);
    }
    assert.equal((await w.server.get('/clients/x', { method: 'DELETE' })).status, 404);
    assert.equal((await w.server.get('/clients', { method: 'DELETE' })).status, 405);
    assert.equal((await w.server.get('/clients/', {})).status, 404);
    assert.equal((await w.server.get('/clients?after=c.0.4000000000.0')).status, 200);
  });

  test('many clients, while they come and go', async (w) => {
    const raws = await Promise.all(Array.from({ length: 120 }, () =>
      w.raw(5, { id: unique(w.topic('many')) })));
    const churn = (async () => {
      for (let n = 0; n < 60; ++n) await raws[n].goodbye();
    })();
    for (let n = 0; n < 5; ++n) {
      const ids = mine(w, await listed(w, 'clients')).map(({ client_id: id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      assert.ok(ids.length >= 60);
    }
    await churn;
    assert.equal(mine(w, await listed(w, 'clients')).length, 60);
  });

  test('misuse: 2; no server: 1', async () => {
    for (const args of [['client'], ['kick'], ['clients', '--limit', '0'], ['clients', 'x']]) {
      assert.equal((await run(args)).code, 2, args.join(' '));
    }
    const { code, stderr } = await run(['clients', '--admin', '127.0.0.1:1']);
    assert.equal(code, 1);
    assert.match(stderr, /127\.0\.0\.1:1/);
  });
}, { concurrency: 1 });
