// gnomon pub, sub and bench over TLS and WebSocket, against Node's implementations of both.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Front } from '../harness/front.mjs';
import { deadline, within } from '../harness/raw.mjs';
import { run, start } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

// The folder's own certificates, and those of a device: options of Node's server, and file names.
async function material(w) {
  const { data, folder } = w.server;
  const out = path.join(folder, 'lamp');
  if (!fs.existsSync(out)) {
    const made = await run(['device', 'cert', 'lamp', '--out', out, '--data', data]);
    assert.equal(made.code, 0, made.stderr);
  }
  const pem = fs.readFileSync(path.join(data, 'server.private.pem'));
  const file = (name) => path.join(out, name);
  return { server: { key: pem, cert: pem, ca: fs.readFileSync(path.join(data, 'device-ca.pem')) },
    ca: ['--cafile', path.join(data, 'root-ca.pem')],
    cert: ['--cert', file('lamp.cert.pem'), '--key', file('lamp.key.pem')], file };
}

async function front(w, kind, options) {
  const made = await Front.start(kind, w.server.port, options);
  w.opened.push(() => made.close());
  return made;
}
const mutual = (m) => ({ ...m.server, requestCert: true, rejectUnauthorized: true });
const toFront = (f, ...args) => ['-h', 'localhost', '-p', String(f.port), ...args];

async function done(args, options) {
  const result = await run(args, options);
  assert.deepEqual([result.code, result.stderr], [0, ''], `gnomon ${args.join(' ')}`);
  return result;
}
async function failed(args, code, ...reasons) {
  const result = await run(args);
  assert.equal(result.code, code, `gnomon ${args.join(' ')}: ${result.stderr}`);
  for (const reason of reasons) assert.match(result.stderr, reason);
}

// Starts `gnomon sub -d`, and returns it when the broker has taken its subscription.
async function subscribed(w, args) {
  const sub = start(['sub', '-d', ...args]);
  w.opened.push(() => sub.process.kill('SIGKILL'));
  await within(deadline, () => `SUBACK\n${sub.stderr()}`, new Promise((resolve) => {
    sub.process.stderr.on('data', () => { if (sub.stderr().includes('SUBACK')) resolve(); });
  }));
  return sub;
}
const ended = (sub) => within(deadline, () => `the end of gnomon sub\n${sub.stderr()}`, sub.ended);

async function bench(w, load, args) {
  const { code, stdout, stderr } = await run(['bench', load, '--pid', String(w.server.pid),
    '--json', ...args.map(String)]);
  assert.equal(code, 0, `gnomon bench ${load} ${args.join(' ')}: ${stdout}${stderr}`);
  return JSON.parse(stdout);
}

