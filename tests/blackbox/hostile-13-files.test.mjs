// Hostile input row 13: files that say who may connect, empty, damaged, gone or not to be opened.
// Nobody gets in who did not before.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { deviceCertificate, leave, rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { dial } from '../harness/dial.mjs';
import { pass, Raw } from '../harness/raw.mjs';
import { run, Server, temporaryFolder } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const refusedBy = { 4: [4, 5], 5: [0x86, 0x87] };

// A server where being on this machine is no identity, with the users lamp and fan ("right").
async function withUsers(body, listeners = true) {
  const folder = temporaryFolder();
  const file = path.join(folder, 'passwords');
  try {
    for (const user of ['lamp', 'fan']) {
      const { code, stderr } = await run(['passwd', file, user, '--batch', 'right']);
      assert.equal(code, 0, stderr);
    }
    const server = await Server.start({ listeners, shards: 2,
      env: { GNOMON_LOCAL: 'false', GNOMON_PASSWORDS: file } });
    try {
      await body(server, file);
    } finally {
      await server.kill();
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function code(server, v, connect = {}, { port = server.port, ...how } = {}) {
  const raw = await Raw.open(port, { v, ...how });
  raw.send(codec.connect({ v, id: unique('row-13'), ...connect }));
  const connack = await raw.expect('connack');
  raw.destroy();
  return connack.code;
}

const lamp = { username: 'lamp', password: 'right' };
const strangers = [{}, { username: 'lamp' }, { username: 'lamp', password: 'wrong' },
  { username: 'lamp', password: '' }, { username: '', password: '' }, { username: 'nobody', password: '' },
  { username: '#', password: 'right' }, { username: 'lamp', password: 'right\0' }];

async function noStranger(server) {
  for (const v of [4, 5]) {
    const codes = await Promise.all(strangers.map((connect) => code(server, v, connect)));
    codes.forEach((got, i) => assert.ok(refusedBy[v].includes(got), JSON.stringify(strangers[i])));
  }
}

// Damaged, and what a server must not take for "no users, so everybody".
const damages = (good) => ({ 'a line without a hash': 'lamp\n', 'an empty hash': 'lamp:\n',
  'a password in the clear': 'lamp:right\n', 'the form of mosquitto before 2.0': 'lamp:$6$c2FsdA==$aGFzaA==\n',
  'no salt': `lamp:$7$1000$$${'A'.repeat(86)}==\n`, 'no rounds': `lamp:$7$0$c2FsdHNhbHQ=$${'A'.repeat(86)}==\n`,
  'more rounds than anybody waits for': good.replace(/\$7\$\d+\$/, '$7$4294967295$'),
  'no hash': 'lamp:$7$1000$c2FsdHNhbHQ=$\n', 'half of a line': good.slice(0, good.length - 30),
  'the same user twice': good + good, 'an empty name': ':$7$1000$c2FsdA==$aGFzaA==\n',
  NUL: `lamp\0${good}`, garbage: '\x7fELF\x02\x01\x01\0\0\0', 'no UTF-8': Buffer.from('ff80fe3a0a', 'hex'),
  JSON: '{"users": []}\n' });

describe('row 13: the password file', { timeout: 120_000, concurrency: 2 }, () => {
  it('empty, or of comments: nobody', () => withUsers(async (server, file) => {
    for (const text of ['', '\n', '# lamp\n\n', '\r\n']) {
      fs.writeFileSync(file, text);
      assert.match(await server.reload(), /keys_loaded/, JSON.stringify(text));
      assert.equal(await code(server, 5, lamp), 0x86);
      assert.equal(await code(server, 5), 0x87);
    }
    await server.end();
    await server.launch();  // and with an empty one from the start
    await noStranger(server);
    for (const v of [4, 5]) assert.ok(refusedBy[v].includes(await code(server, v, lamp)));
    await server.end();
  }, false));

  it('damaged or gone on SIGHUP: logged, and those who could go on to', () =>
    withUsers(async (server, file) => {
      assert.equal(await code(server, 5, lamp), 0);
      const good = fs.readFileSync(file, 'utf8');
      const refuse = async (what) => {
        assert.match(await server.reload(), /keys_not_loaded.*passwords/, what);
        assert.equal(await code(server, 5, lamp), 0, what);
      };
      for (const [what, text] of Object.entries(damages(good))) {
        fs.writeFileSync(file, text);
        await refuse(what);
      }
      fs.rmSync(file);
      await refuse('gone');
      fs.mkdirSync(file);
      await refuse('a folder');
      fs.rmdirSync(file);
      fs.symlinkSync(file, file);
      await refuse('a link to itself');
      await noStranger(server);
      fs.unlinkSync(file);
      fs.writeFileSync(file, good.split('\n')[1]);  // fan alone
      assert.match(await server.reload(), /keys_loaded/);
      assert.equal(await code(server, 5, lamp), 0x86);
    }, false));

  it('damaged or gone at start: refused, with its name, exit code 1', () =>
    withUsers(async (server, file) => {
      await server.end();
      const good = fs.readFileSync(file, 'utf8');
      const args = ['serve', '--listen-mqtt', '127.0.0.1:0', '--listen-admin', 'off',
        '--data', server.data];
      const refuse = async (what) => {
        const done = await run(args, { env: { GNOMON_PASSWORDS: file } });
        assert.deepEqual([done.code, done.stdout], [1, ''], what);
        assert.match(done.stderr, /passwords: .*passwords/, what);
      };
      for (const [what, text] of Object.entries(damages(good))) {
        fs.writeFileSync(file, text);
        await refuse(what);
      }
      fs.rmSync(file);
      await refuse('gone');
    }, false));
});

describe('row 13: the authority for devices', { timeout: 120_000, concurrency: 2 }, () => {
  const files = ['device-ca.pem', 'device-ca.key'];
  const over = (server, identity) => ({ port: server.ports.mqtts,
    secure: { ...identity, ...rootOf(server) } });

  it('empty, damaged or of another on SIGHUP: logged, and devices go on to connect', () =>
    withUsers(async (server) => withUsers(async (other) => {
      const mine = await deviceCertificate(server, 'lamp');
      const foreign = await deviceCertificate(other, 'lamp');
      leave(server, foreign.cert);
      const paths = files.map((name) => path.join(server.data, name));
      const good = paths.map((file) => fs.readFileSync(file));
      const another = files.map((name) => fs.readFileSync(path.join(other.data, name)));
      for (const [i, file] of paths.entries()) {
        for (const text of ['', 'hello\n', good[i].subarray(0, good[i].length >> 1), another[i],
          good[1 - i]]) {
          fs.writeFileSync(file, text);
          assert.match(await server.reload(), new RegExp(`keys_not_loaded.*${files[i]}`), `${text}`);
          assert.equal(await code(server, 5, {}, over(server, mine)), 0);
          assert.equal(await code(server, 5, {}, over(server, foreign)), 0x87);
        }
        fs.writeFileSync(file, good[i]);
      }
      // Another whole pair is another authority: what it has signed may come, and who is registered
      // stays so.
      paths.forEach((file, i) => fs.writeFileSync(file, another[i]));
      assert.match(await server.reload(), /keys_loaded/);
      assert.equal(await code(server, 5, {}, over(server, mine)), 0);
      assert.equal(await code(server, 5, {}, over(server, foreign)), 0);
    })));

  it('gone on SIGHUP: made anew, and who is not registered yet is nobody', () =>
    withUsers(async (server) => {
      const mine = await deviceCertificate(server, 'lamp');
      const late = await deviceCertificate(server, 'late');
      assert.equal(await code(server, 5, {}, over(server, mine)), 0);
      for (const name of files) fs.rmSync(path.join(server.data, name));
      assert.match(await server.reload(), /keys_loaded/);
      assert.equal(await code(server, 5, {}, over(server, mine)), 0);
      assert.equal(await code(server, 5, {}, over(server, late)), 0x87);
      assert.equal(await code(server, 5, {}, over(server, {})), 0x87);
    }));
});

// The soft limits of a process, by name.
const limitsOf = (pid) => Object.fromEntries(fs.readFileSync(`/proc/${pid}/limits`, 'utf8').split('\n')
  .map((line) => line.split(/ {2,}/).slice(0, 2)));

describe('row 13: no descriptor left', { timeout: 120_000 }, () => {
  // As CVE-2017-7652: files that cannot be opened must not count as empty ones.
  it('SIGHUP: logged, and all holds as before', () => withUsers(async (server) => {
    const mine = await deviceCertificate(server, 'lamp');
    const secure = { ...rootOf(server), ...mine };
    const raw = await (await Raw.open(server.port)).connect({ id: unique(), ...lamp });
    const most = (count) =>
      execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${count}:`]);
    const open = fs.readdirSync(`/proc/${server.pid}/fd`).map(Number);
    const metrics = await server.metrics();
    const { 'Max open files': before } = limitsOf(server.pid);
    let free = 0;
    while (open.includes(free)) ++free;
    most(free);
    // They wait, or are closed; nobody is let in.
    const waiting = Array.from({ length: 30 }, () => dial(server.port).socket.on('error', () => {}));
    assert.match(await server.reload(), /keys_not_loaded.*Too many open files/);
    await raw.expectNothing();  // who is there is served
    const began = server.cpu();
    await pass(500);
    assert.ok(server.cpu() - began < 250, 'it does not turn round and round');
    most(before);
    assert.ok((await server.grown(metrics, /accept_failures/)).length > 0, 'a metric counts them');
    for (const socket of waiting) socket.destroy();
    await noStranger(server);
    assert.equal(await code(server, 5, lamp), 0);
    assert.equal(await code(server, 5, {}, { port: server.ports.mqtts, secure }), 0);
    assert.match(await server.reload(), /keys_loaded/);
    await raw.goodbye();
    await server.end();
  }));
});
