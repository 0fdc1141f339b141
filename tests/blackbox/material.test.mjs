// What first start makes, gnomon device cert and gnomon passwd: files, and whether others take them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPrivateKey, pbkdf2Sync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { deadline, within } from '../harness/raw.mjs';
import { binary, run, Server, start, temporaryFolder } from '../harness/server.mjs';

const files = ['device-ca.key', 'device-ca.pem', 'root-ca.key', 'root-ca.pem',
  'server-ca.private.pem', 'server.private.pem'];
const mode = (file) => fs.statSync(file).mode & 0o7777;
const read = (...parts) => fs.readFileSync(path.join(...parts), 'utf8');
const material = (data) => Object.fromEntries(files.map((name) => [name, read(data, name)]));

async function withFolder(body) {
  const folder = temporaryFolder();
  try {
    await body(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function withServer(body, options = {}) {
  await withFolder(async (folder) => {
    const server = await Server.start({ folder, ...options });
    try {
      await body(server);
    } finally {
      await server.kill();
    }
  });
}

// A TLS server with the folder's certificate, which asks for one of the folder's devices. Returns
// what the handshake of a client gives: the subject of its certificate, or the error.
async function handshake(data, host, client) {
  const pem = read(data, 'server.private.pem');
  const server = tls.createServer({ key: pem, cert: pem, ca: read(data, 'device-ca.pem'),
    requestCert: true, rejectUnauthorized: false });
  server.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await within(deadline, 'the handshake', new Promise((resolve) => {
      server.on('secureConnection', (socket) => {
        resolve(socket.authorized ? socket.getPeerCertificate().subject.CN : socket.authorizationError);
        socket.on('error', () => {}).destroy();
      });
      const socket = tls.connect({ port: server.address().port, host: '127.0.0.1',
        servername: /[a-z]/.test(host) ? host : '', checkServerIdentity: (_, certificate) =>
          tls.checkServerIdentity(host, certificate), ...client });
      socket.on('error', (error) => { resolve(error.code ?? error.message); });
    }));
  } finally {
    server.close();
  }
}

// The options of a client that has what gnomon device cert has written.
const client = (out, name) => ({ ca: read(out, 'root-ca.pem'),
  key: read(out, `${name}.key.pem`), cert: read(out, `${name}.cert.pem`) });

async function certified(data, out, name, ...args) {
  const done = await run(['device', 'cert', name, '--out', out, '--data', data, ...args]);
  assert.deepEqual([done.code, done.stderr], [0, '']);
  return done.stdout;
}

async function failed(args, code, ...reasons) {
  const done = await run(args);
  assert.deepEqual([done.code, done.stdout], [code, ''], `gnomon ${args.join(' ')}: ${done.stderr}`);
  for (const reason of reasons) assert.match(done.stderr, reason);
}

describe('the first start', { timeout: 120_000 }, () => {
  it('makes keys and certificates, for nobody else to read, and keeps them', () =>
    withServer(async (server) => {
      assert.equal(mode(server.data), 0o700);
      for (const name of files) assert.equal(mode(path.join(server.data, name)), 0o600, name);
      assert.equal(server.ready.ca, path.join(server.data, 'root-ca.pem'));
      const before = material(server.data);
      const root = new X509Certificate(before['root-ca.pem']);
      const leaf = new X509Certificate(before['server.private.pem']
        .slice(before['server.private.pem'].indexOf('-----BEGIN CERTIFICATE')));
      assert.ok(root.ca && root.verify(root.publicKey));
      assert.ok(leaf.checkHost('localhost') && leaf.checkIP('127.0.0.1') && leaf.checkIP('::1'));
      assert.equal(createPrivateKey(before['root-ca.key']).asymmetricKeyDetails.namedCurve,
        'prime256v1');
      await server.end();
      await server.launch();
      assert.deepEqual(material(server.data), before);
    }));

  it('with other names makes a new server certificate under the same root', () =>
    withServer(async (server) => {
      const before = material(server.data);
      await server.end();
      await server.launch({ env: { GNOMON_NAMES: 'iot.example.com, *.b.test 192.0.2.7' } });
      const after = material(server.data);
      assert.deepEqual(files.filter((name) => before[name] !== after[name]),
        ['server-ca.private.pem', 'server.private.pem']);
      const out = path.join(server.folder, 'lamp');
      await certified(server.data, out, 'lamp');
      for (const host of ['localhost', 'iot.example.com', 'a.b.test', '192.0.2.7']) {
        assert.equal(await handshake(server.data, host, client(out, 'lamp')), 'lamp', host);
      }
      assert.equal(await handshake(server.data, 'example.com', client(out, 'lamp')),
        'ERR_TLS_CERT_ALTNAME_INVALID');
    }));

  it('killed at any moment, the next one goes on', () => withFolder(async (folder) => {
    const data = path.join(folder, 'data');
    let kept = {};
    for (let ms = 2; ms < 120 && Object.keys(kept).length < files.length; ms += 6) {
      const child = start(['serve', '--listen-mqtt', 'off', '--listen-admin', 'off', '--data', data]);
      setTimeout(() => child.process.kill('SIGKILL'), ms);
      const { signal, stderr } = await child.ended;
      assert.equal(signal, 'SIGKILL', stderr);
      const there = Object.fromEntries(files.filter((name) => fs.existsSync(path.join(data, name)))
        .map((name) => [name, read(data, name)]));
      assert.deepEqual({ ...there, ...kept }, there, 'what was made stays');
      kept = there;
    }
    const server = await Server.start({ folder });
    try {
      assert.deepEqual({ ...material(data), ...kept }, material(data));
      await certified(data, path.join(folder, 'lamp'), 'lamp');
      assert.equal(await handshake(data, 'localhost', client(path.join(folder, 'lamp'), 'lamp')),
        'lamp');
    } finally {
      await server.kill();
    }
  }));

  it('does not start with a damaged file or one of somebody else, which stays', () =>
    withServer(async (server) => {
      await server.end();
      const args = ['serve', '--listen-mqtt', 'off', '--listen-admin', 'off', '--data', server.data];
      for (const name of files) {
        const file = path.join(server.data, name);
        const good = read(file);
        for (const bad of ['', 'hello\n', good.slice(0, good.length >> 1)]) {
          fs.writeFileSync(file, bad);
          await failed(args, 1, new RegExp(`${name}: .*; .*(made anew|put back)`));
          assert.equal(read(file), bad);
        }
        fs.writeFileSync(file, good);
      }
      await server.launch();
      await server.end();
    }));
});

describe('gnomon device cert', { timeout: 120_000 }, () => {
  it('while the server runs: a certificate that its authority vouches for', () =>
    withServer(async (server) => {
      const out = path.join(server.folder, 'devices');
      const text = await certified(server.data, out, 'lamp-1');
      await certified(server.data, out, 'Plant:7_b');  // into the same folder
      assert.deepEqual(fs.readdirSync(out).sort(), ['Plant:7_b.cert.pem', 'Plant:7_b.key.pem',
        'lamp-1.cert.pem', 'lamp-1.key.pem', 'root-ca.pem']);
      assert.equal(mode(path.join(out, 'lamp-1.key.pem')), 0o600);
      assert.equal(mode(path.join(out, 'lamp-1.cert.pem')) & 0o600, 0o600);
      assert.equal(read(out, 'root-ca.pem'), read(server.data, 'root-ca.pem'));
      const certificate = new X509Certificate(read(out, 'lamp-1.cert.pem'));
      assert.equal(certificate.subject, 'CN=lamp-1');
      assert.equal(certificate.ca, false);
      assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
      assert.ok(certificate.validTo.includes('2049'));
      assert.ok(text.includes(certificate.fingerprint256.replaceAll(':', '').toLowerCase()));
      for (const name of ['lamp-1', 'Plant:7_b']) {
        assert.equal(await handshake(server.data, 'localhost', client(out, name)), name);
      }
    }));

  it('of another folder is not vouched for', () => withServer((one) => withServer(async (two) => {
    const out = path.join(two.folder, 'lamp');
    await certified(two.data, out, 'lamp');
    const stranger = { ...client(out, 'lamp'), ca: read(one.data, 'root-ca.pem') };
    assert.notEqual(await handshake(one.data, 'localhost', stranger), 'lamp');
    assert.notEqual(await handshake(one.data, 'localhost', client(out, 'lamp')), 'lamp');
  })));

  it('--days; --force; without it nothing is replaced', () => withServer(async (server) => {
    const out = path.join(server.folder, 'lamp');
    await certified(server.data, out, 'lamp', '--days', '30');
    const first = client(out, 'lamp');
    const days = (Date.parse(new X509Certificate(first.cert).validTo) - Date.now()) / 86_400_000;
    assert.ok(days > 29.9 && days < 30.1, `${days} days`);
    const again = ['device', 'cert', 'lamp', '--out', out, '--data', server.data];
    await failed(again, 1, /lamp\.key\.pem is there already; --force/);
    assert.deepEqual(client(out, 'lamp'), first);
    await certified(server.data, out, 'lamp', '--force');
    assert.notEqual(read(out, 'lamp.key.pem'), first.key);
    fs.writeFileSync(path.join(out, 'root-ca.pem'), 'mine');
    await failed([...again.toSpliced(2, 1, 'fan')], 1, /root-ca\.pem is there already/);
    assert.equal(read(out, 'root-ca.pem'), 'mine');
    assert.ok(!fs.existsSync(path.join(out, 'fan.key.pem')));
    await failed([...again, '--force', '--days', '36500'], 1, /authority for devices ends on 2049/);
  }));

  it('where there is no folder, no key, no room: 1, and why', () => withServer(async (server) => {
    const out = path.join(server.folder, 'x');
    const args = (data, to = out) => ['device', 'cert', 'lamp', '--out', to, '--data', data];
    await failed(args(path.join(server.folder, 'none')), 1, /device-ca\.pem is not there/,
      /gnomon serve/, /--data/);
    await failed(args(server.data, path.join(server.folder, 'a', 'b')), 1, /cannot make the folder/);
    await failed(args(server.data, path.join(server.data, 'root-ca.pem')), 1, /root-ca\.pem/);
    fs.rmSync(path.join(server.data, 'device-ca.key'));
    await failed(args(server.data), 1, /device-ca\.key: it is gone/);
    assert.ok(!fs.existsSync(out));
  }));

  it('misuse: 2', async () => {
    for (const args of [[], ['cert'], ['cert', 'lamp'], ['cert', '--out', 'x'], ['key', 'lamp'],
      ['cert', 'a/b', '--out', 'x'], ['cert', '../a', '--out', 'x'], ['cert', 'a b', '--out', 'x'],
      ['cert', 'a'.repeat(65), '--out', 'x'], ['cert', 'a', 'b', '--out', 'x'],
      ['cert', 'a', '--out', 'x', '--days', '0'], ['cert', 'ä', '--out', 'x']]) {
      await failed(['device', ...args], 2, /--help/);
    }
    const help = await run(['device', 'cert', '--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /Examples:\n {2}gnomon device cert /);
  });
});

// Whether the line of a user in a file is of this password, as mosquitto would find it.
function matches(file, user, password) {
  const line = read(file).split('\n').find((text) => text.startsWith(`${user}:`));
  const [, form, iterations, salt, hash] = line.slice(user.length + 1).split('$');
  assert.deepEqual([form, Buffer.from(salt, 'base64').length], ['7', 12]);  // as mosquitto wants it
  return pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 64, 'sha512')
    .equals(Buffer.from(hash, 'base64'));
}

describe('gnomon passwd', { timeout: 120_000 }, () => {
  const set = async (file, user, password) => {
    const done = await run(['passwd', file, user], { input: `${password}\n` });
    assert.deepEqual([done.code, done.stderr], [0, '']);
    return done.stdout;
  };

  it('adds, changes, removes; other lines stay', () => withFolder(async (folder) => {
    const file = path.join(folder, 'passwords');
    assert.match(await set(file, 'lamp', 'one'), /lamp added to .*, which is new/);
    assert.equal(mode(file), 0o600);
    assert.ok(matches(file, 'lamp', 'one') && !matches(file, 'lamp', 'One'));
    fs.appendFileSync(file, '# mine\nold:$6$abc$def\n');
    assert.match(await set(file, 'fän 2', 'päss wörd'), /added/);
    assert.match(await set(file, 'lamp', 'two'), /changed/);
    assert.ok(matches(file, 'lamp', 'two') && matches(file, 'fän 2', 'päss wörd'));
    assert.deepEqual(read(file).split('\n').slice(1, 3), ['# mine', 'old:$6$abc$def']);
    assert.equal((await run(['passwd', file, 'lamp', '--batch', 'three'])).code, 0);
    assert.ok(matches(file, 'lamp', 'three'));
    assert.equal((await run(['passwd', file, 'lamp', '--delete'])).code, 0);
    assert.ok(!read(file).includes('lamp'));
    await failed(['passwd', file, 'lamp', '--delete'], 1, /no user "lamp"/);
    assert.deepEqual(fs.readdirSync(folder), ['passwords']);
  }));

  it('many at once: none is lost', () => withFolder(async (folder) => {
    const file = path.join(folder, 'passwords');
    const users = Array.from({ length: 12 }, (_, n) => `user-${n}`);
    await Promise.all(users.map((user) => set(file, user, `of ${user}`)));
    assert.equal(read(file).split('\n').length, users.length + 1);
    assert.ok(users.every((user) => matches(file, user, `of ${user}`)));
  }));

  it('keeps the group\'s rights and takes those of others; a link stays a link', () =>
    withFolder(async (folder) => {
      const file = path.join(folder, 'passwords');
      fs.writeFileSync(file, '', { mode: 0o644 });
      fs.chmodSync(file, 0o644);
      const link = path.join(folder, 'link');
      fs.symlinkSync('passwords', link);
      await set(link, 'lamp', 'one');
      assert.equal(mode(file), 0o640);
      assert.ok(fs.lstatSync(link).isSymbolicLink());
      assert.ok(matches(file, 'lamp', 'one'));
    }));

  it('what cannot be is refused, and the file stays', () => withFolder(async (folder) => {
    const file = path.join(folder, 'passwords');
    await set(file, 'lamp', 'one');
    const before = read(file);
    await failed(['passwd', file, 'fan'], 1, /no password/);
    await failed(['passwd', file, 'fan', '--batch', ''], 1, /empty/);
    await failed(['passwd', path.join(folder, 'none', 'x'), 'fan', '--batch', 'x'], 1, /none/);
    await failed(['passwd', path.join(folder, 'none'), 'fan', '--delete'], 1, /none/);
    await failed(['passwd', folder, 'fan', '--batch', 'x'], 1, /gnomon-test/);
    const long = await run(['passwd', file, 'fan'], { input: `${'x'.repeat(65_536)}\n` });
    assert.equal(long.code, 1);
    for (const args of [[], [file], [file, 'a:b', '--batch', 'x'], [file, '#a', '--batch', 'x'],
      [file, 'a\nb', '--batch', 'x'], [file, 'a', 'b'], [file, 'a', '--delete', '--batch', 'x']]) {
      await failed(['passwd', ...args], 2, /--help/);
    }
    assert.equal(read(file), before);
    assert.deepEqual(fs.readdirSync(folder), ['passwords']);
  }));

  // On a terminal of its own, which the program script(1) makes; `typed` answers what is asked.
  async function onTerminal(file, typed) {
    const child = spawn('script',
      ['-qec', `${binary} passwd ${file} lamp; echo code=$?`, '/dev/null']);
    let text = '';
    let asked = 0;
    child.stdout.setEncoding('utf8').on('data', (part) => {
      text += part;
      const questions = text.split(/(?:Password for lamp|The same again): /).length - 1;
      while (asked < questions && asked < typed.length) child.stdin.write(typed[asked++]);
    });
    await within(deadline, () => `the end of script\n${text}`, once(child, 'close'));
    return text;
  }

  it('asks twice on a terminal, and shows nothing of it', () => withFolder(async (folder) => {
    const file = path.join(folder, 'passwords');
    const text = await onTerminal(file, ['geheim\n', 'geheim\n']);
    assert.match(text, /code=0/);
    assert.ok(!text.includes('geheim'), text);
    assert.ok(matches(file, 'lamp', 'geheim'));
    assert.match(await onTerminal(file, ['one\n', 'two\n']), /not the same[^]*code=1/);
    assert.match(await onTerminal(file, ['\x03']), /Password for lamp: /);  // ^C ends it
    assert.ok(matches(file, 'lamp', 'geheim'));
  }));
});