suite('clients over TLS and WebSocket', (test) => {
  for (const version of ['31', '311', '5']) {
    test(`a round trip over each transport, ${version}`, async (w) => {
      const m = await material(w);
      for (const [kind, scheme] of [['tls', 'mqtts'], ['ws', 'ws'], ['wss', 'wss']]) {
        const f = await front(w, kind, kind === 'ws' ? {} : m.server);
        const topic = w.topic(scheme);
        const at = scheme === 'mqtts' ? `/${topic}` : '';
        const how = ['-L', `${scheme}://localhost:${f.port}${at}`, '-V', version, '-q', '1',
          ...(kind === 'ws' ? [] : m.ca), ...(at ? [] : ['-t', topic])];
        const sub = await subscribed(w, [...how, '-C', '3']);
        const input = `hello\n${'x'.repeat(100_000)}\nwörld\n`;
        await done(['pub', ...how, '-l'], { input });
        const { code, stdout } = await ended(sub);
        assert.deepEqual([code, stdout], [0, input], scheme);
        if (kind !== 'tls') assert.deepEqual([...new Set(f.seen.map((s) => s.path))], ['/mqtt']);
        if (kind !== 'ws') assert.equal(f.seen[0].servername, 'localhost');
      }
    });
  }

  test('mutual TLS: the certificate that is shown, and none', async (w) => {
    const m = await material(w);
    const f = await front(w, 'tls', mutual(m));
    await done(['pub', ...toFront(f, '-t', w.topic(), '-m', 'x', '-q', '1'), ...m.ca, ...m.cert]);
    assert.equal(f.seen[0].subject, 'lamp');
    await failed(['pub', ...toFront(f, '-t', w.topic(), '-m', 'x'), ...m.ca], 1,
      new RegExp(`cannot connect to localhost \\(127\\.0\\.0\\.1:${f.port}\\) over TLS`),
      /the server refuses TLS/, /--cert and --key/);
    const secure = await front(w, 'wss', mutual(m));
    await failed(['sub', '--ws', ...toFront(secure, '-t', w.topic()), ...m.ca], 1, /refuses TLS/);
    await done(['pub', '--ws', ...toFront(secure, '-t', w.topic(), '-m', 'x'), ...m.ca, ...m.cert]);
    assert.equal(secure.seen.at(-1).subject, 'lamp');
  });

  test('ALPN, and a server that has another', async (w) => {
    const m = await material(w);
    const f = await front(w, 'tls', { ...m.server, ALPNProtocols: ['x-amzn-mqtt-ca'] });
    const message = toFront(f, '-t', w.topic(), '-m', 'x');
    await done(['pub', ...message, ...m.ca, '--tls-alpn', 'x-amzn-mqtt-ca']);
    assert.equal(f.seen[0].alpn, 'x-amzn-mqtt-ca');
    await failed(['pub', ...message, ...m.ca, '--tls-alpn', 'h2'], 1, /no application protocol/);
  });

  test('whom to trust', async (w) => {
    const m = await material(w);
    const f = await front(w, 'tls', m.server);
    const message = ['-p', String(f.port), '-t', w.topic(), '-m', 'x'];
    const other = ['--cafile', path.join(w.server.data, 'device-ca.pem')];
    const here = ['-h', 'localhost'];
    await failed(['pub', ...here, ...message, ...other], 1, /does not verify/, /is that the auth/);
    await failed(['pub', ...here, ...message, '--tls-use-os-certs'], 1, /--cafile/);
    await done(['pub', ...here, ...message, '--insecure']);
    await failed(['pub', ...here, ...message, '--insecure', ...other], 1, /does not verify/);
    const folder = path.join(w.server.folder, 'trusted');
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, 'README'), 'no certificate');
    await failed(['pub', ...here, ...message, '--capath', folder], 1, /no file in it is a cert/);
    fs.copyFileSync(m.ca[1], path.join(folder, 'root.pem'));
    await done(['pub', ...here, ...message, '--capath', folder]);
    // The folder's certificate is not for this address.
    const misnamed = ['-h', '127.0.0.2'];
    await failed(['pub', ...misnamed, ...message, ...m.ca], 1, /is not for 127\.0\.0\.2/,
      /--insecure/);
    await done(['pub', ...misnamed, ...message, ...m.ca, '--insecure']);
  });

  test('what cannot be: which option, which value, what to do', async (w) => {
    const m = await material(w);
    const message = ['-t', 'x', '-m', 'x'];
    const missing = path.join(w.server.folder, 'missing.pem');
    await failed(['pub', ...message, '--cafile', missing], 1, /--cafile .*missing\.pem: cannot be/);
    await failed(['pub', ...message, ...m.ca, '--cert', missing, '--key', missing], 1, /--cert/);
    await failed(['pub', ...message, ...m.ca, '--cert', m.file('lamp.cert.pem'), '--key',
      path.join(w.server.data, 'server.private.pem')], 1, /not that of the certificate/);
    await failed(['pub', ...message, '--cafile', m.file('lamp.key.pem')], 1, /--cafile/);
    for (const args of [['--cert', 'x'], ['--key', 'x'], ['--tls-use-os-certs', ...m.ca],
      ['-L', 'mqtt://localhost/x', ...m.ca], ['-L', 'ws://localhost', ...m.ca],
      ['-L', 'http://localhost/x'], ['--ws-path', 'mqtt']]) {
      await failed(['pub', ...message, ...args], 2, /must|needs?|only one of/);
    }
  });

  test('who speaks something else there', async (w) => {
    const m = await material(w);
    const message = ['-t', w.topic(), '-m', 'x'];
    const plain = ['-h', 'localhost', '-p', String(w.server.port)];
    await failed(['pub', ...plain, ...message, ...m.ca], 1, /TLS/);
    await failed(['pub', '--ws', ...plain, ...message], 1, /over WebSocket: the server/);
    const f = await front(w, 'tls', m.server);
    await failed(['pub', ...toFront(f, ...message)], 1, /port for TLS\? \(--cafile/);
    const page = await front(w, 'ws');
    await failed(['pub', ...toFront(page, ...message), '--ws-path', '/other?x=%2F'], 1,
      /refused WebSocket: 403 Forbidden: not for you/);
    assert.equal(page.seen.at(-1).path, '/other?x=%2F');
    await done(['pub', ...toFront(page, ...message), '--ws-path', '/mqtt?x=%2F']);
    assert.equal(page.seen.at(-1).path, '/mqtt?x=%2F');
  });

  test('bench over each transport', async (w) => {
    const m = await material(w);
    for (const [kind, how] of [['tls', ['--tls', ...m.ca]], ['ws', ['--websocket']],
      ['wss', ['--websocket', '--path', '/mqtt', ...m.ca, ...m.cert]]]) {
      const f = await front(w, kind, kind === 'wss' ? mutual(m) : m.server);
      const to = ['--broker', `localhost:${f.port}`, ...how];
      for (const qos of [0, 1, 2]) {
        const figures = await bench(w, 'pairs',
          [...to, '--pairs', 3, '-q', qos, '--messages', 1001]);
        assert.equal(figures.delivered, 1001, `${kind}, QoS ${qos}`);
      }
      const large = await bench(w, 'fanout', [...to, '--subscribers', 3, '--messages', 20, '-s',
        '400000', '--window', 2]);
      assert.equal(large.delivered, 60, kind);
      if (kind !== 'wss') continue;
      const idle = await bench(w, 'connections', [...to, '-n', 20, '--idle', 1]);
      assert.equal(idle.connections, 20);
    }
  });

  test('bench connects: plain, whole handshakes, resumed ones', async (w) => {
    const m = await material(w);
    const f = await front(w, 'tls', mutual(m));
    const common = ['--clients', 4, '--connects', 50];
    const secure = ['--broker', `localhost:${f.port}`, ...m.ca, ...m.cert, ...common];
    const plain = await bench(w, 'connects',
      ['--broker', `127.0.0.1:${w.server.port}`, ...common]);
    assert.ok(plain.connects >= 50 && plain.p50_us > 0 && plain.closed === 0);
    const whole = await bench(w, 'connects', secure);
    assert.equal(whole.resumed, 0);
    const resumed = await bench(w, 'connects', [...secure, '--resume']);
    // A ticket is used once, and Node gives no other one with a session that was resumed.
    assert.ok(resumed.resumed >= 20 && resumed.resumed < resumed.connects, resumed.resumed);
    assert.ok(f.seen.some((each) => each.resumed && each.subject === 'lamp'));
    await failed(['bench', 'connects', '--broker', `localhost:${f.port}`, ...m.ca], 1,
      /refuses TLS/);
    await failed(['bench', 'connects', '--resume'], 2, /--resume is for TLS/);
  });

  test('bench mesh: what is acknowledged arrives, or is counted', async (w) => {
    const to = ['--broker', `127.0.0.1:${w.server.port}`, '--clients', 5, '--seconds', 1];
    for (const how of [[], ['--hears', 2], ['-V', 311]]) {
      const figures = await bench(w, 'mesh', [...to, ...how]);
      assert.equal(figures.lost, 0);
      assert.equal(figures.published, figures.acknowledged + figures.refused);
      const all = figures.delivered + figures.delivered_after;
      assert.ok(all >= figures.acknowledged * (how[0] === '--hears' ? 2 : 5), 'all arrived');
      assert.ok(figures.bystander_sent === 100 && figures.p99_us > 0);
      assert.ok(figures.resident_quarter > 0 && figures.resident_end > 0);
    }
    assert.ok((await bench(w, 'mesh', [...to, '-q', 0])).delivered > 0);
  });
}, { shards: [1] });
