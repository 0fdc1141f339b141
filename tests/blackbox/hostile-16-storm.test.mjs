// Hostile input row 16: a storm of TLS handshakes, all at once, from a process of its own. Each costs
// the server more than anything else a client may ask for before it has said who it is.

import assert from 'node:assert/strict';
import { deviceCertificate } from '../harness/certificates.mjs';
import { siege } from '../harness/hostile.mjs';
import { run } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

const clients = 1000;

const sum = (metrics, pattern) => Object.entries(metrics)
  .filter(([name]) => pattern.test(name)).reduce((all, [, value]) => all + value, 0);

suite('a storm of TLS handshakes', (test) => {
  test('1,000 at once are all served, beside somebody who hardly notices', async (w) => {
    const { server } = w;
    const { files } = await deviceCertificate(server, 'storm');
    const before = await server.metrics();
    const { result } = await siege(w, () => run(['bench', 'connects', '--clients', clients,
      '--connects', clients, '--broker', `127.0.0.1:${server.ports.mqtts}`, '--tls', '--cafile',
      files.ca, '--cert', files.cert, '--key', files.key, '--json'].map(String), { ms: 60_000 }),
    // What the handshakes have left in the allocator is the next ones' to use.
    { counted: null, grows: 80 * 1024 * 1024, slowest: 1000 });
    assert.equal(result.code, 0, result.stderr);
    const bystanders = 2;
    const after = await server.untilMetrics((m) => m.gnomon_arrivals === 0 &&
      m.gnomon_connections === before.gnomon_connections + bystanders, 'nobody else stays');
    const handshakes = /^gnomon_tls_handshakes_total\{result="full"\}/;
    assert.ok(sum(after, handshakes) - sum(before, handshakes) >= clients);
    assert.equal(sum(after, /refused_total/), sum(before, /refused_total/));
    assert.ok(sum(after, /handshakes_put_off/) > sum(before, /handshakes_put_off/));
  });
}, { shards: [1, 2], listeners: true });
