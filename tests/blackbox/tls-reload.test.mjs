// A certificate of the user's: given at start, replaced while the server runs, damaged.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import * as codec from '../harness/codec.mjs';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { run, Server, temporaryFolder } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';
import { openWebSocket, request, Wire } from '../harness/websocket.mjs';
import {
  authority, certificate, dnsNames, name, newKey, signer, usage,
} from '../harness/x509.mjs';

const root = certificate(null, { subject: name('root'), extensions: [authority] });
const ofRoot = signer(root.cert, createPrivateKey(root.key));
const between = certificate(ofRoot, { subject: name('between'), extensions: [authority] });
// A server's, named so, behind an authority between: {cert (the chain), key}.
function served(what) {
  const by = signer(between.cert, createPrivateKey(between.key));
  const { cert, key } = certificate(by,
    { subject: name(what), extensions: [usage('serverAuth'), dnsNames(['localhost'])] });
  return { cert: cert + between.cert, key };
}
const trust = { ca: root.cert };

// With `pems` in two files; `body` gets the server and what replaces them: put({cert, key}).
async function withCertificate(pems, body) {
  const folder = temporaryFolder();
  const files = { cert: path.join(folder, 'server.pem'), key: path.join(folder, 'server.key') };
  const put = (now) => {
    for (const part of Object.keys(now)) fs.writeFileSync(files[part], now[part]);
  };
  put(pems);
  const settings = { GNOMON_TLS_CERTIFICATE: files.cert, GNOMON_TLS_KEY: files.key };
  try {
    await body({ folder, files, put, settings });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function withServer(pems, body) {
  await withCertificate(pems, async (given) => {
    const server = await Server.start({ listeners: true, shards: 2, env: given.settings });
    try {
      await body(server, given);
      await server.stop();
    } finally {
      await server.kill();
    }
  });
}

// The common name of the certificate that both ports show.
async function shown(server, how = {}) {
  const names = await Promise.all([server.ports.mqtts, server.ports.https].map((port) =>
    within(deadline, 'a certificate', new Promise((resolve, reject) => {
      const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ...trust, ...how });
      socket.once('secureConnect', () => {
        resolve(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
      socket.once('error', reject);
    }))));
  assert.equal(names[0], names[1]);
  return names[0];
}

const connected = async (server, v) => (await Raw.open(server.ports.mqtts, { v, secure: trust }))
  .connect({ v, id: unique('reload') });

// What cannot be used: {cert, key} instead of the good ones, and what is said about it.
function damages(good) {
  const half = (text) => text.slice(0, text.length >> 1);
  const broken = good.cert.replace(between.cert, between.cert.replace(/\n.{20}/, `\n${'A'.repeat(20)}`));
  return [
    ['an empty certificate', { cert: '' }, /tls\.certificate/],
    ['no certificate', { cert: 'hello\n' }, /tls\.certificate/],
    ['half of a certificate', { cert: half(good.cert.split(/(?<=END CERTIFICATE-----\n)/)[0]) },
      /tls\.certificate/],
    ['a damaged one behind the first', { cert: broken }, /tls\.certificate/],
    ['half of one behind the first', { cert: good.cert.slice(0, -100) }, /tls\.certificate/],
    ['an empty key', { key: '' }, /tls\.key/],
    ['half of a key', { key: half(good.key) }, /tls\.key/],
    ['the key of another', { key: served('other').key }, /the key is not that of the certificate/],
    ['a key instead of a certificate', { cert: good.key }, /tls\.certificate/],
    ['a certificate instead of a key', { key: good.cert }, /tls\.key/],
    ['a key with a password', { key: createPrivateKey(good.key).export({ type: 'pkcs8', format: 'pem',
      cipher: 'aes-256-cbc', passphrase: 'geheim' }) }, /has a password/],
    ['a file that is much too long', { cert: `${good.cert}${'#'.repeat(1 << 20)}` }, /tls\.certificate/],
  ];
}

describe('a certificate of the user\'s', { timeout: 120_000, concurrency: 2 }, () => {
  it('SIGHUP: new handshakes get the new one, connections live on', () =>
    withServer(served('one'), async (server, { put }) => {
      assert.equal(await shown(server), 'one');
      const raws = await Promise.all([3, 4, 5].map((v) => connected(server, v)));
      const socket = await openWebSocket(server.ports.https, { secure: trust });
      const half = await Raw.open(server.ports.mqtts, { secure: trust });  // before its CONNECT
      put(served('two'));
      assert.equal(await shown(server), 'one');  // not read yet
      assert.match(await server.reload(), /keys_loaded/);
      assert.equal(await shown(server), 'two');
      assert.equal(await shown(server, { maxVersion: 'TLSv1.2' }), 'two');
      for (const raw of raws) {
        await raw.expectNothing();
        await raw.goodbye();
      }
      await half.connect({ id: unique() });
      socket.socket.destroy();
      half.destroy();
    }));

  it('a session of before SIGHUP is no way around the new one', () =>
    withServer(served('one'), async (server, { put }) => {
      const first = tls.connect({ port: server.ports.mqtts, host: '127.0.0.1', servername: 'localhost',
        ...trust });
      const session = await within(deadline, 'a session', new Promise((resolve, reject) => {
        first.once('session', resolve).once('error', reject);
        first.write(codec.connect({ id: unique() }));
      }));
      first.destroy();
      put(served('two'));
      await server.reload();
      assert.equal(await shown(server, { session }), 'two');
    }));

  it('SIGHUP with the same one: sessions of before are resumed', () =>
    withServer(served('one'), async (server) => {
      const open = (how) => tls.connect({ port: server.ports.mqtts, host: '127.0.0.1',
        servername: 'localhost', ...trust, ...how });
      const first = open();
      const session = await within(deadline, 'a session', new Promise((resolve, reject) => {
        first.once('session', resolve).once('error', reject);
        first.write(codec.connect({ id: unique() }));
      }));
      first.destroy();
      assert.match(await server.reload(), /keys_loaded/);
      const second = open({ session });
      await within(deadline, 'a handshake', new Promise((resolve, reject) => {
        second.once('secureConnect', resolve).once('error', reject);
      }));
      assert.equal(second.isSessionReused(), true);
      second.destroy();
    }));

  it('a damaged one at SIGHUP: logged, and the old one goes on', () =>
    withServer(served('one'), async (server, { files, put }) => {
      const good = served('two');
      const raw = await connected(server, 5);
      for (const [what, wrong, said] of damages(good)) {
        put({ ...good, ...wrong });
        const line = await server.reload();
        assert.match(line, /keys_not_loaded/, what);
        assert.match(line, said, what);
        assert.match(line, /server\.(pem|key)/, `${what}: the file is named`);
        assert.equal(await shown(server), 'one', what);
      }
      for (const file of Object.values(files)) {
        put(good);
        fs.rmSync(file);
        assert.match(await server.reload(), /keys_not_loaded.*server\.(pem|key)/);
        fs.mkdirSync(file);
        assert.match(await server.reload(), /keys_not_loaded.*server\.(pem|key)/);
        fs.rmdirSync(file);
        assert.equal(await shown(server), 'one');
      }
      put(good);
      assert.match(await server.reload(), /keys_loaded/);
      assert.equal(await shown(server), 'two');
      await raw.expectNothing();
      raw.destroy();
    }));

  it('a damaged one at start: refused, with the file, exit code 1', () =>
    withCertificate(served('one'), async ({ folder, put, settings }) => {
      const good = served('one');
      const args = ['serve', '--listen-mqtt', '127.0.0.1:0', '--listen-mqtts', '127.0.0.1:0',
        '--listen-admin', 'off', '--data', path.join(folder, 'data')];
      for (const [what, wrong, said] of damages(good)) {
        put({ ...good, ...wrong });
        const { code, stdout, stderr } = await run(args, { env: settings });
        assert.deepEqual([code, stdout], [1, ''], `${what}: ${stderr}`);
        assert.match(stderr, said, what);
        assert.match(stderr, /server\.(pem|key)/, `${what}: the file is named`);
      }
    }));

  it('SIGHUP again and again during handshakes: none fails, nothing stays', () =>
    withServer(served('one'), async (server, { put }) => {
      const other = served('two');
      await shown(server);
      const before = await server.metrics();
      let done = false;
      const reloading = (async () => {
        for (let n = 0; n < 30; ++n) {
          put(n & 1 ? other : served('one'));
          assert.match(await server.reload(), /keys_loaded/);
        }
      })().finally(() => { done = true; });
      while (!done) {
        const raws = await Promise.all([4, 5].map((v) => connected(server, v)));
        await Promise.all(raws.map((raw) => raw.goodbye()));
        const wire = await Wire.open(server.ports.https, { secure: trust });
        wire.send(request('/_gnomon/root-ca.pem'));
        assert.equal((await wire.answer()).status, 200);
        wire.socket.destroy();
      }
      await reloading;
      const failed = (metrics) => Object.entries(metrics)
        .filter(([name]) => /tls_handshakes_total\{result="(?!full|resumed)/.test(name))
        .reduce((all, [, count]) => all + count, 0);
      await server.untilMetrics((m) => m.process_open_fds <= before.process_open_fds + 2 &&
        m.gnomon_connections === 0 && failed(m) === failed(before), 'nothing stays');
    }));
});
