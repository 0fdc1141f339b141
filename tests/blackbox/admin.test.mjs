// The admin listener: /healthz, /metrics, and bad requests.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { within } from '../harness/raw.mjs';
import { run } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

// Sends bytes and returns all that comes until the server closes.
function exchange(server, bytes, ms = 8000) {
  const socket = net.connect({ port: Number(server.ready.admin.split(':').at(-1)) });
  let text = '';
  socket.setEncoding('latin1').on('data', (part) => { text += part; }).on('error', () => {});
  socket.write(bytes);
  return within(ms, () => `the close; so far ${text.slice(0, 200)}`,
    new Promise((resolve) => { socket.once('close', () => resolve(text)); })).finally(
    () => socket.destroy());
}

suite('admin', (test) => {
  test('GET /healthz', async (w) => {
    const response = await w.server.get('/healthz');
    assert.equal(response.status, 200);
    await response.text();
  });

  test('GET /metrics is Prometheus text', async (w) => {
    const response = await w.server.get('/metrics');
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^text\/plain; *version=0\.0\.4/);
    const text = await response.text();
    assert.ok(text.endsWith('\n'));
    const typed = new Map();
    for (const line of text.trimEnd().split('\n')) {
      const type = line.match(/^# TYPE ((?:gnomon|process)_[a-z0-9_]+) (counter|gauge|histogram)$/);
      if (type) typed.set(type[1], type[2]);
      if (line.startsWith('#')) continue;
      const sample = line.match(
        /^((?:gnomon|process)_[a-z0-9_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [\d.e+-]+$/);
      assert.ok(sample, line);
      assert.ok(typed.has(sample[1]), `${sample[1]} has a TYPE before it`);
      if (typed.get(sample[1]) === 'counter') assert.match(sample[1], /_total$/);
    }
    assert.ok(typed.size > 5);
  });

  test('GET /metrics tells the version and the durability', async (w) => {
    const { stdout } = await run(['--version']);
    const [version] = stdout.match(/\d+\.\d+\.\d+/);
    const metrics = await w.server.metrics();
    assert.equal(metrics[`gnomon_build_info{version="${version}"}`], 1);
    assert.equal(metrics['gnomon_durability{mode="disk"}'], 1);
    assert.equal(metrics['gnomon_durability{mode="memory"}'], 0);
    assert.doesNotMatch(w.server.log(), /nothing_is_kept/);
  });

  test('GET /readyz: ready, and the same for HEAD', async (w) => {
    const response = await w.server.get('/readyz');
    assert.deepEqual([response.status, await response.text()], [200, 'ok\n']);
    assert.equal((await w.server.get('/readyz', { method: 'HEAD' })).status, 200);
    const many = await Promise.all(Array.from({ length: 50 }, () => w.server.get('/readyz')));
    assert.ok(many.every(({ status }) => status === 200));
  });

  test('GET /metrics has what docs/metrics.md tells of, and nothing else', async (w) => {
    const page = (name) => fs.readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
    const series = new Set((await (await w.server.get('/metrics')).text()).split('\n')
      .filter((line) => line !== '').flatMap((line) => line.match(/^# TYPE (.*)/)?.[1]
        ?? (line.startsWith('#') ? [] : line.replace(/ [^ ]+$/, '').replace(/version="[^"]+"/, 'version')
          .replace(/service="[^"]+",operation="[^"]+"/, 'service,operation'))));
    const told = [...page('metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]+) \|/gm)]
      .flatMap(([, name, type, cell]) => {
        const words = [...cell.matchAll(/`(\w+)`/g)].map(([, word]) => word);
        const [label, ...values] = words;
        const labels = cell.includes(':') ? values.map((value) => `{${label}="${value}"}`)
          : [words.length > 0 ? `{${words}}` : ''];
        return [`${name} ${type}`, ...labels.map((each) => name + each)];
      });
    assert.deepEqual(told.toSorted(), [...series].toSorted());
    for (const name of ['security.md', 'limits.md']) {
      for (const [metric] of page(name).matchAll(/gnomon_\w+_total(\{\w+="\w+"\})?/g)) {
        assert.ok([...series].some((each) => each.startsWith(metric)), `${metric} in ${name}`);
      }
    }
  });

  test('GET /metrics tells of the process', async (w) => {
    const metrics = await w.server.metrics();
    const memory = w.server.memory();
    assert.ok(Math.abs(metrics.process_resident_memory_bytes / memory - 1) < 0.5);
    assert.ok(metrics.process_open_fds > 3 && metrics.process_open_fds < metrics.process_max_fds);
    assert.ok(metrics.process_cpu_seconds_total > 0);
    const started = metrics.process_start_time_seconds * 1000;
    assert.ok(started <= Date.now() && started > Date.now() - 600_000);
  });

  test('what is refused, dropped or held is counted with its reason', async (w) => {
    const names = Object.keys(await w.server.metrics());
    for (const name of names.filter((each) => /(refused|dropped|pauses|disconnects)/.test(each))) {
      assert.match(name, /\{reason="[a-z_]+"\}$/);
    }
  });

  test('counters move', async (w) => {
    const before = await w.server.metrics();
    const raw = await w.raw(5);
    await raw.published(w.topic(), 'x');
    await raw.goodbye();
    await w.server.untilMetrics((m) => ['gnomon_connects_total', 'gnomon_received_bytes_total',
      'gnomon_disconnects_total{reason="client"}', 'gnomon_messages_received_total{qos="1"}',
    ].every((name) => m[name] > before[name]), 'they moved');
  });

  test('an unknown path is 404, another method 405', async (w) => {
    for (const target of ['/', '/nope', '/metrics/', '/healthz/x', '//metrics', '/..%2fmetrics']) {
      const response = await w.server.get(target);
      assert.equal(response.status, 404, target);
      await response.text();
    }
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const response = await w.server.get('/metrics', { method });
      assert.equal(response.status, 405, method);
      await response.text();
    }
    const head = await w.server.get('/metrics', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), '');
  });

  test('requests in one write are answered in order', async (w) => {
    const text = await exchange(w.server, ['/healthz', '/nope', '/metrics'].map((target, i) =>
      `GET ${target} HTTP/1.1\r\nHost: x\r\n${i === 2 ? 'Connection: close\r\n' : ''}\r\n`).join(''));
    assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g),
      ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
    assert.ok(text.includes('gnomon_connections'));
  });

  test('bad requests are refused and closed', async (w) => {
    const bad = {
      'not HTTP': '\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\r\n\r\n',
      'no version': 'GET /metrics\r\n\r\n',
      'a huge head': `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      'a huge target': `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      'a huge body': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\n\r\n',
      'a bad length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'two lengths': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    };
    for (const [what, bytes] of Object.entries(bad)) {
      const text = await exchange(w.server, Buffer.from(bytes, 'latin1'));
      assert.ok(text === '' || /^HTTP\/1\.[01] (4\d\d|5\d\d)/.test(text), `${what}: ${text}`);
    }
    assert.equal((await w.server.get('/healthz')).status, 200);
  });

  test('it answers while the broker is busy', async (w) => {
    const raws = await Promise.all(Array.from({ length: 10 }, () => w.raw(5)));
    for (const raw of raws) await raw.subscribe(w.topic());
    for (let n = 0; n < 5000; ++n) raws[n % 10].publish(w.topic(), 'x'.repeat(100));
    for (let n = 0; n < 10; ++n) assert.ok((await w.server.metrics()).gnomon_connections >= 10);
    for (const raw of raws) await raw.fence();
  });
});

suite('admin, a disk below its reserve', (test) => {
  test('/healthz is ok, /readyz is not, and says why', async (w) => {
    assert.equal((await w.server.get('/healthz')).status, 200);
    const response = await w.server.get('/readyz');
    assert.equal(response.status, 503);
    assert.match(await response.text(), /^the disk is full: .*disk\.reserve.*\n$/);
  });
}, { shards: [2], env: { GNOMON_DISK_RESERVE: String(2 ** 50) } });

suite('admin, durability memory', (test) => {
  test('what is acknowledged is gone with the process: the log and /metrics say so', async (w) => {
    const metrics = await w.server.metrics();
    assert.equal(metrics['gnomon_durability{mode="memory"}'], 1);
    assert.equal(metrics['gnomon_durability{mode="disk"}'], 0);
    await w.server.untilLog(/warn\w* nothing_is_kept .*memory/);
  });
}, { shards: [1], args: ['--durability', 'memory'] });
