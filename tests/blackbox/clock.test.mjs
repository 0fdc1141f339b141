// Clocks that somebody sets: what must last lasts, what is due is due, and the log says what happened.
// (The machine itself, and what is believed when: src/base/wall_guard_test.cc.)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { day, hour, second, startWithClock, year } from '../harness/clock.mjs';
import { pass, Raw } from '../harness/raw.mjs';
import { durable, staying } from '../harness/sessions.mjs';
import { unique } from '../harness/suite.mjs';

async function withServer(body, options = {}) {
  const server = await startWithClock({ ...durable, shards: 2, ...options });
  try {
    await body(server);
  } catch (error) {
    error.message += `\n--- log of the server\n${server.log(20)}`;
    throw error;
  } finally {
    await server.kill();
  }
}

const client = async (server, options = {}) =>
  (await Raw.open(server.port)).connect({ id: unique('client'), keepAlive: 0, ...options });

async function away(server, filter, expiry, options = {}) {
  const id = unique('away');
  const raw = await client(server, { id, ...staying(5, { expiry }), ...options });
  await raw.subscribe({ filter, qos: 1 });
  await raw.goodbye();
  return id;
}

const isThere = async (server, id, expiry = 600) => {
  const raw = await client(server, { id, ...staying(5, { expiry }) });
  raw.destroy();
  return raw.connack.sessionPresent;
};

const jumps = (direction) => `gnomon_clock_jumps_total{direction="${direction}"}`;
const jumped = (server, direction) => server.untilMetrics((m) => m[jumps(direction)] > 0,
  `a jump ${direction}`);

describe('a wall clock that jumps', { timeout: 120_000 }, () => {
  it('forward by a year: nothing ends by that, and durations go on', () =>
    withServer(async (server) => {
      const watcher = await client(server);
      await watcher.subscribe({ filter: 'will', qos: 1 });
      const long = await away(server, 'q', 3600);
      const short = await away(server, 'q', 3);
      const publisher = await client(server);
      await publisher.published('q', 'brief', { props: { messageExpiry: 2 } });
      await publisher.published('q', 'lasting', { props: { messageExpiry: 1000 } });
      await publisher.published('r', 'retained', { retain: true, props: { messageExpiry: 1000 } });
      server.clock.set(year);
      await jumped(server, 'forward');
      const dying = await client(server, { ...staying(5), id: unique('dying'),
        will: { topic: 'will', qos: 1, payload: 'late', props: { willDelay: 2 } } });
      const died = performance.now();
      dying.destroy();
      await watcher.message();
      const waited = performance.now() - died;
      assert.ok(waited > 1900 && waited < 5000, `the will came after ${waited} ms`);
      await pass(1500);
      assert.equal(await isThere(server, short), false, 'three seconds are over');
      const reader = await client(server, { id: long, ...staying(5) });
      assert.equal(reader.connack.sessionPresent, true);
      const message = await reader.message();
      assert.equal(message.text, 'lasting');
      const left = message.props.messageExpiry;
      assert.ok(left >= 985 && left <= 999, `${left} s are left`);
      await reader.subscribe({ filter: 'r', qos: 1 });
      assert.equal((await reader.message()).text, 'retained');

      const metrics = await server.metrics();
      assert.equal(metrics.gnomon_clock_doubted, 1);
      assert.equal(metrics[jumps('forward')], 1, 'once, though each loop has seen it');
      await server.untilLog(/warn\w* clock_jump from=\S+Z to=\S+Z held=".*sessions.*" for_s=3600/);
      server.clock.set(0);
      await server.untilMetrics((m) => m.gnomon_clock_doubted === 0, 'the correction');
      await server.untilLog(/clock_corrected/);
      assert.equal(await isThere(server, long), true);
    }));

  it('back by an hour: durations go on', () => withServer(async (server) => {
    const long = await away(server, 'q', 600);
    const short = await away(server, 'q', 3);
    const publisher = await client(server);
    await publisher.published('q', 'brief', { props: { messageExpiry: 2 } });
    await publisher.published('q', 'lasting', { props: { messageExpiry: 1000 } });
    server.clock.set(-hour);
    await jumped(server, 'back');
    await pass(3500);
    assert.equal(await isThere(server, short), false);
    const reader = await client(server, { id: long, ...staying(5) });
    const message = await reader.message();
    assert.equal(message.text, 'lasting');
    assert.ok(message.props.messageExpiry <= 997);
    await server.untilLog(/warn\w* clock_jump from=\S+Z to=\S+Z then=".*"/);
  }));

  for (const signal of ['SIGTERM', 'SIGKILL']) {
    // Restarts with the clock set meanwhile, and looks at a message that was kept before.
    const over = async (server, offset, looks) => {
      const id = await away(server, 'q', 7 * 24 * 3600);
      const publisher = await client(server);
      await publisher.published('q', 'x', { props: { messageExpiry: 100_000 } });
      await server.restart(signal, { between: () => server.clock.set(offset) });
      await looks(await server.metrics());
      const reader = await client(server, { id, ...staying(5) });
      assert.equal(reader.connack.sessionPresent, true);
      const message = await reader.message();
      const left = message.props.messageExpiry;
      assert.ok(left > 99_900 && left < 100_000, `${left} s are left`);
    };

    it(`back by a day while it is down, ${signal}`, () => withServer((server) =>
      over(server, -day, (metrics) => assert.equal(metrics[jumps('back')], 1))));

    it(`forward by a year while it is down, ${signal}`, () => withServer((server) =>
      over(server, year, (metrics) => {
        assert.equal(metrics[jumps('forward')], 1);
        assert.equal(metrics.gnomon_clock_doubted, 1);
      })));

    it(`to 1970 while it is down, and set right later, ${signal}`, () =>
      withServer(async (server) => {
        const ends = await away(server, 'other', 5);
        await over(server, -55 * year, async (metrics) => {
          assert.equal(metrics.gnomon_clock_unset, 1);
          await server.untilLog(/warn\w* clock_unset shows=19\S+Z/);
          await pass(6000);
          assert.equal(await isThere(server, ends), false, 'five seconds of this run are over');
          server.clock.set(0);
          await server.untilMetrics((m) => m.gnomon_clock_unset === 0, 'a clock that is set');
        });
      }));
  }

  it('by less than half a minute: nothing to tell', () => withServer(async (server) => {
    const id = await away(server, 'q', 600);
    for (const offset of [20, -5, 15, 0]) {
      server.clock.set(offset * second);
      await pass(50);
      assert.equal(await isThere(server, id), true);
    }
    const metrics = await server.metrics();
    assert.deepEqual([metrics[jumps('forward')], metrics[jumps('back')]], [0, 0]);
    assert.doesNotMatch(server.log(), /clock/);
  }));
});
