// gnomon serve: ready line, stopping, what it refuses to start with.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import * as codec from '../harness/codec.mjs';
import { Raw, within } from '../harness/raw.mjs';
import { run, Server, temporaryFolder } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';

// Runs `body` with a server of its own, which must end well unless it has ended.
async function withServer(options, body) {
  const server = await Server.start(options);
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

suite('ready line', (test) => {
  test('says where everything is', async (w) => {
    const { ready } = w.server;
    assert.equal(ready.event, 'ready');
    assert.match(ready.mqtt, /^127\.0\.0\.1:\d+$/);
    assert.match(ready.admin, /^127\.0\.0\.1:\d+$/);
    assert.equal(ready.ca, path.join(w.server.folder, 'data', 'root-ca.pem'));
    for (const off of ['mqtts', 'https', 'http']) assert.equal(ready[off], null, off);
    assert.equal(ready.pid, w.server.pid);
    assert.ok(ready.start_ms >= 0 && ready.start_ms < 10_000);
    assert.equal(path.resolve(ready.data), path.join(w.server.folder, 'data'));
    assert.equal(w.server.command.stdout().trim().split('\n').length, 1, 'one line');
  });

  test('the folder is for its owner alone', async (w) => {
    assert.equal(fs.statSync(w.server.ready.data).mode & 0o777, 0o700);
  });

  test('only loopback is listened on', async (w) => {
    const { port } = w.server;
    const socket = net.connect({ port, host: '127.0.0.2' });
    const outcome = await within(5000, 'an answer', new Promise((resolve) => {
      socket.once('connect', () => resolve('connected')).once('error', (e) => resolve(e.code));
    }));
    socket.destroy();
    assert.equal(outcome, 'ECONNREFUSED');
  });
});

for (const shards of [1, 4]) {
  describe(`stopping, ${shards} shard${shards > 1 ? 's' : ''}`, { concurrency: 4 }, () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      it(`${signal}: 0x8B to MQTT 5, exit 0`, () => withServer({ shards }, async (server) => {
        const raws = await Promise.all(Array.from({ length: 60 }, async (_, i) =>
          (await Raw.open(server.port, { v: [3, 4, 5][i % 3] })).connect({ id: unique() })));
        const silent = await Raw.open(server.port);
        server.command.process.kill(signal);
        await Promise.all(raws.map((raw) => raw.expectRefusal(0x8b)));
        await silent.close();
        assert.equal((await server.command.ended).code, 0);
        await assert.rejects(Raw.open(server.port), 'nobody listens any more');
      }));
    }

    it('what was acknowledged is delivered first', () => withServer({ shards }, async (server) => {
      const receiver = await (await Raw.open(server.port)).connect({ id: unique() });
      await receiver.subscribe({ filter: 'last', qos: 1 });
      const sender = await (await Raw.open(server.port)).connect({ id: unique() });
      const payload = 'x'.repeat(1000);
      for (let n = 0; n < 500; ++n) sender.publish('last', payload, { qos: 1 });
      for (let n = 0; n < 500; ++n) await sender.answer('puback');
      server.command.process.kill('SIGTERM');
      const packets = await receiver.close();
      assert.equal(packets.filter((packet) => packet.type === 'publish').length, 500);
      assert.equal(packets.at(-1).code, 0x8b);
    }));

    it('under load, with clients that do not read', () => withServer({ shards }, async (server) => {
      const raws = await Promise.all(Array.from({ length: 20 }, async (_, i) =>
        (await Raw.open(server.port, { v: [4, 5][i & 1] })).connect({ id: unique() })));
      for (const raw of raws) await raw.subscribe('load');
      for (const raw of raws.slice(0, 5)) raw.socket.pause();
      for (let n = 0; n < 2000; ++n) raws[n % 20].publish('load', 'x'.repeat(2000));
      server.command.process.kill('SIGTERM');
      const { code } = await within(9000, 'the end', server.command.ended);
      assert.equal(code, 0);
      for (const raw of raws) raw.destroy();
    }));

    it('with nobody connected, soon', () => withServer({ shards }, async (server) => {
      const since = performance.now();
      await server.stop();
      assert.ok(performance.now() - since < 2000);
    }));

    it('wills are sent to who is still there or nobody; either way it ends well',
      () => withServer({ shards }, async (server) => {
        const raws = await Promise.all(Array.from({ length: 30 }, async (_, i) =>
          (await Raw.open(server.port)).connect(
            { id: unique(), will: { topic: 'will', payload: `${i}`, qos: 1 } })));
        for (const raw of raws) await raw.subscribe({ filter: 'will', qos: 1 });
        server.command.process.kill('SIGTERM');
        for (const raw of raws) {
          const packets = await raw.close();
          assert.ok(packets.some((p) => p.type === 'disconnect' && p.code === 0x8b));
        }
      }));
  });
}

