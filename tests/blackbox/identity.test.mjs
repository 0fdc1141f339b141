// Who may connect: where being on this machine is no identity, a certificate of the folder's device
// authority or a user of the password file.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { deviceCertificate, rootOf } from '../harness/certificates.mjs';
import { day, second, startWithClock } from '../harness/clock.mjs';
import * as codec from '../harness/codec.mjs';
import { dial } from '../harness/dial.mjs';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { run, Server, temporaryFolder } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';
import { openWebSocket } from '../harness/websocket.mjs';

const notAuthorised = { 4: 5, 5: 0x87 };
const wrongPassword = { 4: 4, 5: 0x86 };
const strict = { GNOMON_LOCAL: 'false' };

async function withServer(options, body) {
  const start = options.clock ? startWithClock : Server.start;
  const server = await start({ listeners: true, shards: 2, ...options,
    env: { ...strict, ...options.env } });
  try {
    await body(server);
    await server.stop();
  } finally {
    await server.kill();
  }
}

// The code of the CONNACK on a new connection.
async function code(server, v, { connect = {}, port = server.ports.mqtts, ms, ...how } = {}) {
  const raw = await Raw.open(port, { v, ...how });
  raw.send(codec.connect({ v, id: unique('who'), ...connect }));
  const connack = await raw.expect('connack', {}, ms);
  raw.destroy();
  return connack.code;
}

const knownBy = (options) => ({ username: 'lamp', password: 'right', ...options });

// Somebody who stays, with a will to `gone/ID`.
async function staying(port, id, { v = 5, secure, ...connect } = {}) {
  const will = { topic: `gone/${id}`, payload: 'x' };
  return (await Raw.open(port, { v, secure })).connect({ v, id, will, ...connect });
}

// It is told in MQTT 5 that it may not be here any more, and ended.
async function expectEnd(raw, v = 5, ms = deadline) {
  if (v === 5) assert.equal((await raw.expect('disconnect', {}, ms)).code, 0x87);
  await raw.expectClose(ms);
}

// A file of the user lamp with the password "right".
async function passwordFile(folder, user = 'lamp') {
  const file = path.join(folder, 'passwords');
  const { code: status, stderr } = await run(['passwd', file, user, '--batch', 'right']);
  assert.equal(status, 0, stderr);
  return file;
}

describe('who may connect', { timeout: 120_000 }, () => {
  it('without an identity nobody, on no listener', () => withServer({}, async (server) => {
    const secure = rootOf(server);
    const alpn = { secure: { ...secure, ALPNProtocols: ['mqtt'] }, port: server.ports.https };
    for (const v of [4, 5]) {
      for (const how of [{ port: server.port }, { secure }, alpn]) {
        for (const connect of [{}, knownBy()]) {
          assert.equal(await code(server, v, { ...how, connect }), notAuthorised[v]);
        }
      }
      for (const [port, how] of [[server.ports.http, {}], [server.ports.https, { secure }]]) {
        await assert.rejects(openWebSocket(port, how), /no WebSocket: .*"status":403/);
      }
    }
  }));

  it('a certificate of another authority, or the server\'s own, is none', () =>
    withServer({}, async (server) => withServer({}, async (other) => {
      const { ca } = rootOf(server);
      const own = fs.readFileSync(path.join(server.data, 'server.private.pem'));
      const foreign = await deviceCertificate(other, 'lamp');
      const mine = await deviceCertificate(server, 'lamp');
      for (const v of [4, 5]) {
        assert.equal(await code(server, v, { secure: mine }), 0);
        for (const secure of [{ ...foreign, ca }, { ca, cert: own, key: own }]) {
          assert.equal(await code(server, v, { secure }), notAuthorised[v]);
        }
      }
    })));

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    it(`a certificate that has expired, also in a session that is resumed (${version})`, () =>
      withServer({ clock: true }, async (server) => {
        const secure = { ...await deviceCertificate(server, 'lamp', '--days', '1'),
          minVersion: version, maxVersion: version };
        // The session of a connection, once it has been given.
        const dialled = dial(server.ports.mqtts, { secure });
        const given = new Promise((resolve) => { dialled.socket.once('session', resolve); });
        const raw = new Raw(dialled, 5);
        await raw.opened;
        await raw.connect({ id: unique('first') });
        const session = await within(deadline, 'a session', given);
        const resumed = { ...secure, session };
        assert.equal(await code(server, 5, { secure: resumed }), 0);
        const { 'gnomon_tls_handshakes_total{result="resumed"}': count } = await server.metrics();
        assert.equal(count, 1);
        server.clock.set(3 * day);
        for (const v of [4, 5]) {
          assert.equal(await code(server, v, { secure: resumed }), notAuthorised[v]);
          assert.equal(await code(server, v, { secure }), notAuthorised[v]);
        }
        raw.destroy();
      }));
  }
});

