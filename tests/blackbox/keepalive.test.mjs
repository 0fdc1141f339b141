// Keep-alive: 1.5 times of it without a packet, and the connection ends (MQTT 5 §3.1.2.10).

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { pass } from '../harness/raw.mjs';
import { suite } from '../harness/suite.mjs';

const tooEarly = 1400;
const tooLate = 3500;  // generous: the machine may be busy

suite('keep-alive', (test) => {
  test.each([3, 4, 5], 'silence ends the connection at 1.5 times', async (w, v) => {
    const raw = await w.raw(v, { keepAlive: 1 });
    const since = performance.now();
    await raw.expectRefusal(0x8d);
    const ms = performance.now() - since;
    assert.ok(ms > tooEarly && ms < tooLate, `after ${ms} ms`);
  });

  test.each([3, 4, 5], 'pings keep it, and then silence ends it', async (w, v) => {
    const raw = await w.raw(v, { keepAlive: 1 });
    for (let i = 0; i < 4; ++i) {
      await pass(800);
      await raw.expectNothing();
    }
    const since = performance.now();
    await raw.expectRefusal(0x8d);
    assert.ok(performance.now() - since > tooEarly);
  });

  test.each([4, 5], 'any packet keeps it, what the server sends does not', async (w, v) => {
    const busy = await w.raw(v, { keepAlive: 1 });
    const lazy = await w.raw(v, { keepAlive: 1 });
    await lazy.subscribe(w.topic());
    const since = performance.now();
    for (let i = 0; i < 4; ++i) {
      busy.publish(w.topic(), `${i}`);
      await pass(700);
    }
    await busy.expectNothing();
    const packets = await lazy.close();
    assert.ok(packets.length >= 2 && packets[0].type === 'publish', 'messages until the end');
    assert.ok(lazy.closedAfter < tooLate && performance.now() - since > tooEarly);
    if (v === 5) assert.equal(packets.at(-1).code, 0x8d);
  });

  test.each([4, 5], 'parts of a packet are no packet', async (w, v) => {
    const raw = await w.raw(v, { keepAlive: 1 });
    const packet = codec.publish({ v, topic: w.topic(), payload: 'x'.repeat(100) });
    const drip = (async () => {
      for (const byte of packet) {
        if (raw.closed) return;
        raw.send(Buffer.from([byte]));
        await pass(200);
      }
    })();
    const packets = await raw.close();
    assert.deepEqual(packets.map((p) => p.code), v === 5 ? [0x8d] : []);
    await drip;
  });

  test.each([3, 4, 5], '0: never, however long', async (w, v) => {
    const raw = await w.raw(v, { keepAlive: 0 });
    await pass(4000);
    await raw.expectNothing();
  });

  test('the longest there is', async (w) => {
    const raw = await w.raw(5, { keepAlive: 65535 });
    assert.equal(raw.connack.props.serverKeepAlive, undefined);
    await pass(2500);
    await raw.expectNothing();
  });

  test('many at once', async (w) => {
    const before = await w.server.metrics();
    const raws = await Promise.all(Array.from({ length: 200 }, (_, i) =>
      w.raw([3, 4, 5][i % 3], { keepAlive: 1 + (i & 1) })));
    await Promise.all(raws.map((raw) => raw.expectRefusal(0x8d)));
    assert.ok((await w.server.grown(before, /keep_alive/)).length > 0, 'a metric counts them');
  });

  test('MQTT.js pings by itself', async (w) => {
    const client = await w.client(5, { keepalive: 1 });
    let closed = false;
    client.once('close', () => { closed = true; });
    await pass(4000);
    assert.equal(closed, false);
  });
}, { concurrency: 20 });
