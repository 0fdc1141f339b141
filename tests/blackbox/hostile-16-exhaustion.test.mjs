// Hostile input row 16: connections that cost the server more than the client.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { inParallel, MiB, siege } from '../harness/hostile.mjs';
import { pass, within } from '../harness/raw.mjs';
import { suite, unique } from '../harness/suite.mjs';

// Of the limits of the server: how long a CONNECT may take.
const connectTimeout = 10_000;
const atConnectTimeout = (raw) => assert.ok(
  raw.closedAfter > connectTimeout - 500 && raw.closedAfter < connectTimeout + 5000,
  `closed after ${raw.closedAfter} ms`);

suite('row 16: slow and silent clients', (test) => {
  test('connections that say nothing are closed in time', async (w) => {
    const before = await w.server.metrics();
    const raws = await Promise.all(Array.from({ length: 300 }, () => w.socket(5)));
    for (const raw of raws) {
      await raw.expectClose(connectTimeout + 8000);
      atConnectTimeout(raw);
    }
    const grown = await w.server.grown(before, /refused.*timeout/);
    assert.ok(grown.length > 0, 'a metric counts them');
  });

  test('CONNECT at one byte a second is closed in time', async (w) => {
    const raws = await Promise.all([3, 4, 5].map((v) => w.socket(v)));
    for (const raw of raws) {
      const bytes = codec.connect({ v: raw.v, id: 'x'.repeat(100) });
      (async () => {
        for (const byte of bytes) {
          if (!raw.send(Buffer.from([byte])) && raw.closed) return;
          await pass(1000);
        }
      })();
    }
    for (const raw of raws) {
      await raw.expectClose(connectTimeout + 8000);
      atConnectTimeout(raw);
    }
  });

  test('a CONNECT that waits with its last byte', async (w) => {
    const raw = await w.socket(5);
    raw.send(codec.connect({ id: unique() }).subarray(0, -1));
    await raw.expectClose(connectTimeout + 8000);
    atConnectTimeout(raw);
  });

  test('keep-alive 65,535 and 0 are allowed, and cost nothing', async (w) => {
    await siege(w, async () => {
      const raws = await Promise.all(Array.from({ length: 400 }, (_, i) =>
        w.raw([3, 4, 5][i % 3], { keepAlive: i & 1 ? 65535 : 0 })));
      await pass(connectTimeout + 1500);  // beyond the time for CONNECT: they stay
      for (const raw of raws) await raw.expectNothing();
    }, { grows: 12 * MiB, counted: null });
  });
}, { concurrency: 10 });

suite('row 16: exhaustion', (test) => {
  test('a subscriber that never reads, QoS 0: bounded, dropped, counted', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic());
    raw.socket.pause();
    const publisher = await w.raw(4);
    const other = await w.raw(5);
    await other.subscribe(w.topic());
    await siege(w, async () => {
      const chunk = Buffer.concat(Array(25).fill(codec.publish(
        { v: 4, topic: w.topic(), payload: 'x'.repeat(40_000) })));
      for (let n = 0; n < 60; ++n) {  // 60 MB
        publisher.send(chunk);
        await publisher.fence();
        await other.messages(25);  // who reads gets all
      }
    }, { grows: 40 * MiB, counted: /dropped|slow/ });
    raw.destroy();
  });

  test('a subscriber that never reads, QoS 1: bounded, dropped, counted', async (w) => {
    const raw = await w.raw(4);
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    raw.socket.pause();
    const publisher = await w.raw(4);
    await siege(w, async () => {
      for (let n = 0; n < 60; ++n) {
        publisher.send(...Array.from({ length: 25 }, (_, k) => codec.publish(
          { v: 4, topic: w.topic(), qos: 1, packetId: k + 1, payload: 'x'.repeat(40_000) })));
        for (let k = 0; k < 25; ++k) await publisher.answer('puback', { packetId: k + 1 });
      }
    }, { grows: 60 * MiB, counted: /dropped|slow/ });
    raw.destroy();
  });

  test('a client that asks and never reads the answers', async (w) => {
    await siege(w, async () => {
      const raw = await w.raw(5);
      raw.socket.pause();
      const pings = Buffer.concat(Array(50_000).fill(codec.pingreq()));
      const wrong = Buffer.concat(Array(1000).fill(codec.publish({ topic: '$x', qos: 1 })));
      // Until the server ends it or reads no more: 4 s of writing without progress.
      let sent = 0;
      for (; sent < 200 * MiB && !raw.socket.destroyed; sent += pings.length + wrong.length) {
        const more = raw.send(pings, wrong);
        if (more === false && !raw.socket.destroyed) {
          const drained = new Promise((resolve) => {
            raw.socket.once('drain', resolve).once('close', resolve);
          });
          if (await within(2000, 'room', drained).then(() => false, () => true)) break;
        }
      }
      raw.destroy();
    }, { grows: 48 * MiB, counted: null });
  });

  test('all connections that half-open clients can have', async (w) => {
    const before = await w.server.metrics();
    const raws = [];
    const bounded = async () => {
      await inParallel(Array(4300).fill(0), 100, async () => {
        raws.push(await w.socket(5).catch(() => null));
      });
      // One shard has 4,096 places for them: the others are closed, and counted.
      await w.server.untilMetrics(
        (m) => m['gnomon_connects_refused_total{reason="limit"}'] >
          before['gnomon_connects_refused_total{reason="limit"}'], 'refused by the limit');
    };
    await siege(w, bounded, { grows: 24 * MiB });
    for (const raw of raws) raw?.destroy();
    const deadline = performance.now() + 10_000;
    for (;;) {  // their places come back
      const client = await w.raw(5).catch(() => null);
      if (client) return client.expectNothing();
      assert.ok(performance.now() < deadline, 'a client can connect again');
    }
  });
}, { shards: [1] });