describe('who is connected', { timeout: 120_000 }, () => {
  it('ends with its certificate, in a second, and its will is published', () =>
    withServer({ clock: true }, async (server) => {
      const secure = await deviceCertificate(server, 'lamp', '--days', '1');
      const lasting = await deviceCertificate(server, 'fan', '--days', '3');
      const watcher = await staying(server.ports.mqtts, 'watcher', { secure: lasting });
      await watcher.subscribe({ filter: 'gone/#', qos: 0 });
      server.clock.set(day - 8 * second);
      const lamps = [];
      for (const v of [4, 5]) {
        lamps.push([v, await staying(server.ports.mqtts, `lamp-${v}`, { v, secure })]);
      }
      await Promise.all(lamps.map(([v, lamp]) => expectEnd(lamp, v, deadline + 10 * second)));
      const wills = await watcher.messages(2);
      assert.deepEqual(wills.map(({ topic }) => topic).sort(), ['gone/lamp-4', 'gone/lamp-5']);
      watcher.destroy();
    }));
});

describe('passwords', { timeout: 120_000 }, () => {
  const withPasswords = async (body, env = {}) => {
    const folder = temporaryFolder();
    try {
      const file = await passwordFile(folder);
      await withServer({ env: { GNOMON_PASSWORDS: file, ...env } }, (server) => body(server, file));
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  };

  it('right, wrong, unknown, empty, none', () => withPasswords(async (server) => {
    for (const v of [4, 5]) {
      const as = (connect) => code(server, v, { port: server.port, connect });
      assert.equal(await as(knownBy()), 0);
      for (const wrong of [{ password: 'wrong' }, { password: '' }, { password: 'right\0' },
        { username: 'nobody' }, { username: '' }]) {
        assert.equal(await as(knownBy(wrong)), wrongPassword[v], JSON.stringify(wrong));
      }
      assert.notEqual(await as({ username: 'lamp' }), 0);
      assert.equal(await as({}), notAuthorised[v]);
    }
  }));

  it('many wrong ones at once do not stop who is connected', () => withPasswords(async (server) => {
    const raw = await (await Raw.open(server.port)).connect({ id: unique(), ...knownBy() });
    await raw.subscribe({ filter: 'beat', qos: 1 });
    let done = false;
    // Each password costs a core 0.1 s, on purpose: the last of them waits for all others.
    const storm = Promise.all(Array.from({ length: 200 }, () =>
      code(server, 5, { port: server.port, ms: 60_000, connect: knownBy({ password: unique() }) })))
      .finally(() => { done = true; });
    let slowest = 0;
    do {
      const began = performance.now();
      await raw.published('beat');
      await raw.message();
      slowest = Math.max(slowest, performance.now() - began);
    } while (!done);
    for (const refusal of await storm) assert.ok([0x86, 0x89].includes(refusal), `${refusal}`);
    assert.ok(slowest < 2000, `a round trip took ${slowest} ms`);
    raw.destroy();
  }, { GNOMON_LIMITS_CONNECT_TIMEOUT: '60' }));

  it('SIGHUP ends who is gone or has another password, and nobody else; no will of theirs is sent', () =>
    withPasswords(async (server, file) => {
      for (const user of ['fan', 'door']) await run(['passwd', file, user, '--batch', 'right']);
      await server.reload();
      const [lamp, fan, door] = await Promise.all(['lamp', 'fan', 'door'].map((username) =>
        staying(server.port, username, knownBy({ username }))));
      await door.subscribe({ filter: 'gone/#', qos: 0 });
      await run(['passwd', file, 'lamp', '--delete']);
      await run(['passwd', file, 'fan', '--batch', 'other']);
      await server.reload();
      await Promise.all([lamp, fan].map((gone) => expectEnd(gone)));
      await door.expectNothing();
      const metrics = await server.metrics();
      assert.equal(metrics.gnomon_rechecks_total, 2);
      assert.equal(metrics['gnomon_publishes_refused_total{reason="policy"}'], 2);
      door.destroy();
    }));

  it('SIGHUP: users come and go; a broken file changes nothing', () =>
    withPasswords(async (server, file) => {
      const as = (username) => code(server, 5, { port: server.port, connect: knownBy({ username }) });
      await run(['passwd', file, 'fan', '--batch', 'right']);
      await run(['passwd', file, 'lamp', '--delete']);
      assert.deepEqual([await as('lamp'), await as('fan')], [0, 0x86]);  // not read yet
      assert.match(await server.reload(), /keys_loaded/);
      assert.deepEqual([await as('lamp'), await as('fan')], [0x86, 0]);
      fs.writeFileSync(file, 'fan:what is this\n');
      assert.match(await server.reload(), /keys_not_loaded.*passwords/);
      assert.deepEqual([await as('lamp'), await as('fan')], [0x86, 0]);
      fs.rmSync(file);
      assert.match(await server.reload(), /keys_not_loaded.*passwords/);
      assert.deepEqual([await as('lamp'), await as('fan')], [0x86, 0]);
    }));
});
