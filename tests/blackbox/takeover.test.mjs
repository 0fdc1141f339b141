// A client id belongs to one connection; who connects with it takes it over.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { within } from '../harness/raw.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('take-over', (test) => {
  test.each([3, 4, 5], 'the new one stays, the old one is told and closed', async (w, v) => {
    const id = unique('id');
    const watcher = await w.raw(5);
    await watcher.subscribe(w.topic('will'));
    const will = { topic: w.topic('will'), payload: 'old' };
    const old = await w.raw(v, { id, will });
    await old.subscribe(w.topic('x'));
    const now = await w.raw(v, { id });
    assert.equal(now.connack.sessionPresent, false);
    await old.expectRefusal(0x8e);
    assert.equal((await watcher.message()).text, 'old');
    await now.published(w.topic('x'), 'to the subscription of the old one');
    await now.expectNothing();
  });

  test('between versions', async (w) => {
    const id = unique('id');
    let old = await w.raw(5, { id });
    for (const v of [4, 3, 5, 5, 4]) {
      const now = await w.raw(v, { id });
      await old.expectRefusal(0x8e);
      old = now;
    }
    await old.expectNothing();
  });

  test('MQTT.js sees 0x8E', async (w) => {
    const id = unique('id');
    const old = await w.client(5, { clientId: id });
    const told = new Promise((resolve) => { old.once('disconnect', resolve); });
    await w.client(5, { clientId: id });
    assert.equal((await told).reasonCode, 0x8e);
  });

  test('the will of each that is taken over, once', async (w) => {
    const id = unique('id');
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: w.topic(), qos: 1 });
    const count = 20;
    for (let i = 0; i < count; ++i) {
      await w.raw(5, { id, will: { topic: w.topic(), payload: `${i}`, qos: 1 } });
    }
    const texts = (await watcher.messages(count - 1)).map((m) => Number(m.text));
    assert.deepEqual(texts.sort((a, b) => a - b), [...Array(count - 1).keys()]);
    await watcher.expectNothing();
  });

  test.each([4, 5], 'one of many at the same moment stays', async (w, v) => {
    const id = unique('id');
    const rivals = await Promise.all(Array.from({ length: 100 }, () => w.socket(v)));
    for (const rival of rivals) rival.send(codec.connect({ v, id }));
    // All but one end: with 0x8E after their CONNACK, or refused or closed before it.
    let open = rivals.length;
    await within(20_000, () => `${open} are left`, new Promise((resolve) => {
      for (const rival of rivals) {
        rival.socket.once('close', () => { if (--open === 1) resolve(); });
      }
    }));
    const winner = rivals.find((rival) => !rival.closed);
    for (const { packets } of rivals.filter((rival) => rival !== winner)) {
      const [connack, end, ...more] = packets;
      assert.deepEqual(more, []);
      if (!connack) continue;
      assert.equal(connack.type, 'connack');
      if (connack.code !== 0) assert.equal(end, undefined);
      else if (v === 5) assert.deepEqual([end?.type, end?.code], ['disconnect', 0x8e]);
    }
    await winner.expect('connack', { code: 0 });
    await winner.subscribe(w.topic());
    await winner.published(w.topic(), 'still here');
    assert.equal((await winner.message()).text, 'still here');
    // It is the one that holds the id.
    await w.raw(v, { id });
    await winner.expectRefusal(0x8e);
  });

  test('connections that vanish while they take over', async (w) => {
    const ids = Array.from({ length: 10 }, () => unique('id'));
    // Every connection that has come so far as to be there, or to be over, is counted once.
    const decided = (metrics) => Object.entries(metrics).reduce((sum, [name, value]) => sum +
      (/^gnomon_(connections$|connects_refused_total|disconnects_total)/.test(name) ? value : 0), 0);
    const before = decided(await w.server.metrics());
    const rounds = 20;
    for (let round = 0; round < rounds; ++round) {
      await Promise.all(ids.flatMap((id) => [0, 1, 2].map(async (i) => {
        const raw = await w.socket(5);
        raw.send(codec.connect({ id, will: { topic: w.topic(), payload: 'gone' } }));
        if (i === 0) raw.destroy();  // before the answer
        else if (i === 1) raw.send(codec.disconnect());
      })));
    }
    // One that vanished may be accepted long after it went, and would take over who comes below.
    await w.server.untilMetrics((m) => decided(m) >= before + 3 * ids.length * rounds,
      'the server has looked at all of them');
    // A claim of one that has vanished may still be on its way between the shards, and be the newer.
    const settled = async (id) => {
      for (;;) {
        const raw = await w.socket(5);
        raw.send(codec.connect({ id }));
        const { code } = await raw.expect('connack');
        if (code === 0 && !(await raw.fence().catch(() => null))) continue;
        if (code === 0) return raw;
        assert.equal(code, 0x89);
      }
    };
    const last = await Promise.all(ids.map(settled));
    for (const raw of last) await raw.expectNothing();
  });

  test('connections are counted right after it', async (w) => {
    const id = unique('id');
    const before = (await w.server.metrics()).gnomon_connections;
    for (let i = 0; i < 30; ++i) await w.raw(4, { id });
    await w.server.untilMetrics((m) => m.gnomon_connections === before + 1,
      `one connection more than ${before}`);
  });
});