suite('row 16: many at once', (test) => {
  test('connect storms', async (w) => {
    await siege(w, () => inParallel(Array(2000).fill(0), 100, async (_, i) => {
      const v = [3, 4, 5][i % 3];
      const raw = await w.socket(v);
      raw.send(codec.connect({ v, id: unique() }), codec.subscribe({ v, filters: [w.topic()] }));
      await raw.expect('connack', { code: 0 });
      if (i % 2) raw.destroy();
      else raw.socket.resetAndDestroy();
    }), { grows: 16 * MiB });
  });

  test('a crowd that publishes and subscribes at full speed to itself', async (w) => {
    const crowd = await Promise.all(Array.from({ length: 30 }, (_, i) => w.raw([4, 5][i & 1])));
    await Promise.all(crowd.map((raw) => raw.subscribe(w.topic())));
    await siege(w, async () => {
      for (const raw of crowd) {
        raw.send(Buffer.concat(Array(100).fill(codec.publish(
          { v: raw.v, topic: w.topic(), payload: 'x'.repeat(200) }))));
      }
      await Promise.all(crowd.map((raw) => raw.messages(30 * 100, { ms: 20_000 })));
    // All of them and the bystander share this process, which has most of the work.
    }, { grows: 48 * MiB, counted: null, slowest: 20_000 });
  });

  test('subscriptions up to the limit of a connection, then no more', async (w) => {
    const raw = await w.raw(5);
    const most = 100_000;
    await siege(w, async () => {
      for (let n = 0; n < most; n += 1000) {
        const codes = await raw.subscribe(Array.from({ length: 1000 }, (_, k) => w.topic(`${n + k}`)));
        assert.ok(codes.every((code) => code === 0));
      }
      assert.deepEqual(await raw.subscribe([w.topic('one more')]), [0x97]);
      assert.deepEqual(await raw.subscribe([w.topic('5')]), [0], 'one that it has');
      await raw.unsubscribe(w.topic('6'));
      assert.deepEqual(await raw.subscribe([w.topic('one more')]), [0]);
    }, { grows: 80 * MiB });
    await raw.published(w.topic('99999'), 'x');
    assert.equal((await raw.message()).text, 'x');
    const since = performance.now();
    await raw.goodbye();
    // One is the bystander's.
    await w.server.untilMetrics((m) => m.gnomon_subscriptions <= 1, 'all are gone', 30_000);
    assert.ok(performance.now() - since < 20_000);  // unoptimised, on a busy machine
  });

  test('more filters in one SUBSCRIBE than the server takes', async (w) => {
    const filters = Array.from({ length: 1025 }, (_, n) => w.topic(`${n}`));
    await siege(w, async () => {
      const taken = await w.raw(5);
      assert.ok((await taken.subscribe(filters.slice(1))).every((code) => code === 0));
      for (const packet of [codec.subscribe, codec.unsubscribe]) {
        const raw = await w.raw(5);
        raw.send(packet({ packetId: 1, filters }));
        const answer = await raw.next();
        if (answer.type === 'disconnect') assert.ok([0x97, 0x95, 0x82].includes(answer.code));
        else assert.ok(answer.codes.includes(0x97), `${answer.type} ${answer.codes.slice(-3)}`);
      }
    }, { counted: null });
  });
});
