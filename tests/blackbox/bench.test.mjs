// gnomon bench: that each load reaches its end, counts what it says, and leaves what it should.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { run, start } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

// A load to its end: its figures.
async function bench(w, load, args = []) {
  const { code, stdout, stderr } = await run(['bench', load, '--broker',
    `127.0.0.1:${w.server.port}`, '--pid', String(w.server.pid), '--json', ...args.map(String)]);
  assert.equal(code, 0, `gnomon bench ${load} ${args.join(' ')}: ${stdout}${stderr}`);
  return JSON.parse(stdout);
}

// Nothing may be missing, whatever the load.
function complete(figures) {
  for (const key of ['lost', 'out_of_order', 'unacknowledged', 'refused', 'wrong_acks', 'closed']) {
    assert.equal(figures[key], 0, key);
  }
}

suite('gnomon bench', (test) => {
  for (const version of [311, 5]) {
    for (const qos of [0, 1, 2]) {
      test(`the loads with who is there, QoS ${qos}, ${version}`, async (w) => {
        for (const [load, reach] of [['pairs', 1], ['fanin', 3], ['fanout', 3]]) {
          const who = load === 'pairs' ? ['--pairs', 3] : ['--publishers', 2, '--subscribers', 3];
          const figures = await bench(w, load,
            ['-q', qos, '-V', version, '--messages', 1001, '--size', 33, ...who]);
          complete(figures);
          assert.deepEqual([figures.published, figures.delivered], [1001, 1001 * reach], load);
        }
      });
    }

    test(`sessions of both ends, which end with the load, ${version}`, async (w) => {
      const before = (await w.server.metrics()).gnomon_sessions;
      for (const qos of [1, 2]) {
        complete(await bench(w, 'pairs', ['--pairs', 5, '-q', qos, '-V', version, '--messages', 999,
          '--persistent', '--persistent-publishers']));
      }
      await w.server.untilMetrics((m) => m.gnomon_sessions === before, 'no session is left');
    });

    // 7 sessions are no even share for 3 publishers.
    test(`fill, drain and offline, ${version}`, async (w) => {
      for (const qos of [1, 2]) {
        const before = await w.server.metrics();
        const common = ['-q', qos, '-V', version, '--sessions', 7];
        const filled = await bench(w, 'fill', [...common, '--messages', 100, '--publishers', 3]);
        complete(filled);
        assert.equal(filled.stored, 100);
        const offline = await bench(w, 'offline', [...common, '--messages', 10]);
        complete(offline);
        assert.equal(offline.stored, 70);
        const drained = await bench(w, 'drain', [...common, '--messages', 100, '--publishers', 3]);
        complete(drained);
        assert.equal(drained.delivered, 100);
        // Those of fill got what drain has published on the same topics.
        await w.server.untilMetrics((m) => m.gnomon_sessions === before.gnomon_sessions + 14 &&
          m.gnomon_queued_messages >= before.gnomon_queued_messages + 170, 'what stays');
      }
    });

    test(`retained, ${version}`, async (w) => {
      for (const qos of [0, 1, 2]) {
        const figures = await bench(w, 'retained',
          ['-q', qos, '-V', version, '--topics', 500, '--subscribers', 2, '--publishers', 3]);
        complete(figures);
        assert.deepEqual([figures.stored, figures.delivered], [500, 1000]);
      }
    });
  }

  test('device shadows are updated and read, each request with its answer', async (w) => {
    for (const load of ['shadows', 'shadow-gets']) {
      for (const [qos, version] of [[0, 311], [1, 5]]) {
        const before = await w.server.metrics();
        const figures = await bench(w, load, ['-q', qos, '-V', version, '--clients', 7, '--messages', 200,
          '--window', 3]);
        for (const key of ['rejected', 'lost', 'out_of_order', 'unacknowledged', 'refused', 'wrong_acks',
          'closed']) {
          assert.equal(figures[key], 0, key);
        }
        assert.deepEqual([figures.published, figures.accepted], [200, 200]);
        assert.ok(figures.p50_us > 0 && figures.p50_us <= figures.max_us);
        const after = await w.server.metrics();
        const requests = (kind) => after[`gnomon_shadow_requests_total{kind="${kind}"}`] -
          before[`gnomon_shadow_requests_total{kind="${kind}"}`];
        const updates = load === 'shadows' ? 207 : 7;  // each shadow is set up first
        assert.deepEqual([requests('update'), requests('get')], [updates, 207 - updates]);
      }
    }
  });

  test('a shadow that is gone: what is rejected is a failure, and shown', async (w) => {
    const shadow = '$aws/things/bench-0/shadow/';
    const other = await w.raw(5);
    await other.subscribe({ filter: `${shadow}get/accepted`, qos: 0 });
    const load = run(['bench', 'shadow-gets', '--broker', `127.0.0.1:${w.server.port}`, '--json',
      '--clients', '1', '--window', '1', '--seconds', '2']);
    await other.message();  // it gets its shadow now
    other.handler = () => {};
    other.publish(`${shadow}delete`, '');
    const { code, stdout, stderr } = await load;
    assert.equal(code, 1, stdout);
    const { published, accepted, rejected, lost } = JSON.parse(stdout);
    assert.ok(accepted > 0 && rejected > 0);
    assert.deepEqual([accepted + rejected, lost], [published, 0]);
    assert.match(stderr, /rejected, the first: \{.*404/);
  });

  test('latency and connections', async (w) => {
    const latency = await bench(w, 'latency',
      ['--pairs', 5, '--rate', 1000, '--seconds', 1, '-q', 1]);
    complete(latency);
    assert.ok(latency.p50_us > 0);
    const idle = await bench(w, 'connections', ['-n', 50, '--idle', 1]);
    assert.equal(idle.connections, 50);
  });
});

describe('gnomon bench, without a broker', () => {
  it('nobody listens: 1, and why', async () => {
    const { code, stderr } = await run(['bench', 'pairs', '--broker', '127.0.0.1:1', '--json']);
    assert.equal(code, 1);
    assert.match(stderr, /refused/);
  });

  it('a forwarder has no shadows: 1, and why', async () => {
    const floor = start(['bench', 'floor', '--listen', '127.0.0.1:0']);
    try {
      const [line] = await once(floor.process.stdout, 'data');
      const { code, stdout, stderr } = await run(
        ['bench', 'shadows', '--broker', JSON.parse(line).mqtt, '--json', '--clients', '2']);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /only 0 of 2 shadows could be set up: no answer/);
    } finally {
      floor.process.kill('SIGKILL');
    }
  });

  it('sync tells what the disk takes, and leaves nothing', async () => {
    const { code, stdout } = await run(['bench', 'sync', '--count', '10', '--json']);
    assert.equal(code, 0);
    const { count, p50_us: p50, p99_us: p99 } = JSON.parse(stdout);
    assert.equal(count, 10);
    assert.ok(p50 > 0 && p99 >= p50);
    const missing = await run(['bench', 'sync', '--folder', 'no-such-folder']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no-such-folder/);
  });
});