describe('starting', { concurrency: 4 }, () => {
  it('a port that is taken: told, exit 1', () => withServer({}, async (server) => {
    for (const [flag, address] of [['mqtt', server.ready.mqtt], ['admin', server.ready.admin]]) {
      const folder = temporaryFolder();
      const off = flag === 'mqtt' ? 'admin' : 'mqtt';
      const ended = await run(['serve', `--listen-${flag}`, address, `--listen-${off}`,
        '127.0.0.1:0', '--data', folder]);
      fs.rmSync(folder, { recursive: true });
      assert.equal(ended.code, 1, ended.stderr);
      assert.equal(ended.stdout, '', 'not ready');
      assert.ok(ended.stderr.includes(address.split(':')[1]), `names the port: ${ended.stderr}`);
      assert.match(ended.stderr, /in use/i);
      assert.match(ended.stderr, new RegExp(flag), 'names the setting');
    }
    await (await Raw.open(server.port)).connect({ id: unique() });  // the first one goes on
  }));

  it('plain MQTT beyond loopback is refused, with the reason', async () => {
    for (const address of ['0.0.0.0:0', '[::]:0', '192.0.2.1:1883']) {
      const ended = await run(['serve', '--listen-mqtt', address, '--listen-admin', 'off']);
      assert.ok(ended.code === 1 || ended.code === 2, `exit ${ended.code}`);
      assert.match(ended.stderr, /listen.mqtt/);
      assert.match(ended.stderr, /loopback/);
    }
  });

  it('a folder that cannot be made: told, exit 1', async () => {
    const ended = await run(['serve', '--listen-mqtt', '127.0.0.1:0', '--listen-admin', 'off',
      '--data', '/proc/nowhere']);
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /\/proc\/nowhere/);
  });

  it('what is not built yet is refused, not ignored', async () => {
    const name = 'GNOMON_THREADS_PARTITIONS';
    const ended = await run(['serve', '--listen-mqtt', '127.0.0.1:0'], { env: { [name]: '2' } });
    assert.equal(ended.code, 2, ended.stderr);
    assert.ok(ended.stderr.includes(name), ended.stderr);
  });

  it('every mistake is told at once, none makes it start', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'gnomon.toml');
    fs.writeFileSync(file, 'threads.shards = 1000\nlocal = "perhaps"\nno.such = 1\n');
    const args = ['--config', file, '--listen-mqtt', 'nonsense'];
    for (const command of ['serve', 'check-config']) {
      const ended = await run([command, ...args], { env: { GNOMON_DRAIN_MS: '-1' } });
      assert.equal(ended.code, 2);
      for (const named of ['toml:1', 'toml:2', 'toml:3', '--listen-mqtt', 'GNOMON_DRAIN_MS']) {
        assert.ok(ended.stderr.includes(named), `${command} names ${named}:\n${ended.stderr}`);
      }
    }
    fs.rmSync(folder, { recursive: true });
  });

  it('file, environment and flags, in their order', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'gnomon.toml');
    fs.writeFileSync(file, `data = "${folder}/file"\n[listen]\nmqtt = "127.0.0.1:0"\nadmin = "off"\n`);
    for (const [env, args, expected] of [
      [{}, [], 'file'], [{ GNOMON_DATA: `${folder}/env` }, [], 'env'],
      [{ GNOMON_DATA: `${folder}/env` }, ['--data', `${folder}/flag`], 'flag']]) {
      const ended = await run(['check-config', '--config', file, ...args], { env });
      assert.equal(ended.code, 0, ended.stderr);
      assert.ok(ended.stdout.includes(`${folder}/${expected}`), ended.stdout);
    }
    fs.rmSync(folder, { recursive: true });
  });

  it('log.format = "json": each line an object, with UTC time, level and event', () =>
    withServer({ shards: 1, env: { GNOMON_LOG_FORMAT: 'json' } }, async (server) => {
      const raw = await Raw.open(server.port);
      raw.send(codec.connect({ id: 'say "hi"\u2028\u001b[31m', protocol: 'nope' }));
      await raw.close();
      await server.end();
      const lines = server.log().split('\n').map((line) => JSON.parse(line));
      assert.ok(lines.length >= 3);
      for (const { time, level, event } of lines) {
        assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
        assert.match(level, /^(info|warning|error)$/);
        assert.match(event, /^[a-z_]+$/);
      }
      assert.equal(lines.find(({ event }) => event === 'started').durability, 'disk');
    }));

  it('check-config tells variables that are no setting', async () => {
    const { code, stderr } = await run(['check-config'],
      { env: { GNOMON_LISTEN_MQT: 'off', GNOMON_COLOUR: 'red' } });
    assert.equal(code, 0);
    assert.match(stderr, /GNOMON_LISTEN_MQT is no setting; did you mean GNOMON_LISTEN_MQTT\?/);
    assert.match(stderr, /GNOMON_COLOUR is no setting\n/);
  });

  it('a file of settings that nests too deep is a mistake, not an end', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'gnomon.toml');
    fs.writeFileSync(file, `${'a.'.repeat(200_000)}a = 1\n`);
    const { code, stderr } = await run(['check-config', '--config', file]);
    assert.equal(code, 2);
    assert.match(stderr, /gnomon\.toml:1: a key has more than 8 parts/);
    fs.rmSync(folder, { recursive: true });
  });

  it('listeners that are off', async () => {
    const server = await Server.start({ args: ['--listen-admin', 'off'] }).catch((error) => error);
    if (server instanceof Error) return assert.match(server.message, /listen-admin/);  // given twice
    assert.equal(server.ready.admin, null);
    await server.stop();
  });

  it('a thousand connections before the first byte', () => withServer({ shards: 4 }, async (server) => {
    const raws = await Promise.all(Array.from({ length: 1000 }, () => Raw.open(server.port)));
    for (const raw of raws) raw.send(codec.connect({ id: unique() }));
    for (const raw of raws) await raw.expect('connack', { code: 0 });
    for (const raw of raws) raw.destroy();
  }));
});

