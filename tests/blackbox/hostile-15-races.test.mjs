// Hostile input row 15: take-over, unsubscribe, publish and loss of the connection, all at once.
// A build with ThreadSanitizer or AddressSanitizer in GNOMON_BIN says more than this one sees.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { inParallel, MiB, numbers, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('row 15: races', (test) => {
  test('clients that take over, subscribe, publish and vanish', async (w) => {
    const random = numbers(15);
    const ids = Array.from({ length: 12 }, () => unique('race'));
    const topics = Array.from({ length: 6 }, (_, i) => w.topic(`${i}`));
    const filters = [...topics, w.topic('+'), w.topic('#')];
    const pick = (list) => list[random(list.length)];
    await siege(w, () => inParallel(Array(600).fill(0), 40, async () => {
      const v = pick([3, 4, 5]);
      const raw = await w.socket(v);
      const packets = [codec.connect({ v, id: pick(ids),
        will: random(2) ? { topic: pick(topics), payload: 'will', qos: random(2) } : undefined })];
      for (let n = random(20); n > 0; --n) {
        const qos = random(2);
        packets.push(pick([
          () => codec.subscribe({ v, filters: [{ filter: pick(filters), qos }, pick(filters)] }),
          () => codec.unsubscribe({ v, filters: [pick(filters)] }),
          () => codec.publish({ v, topic: pick(topics), qos, payload: 'x'.repeat(random(500)) }),
          () => codec.publish({ v, topic: pick(topics), qos, packetId: 1 + random(9) }),
          () => codec.pingreq(), () => codec.ack('puback', 1 + random(30)),
        ])());
      }
      const bytes = Buffer.concat(packets);
      const cut = random(3) ? bytes.length : random(bytes.length);
      raw.send(bytes.subarray(0, cut));
      // Taken over, cut off by us at any moment, or in order.
      const end = random(4);
      if (end === 0) raw.destroy();
      else if (end === 1) raw.socket.resetAndDestroy();
      else if (end === 2) raw.socket.end(codec.disconnect({ v }));
      else if (cut === bytes.length) await raw.fence().catch(() => {});
    }), { grows: 24 * MiB });
    // Every id is free to be had, and only the last subscriptions are there.
    for (const id of ids) {
      const raw = await w.raw(5, { id });
      await raw.subscribe({ filter: w.topic('end'), qos: 1 });
      await raw.published(w.topic('end'), id);
      let message;
      do message = await raw.message(); while (message.topic !== w.topic('end'));
      assert.equal(message.text, id);
      await raw.goodbye();
    }
    await w.server.untilMetrics((m) => m.gnomon_subscriptions <= 1 && m.gnomon_connections <= 2,
      'only the bystanders are left', 15_000);
  });

  test('one subscribes and unsubscribes while many publish to it', async (w) => {
    const raw = await w.raw(5);
    const publishers = await Promise.all(Array.from({ length: 8 }, (_, i) => w.raw([4, 5][i & 1])));
    let done = false;
    await siege(w, async () => {
      const publishing = publishers.map(async (publisher) => {
        while (!done) await publisher.published(w.topic('x'), 'x');
      });
      for (let n = 0; n < 300; ++n) {
        const filter = n % 3 ? w.topic('x') : w.topic('+');
        await raw.subscribe({ filter, qos: n & 1 });
        await raw.unsubscribe(filter);
        for (const { type, packetId } of raw.packets.splice(0)) {
          if (type === 'publish' && packetId) raw.send(codec.ack('puback', packetId));
        }
      }
      done = true;
      await Promise.all(publishing);
    }, { counted: null });
    await raw.fence();
    await publishers[0].published(w.topic('x'), 'late');
    await raw.expectNothing();
  });

  test('the receiver goes while it is being sent to', async (w) => {
    const publisher = await w.raw(5);
    const bytes = Buffer.concat(Array.from({ length: 200 }, () =>
      codec.publish({ topic: w.topic(), payload: 'x'.repeat(1000) })));
    await siege(w, async () => {
      for (let n = 0; n < 60; ++n) {
        const raws = await Promise.all([w.raw(4), w.raw(5), w.raw(5)]);
        await Promise.all(raws.map((raw) => raw.subscribe({ filter: w.topic(), qos: 1 })));
        publisher.send(bytes);
        await Promise.all(raws.map((raw) => raw.message()));
        raws[0].destroy();
        raws[1].socket.resetAndDestroy();
        raws[2].send(codec.disconnect());
      }
      await publisher.fence();
    }, { grows: 32 * MiB });
  });
});