// Who listens on NOTIFY_SOCKET, as systemd does; Node has no such sockets.
function manager(file) {
  const child = spawn('perl', ['-MIO::Socket::UNIX', '-e', `
    $| = 1;
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "$!\\n";
    print "listening\\n";
    print s/\\n/ /gr, "\\n" while defined $socket->recv($_, 4096);`, file]);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { stop: () => child.kill(),
    next: async () => (await within(5000, 'a message to the manager', lines.next())).value };
}

describe('the service manager', { timeout: 60_000 }, () => {
  it('hears of the start, of what SIGHUP came to, and of the stop', async () => {
    const folder = temporaryFolder();
    const heard = manager(path.join(folder, 'notify'));
    assert.equal(await heard.next(), 'listening');
    const users = path.join(folder, 'users');
    fs.writeFileSync(users, '');
    const env = { NOTIFY_SOCKET: path.join(folder, 'notify'), GNOMON_PASSWORDS: users };
    await withServer({ env }, async (server) => {
      const reload = async () => {
        server.command.process.kill('SIGHUP');
        assert.match(await heard.next(), /^RELOADING=1 MONOTONIC_USEC=\d+$/);
        return heard.next();
      };
      assert.equal(await heard.next(), 'READY=1');
      assert.equal(await reload(), 'READY=1 STATUS=');
      fs.rmSync(users);
      assert.match(await reload(), /^READY=1 STATUS=passwords: .*users/);
    });
    assert.equal(await heard.next(), 'STOPPING=1');
    heard.stop();
    fs.rmSync(folder, { recursive: true });
  });
});
