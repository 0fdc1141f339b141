// gnomon backup and gnomon restore: what is kept, as of one moment, while the server works.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Raw } from '../harness/raw.mjs';
import { run, Server, temporaryFolder } from '../harness/server.mjs';
import { durable, numbered, staying, texts } from '../harness/sessions.mjs';
import { unique } from '../harness/suite.mjs';

async function withServer(body, options = {}) {
  const folder = temporaryFolder();
  const server = await Server.start({ ...durable, shards: 4, folder, ...options });
  try {
    await body(server);
  } catch (error) {
    error.message += `\n--- log of the server\n${server.log(20)}`;
    throw error;
  } finally {
    await server.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const client = async (server, v, options = {}) =>
  (await Raw.open(server.port, { v })).connect({ id: unique('client'), ...options });

async function away(server, filter, options = {}) {
  const id = unique('away');
  const raw = await client(server, 5, { id, ...staying(5) });
  await raw.subscribe({ filter, qos: 2, ...options });
  await raw.goodbye();
  return id;
}

async function back(server, id) {
  const raw = await client(server, 5, { id, ...staying(5) });
  assert.equal(raw.connack.sessionPresent, true, `the session of ${id}`);
  return raw;
}

const backup = (server, target, ...args) =>
  run(['backup', '--admin', server.ready.admin, target, ...args]);

// Makes a backup that has to succeed, in the folder that is returned.
async function backedUp(server, name = 'backup') {
  const target = path.join(server.folder, name);
  const { code, stdout, stderr } = await backup(server, target);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^\/.*: \d+ bytes in \d+\.\d{3} s\n$/);
  assert.ok(stdout.startsWith(`${target}: `));
  return target;
}

// A server on a folder made from a backup.
async function restored(server, target) {
  const folder = fs.mkdtempSync(path.join(server.folder, 'restored-'));
  const { code, stdout, stderr } = await run(['restore', target, '--data', path.join(folder, 'data')]);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /: \d+ bytes in \d+\.\d{3} s\n$/);
  return Server.start({ ...durable, shards: 2, folder });
}

// The messages that wait for a session, up to the marker that this publishes.
async function waiting(server, id, topic) {
  const raw = await back(server, id);
  await (await client(server, 5)).published(topic, 'end', { qos: 2 });
  const got = [];
  for (let text; text !== 'end'; got.push(text)) ({ text } = await raw.message());
  return got.slice(0, -1);
}

describe('backup', { timeout: 120_000 }, () => {
  it('of a server: sessions, queues, retained messages, what is in flight', () =>
    withServer(async (server) => {
      const id = await away(server, 'kept/#');
      const publisher = await client(server, 5);
      for (let n = 0; n < 50; ++n) {
        await publisher.published('kept/a', `${n}`, { qos: 1 + n % 2 });
      }
      await publisher.published('value', 'retained', { retain: true });
      const returning = await back(server, id);
      const [first] = await returning.messages(1, { ack: false });
      returning.destroy();
      const target = await backedUp(server);
      await publisher.published('kept/a', 'after it');
      await publisher.published('value', 'later', { retain: true });

      const second = await restored(server, target);
      try {
        const raw = await back(second, id);
        const got = await raw.messages(50, { ack: false });
        assert.deepEqual(texts(got), numbered(50));
        assert.deepEqual([got[0].packetId, got[0].dup], [first.packetId, true]);
        const reader = await client(second, 5);
        await reader.subscribe({ filter: 'value', qos: 1 });
        assert.equal((await reader.message()).text, 'retained');
        await second.end();
      } finally {
        await second.kill();
      }
      assert.equal((await client(server, 5)).closed, false, 'the first one goes on');
    }));

  it('while messages flow: as of one moment, and nothing that was acknowledged before is missing',
    () => withServer(async (server) => {
      const ids = [];
      for (const topic of ['a', 'b']) ids.push(await away(server, topic));
      const publisher = await client(server, 5);
      let acknowledged = 0;
      let going = true;
      const flow = (async () => {
        while (going) {
          const text = `${acknowledged >> 1}`;
          await publisher.published(acknowledged % 2 === 0 ? 'a' : 'b', text,
            { qos: 1 + (acknowledged >> 1) % 2 });
          ++acknowledged;
        }
      })();
      const backups = [];
      for (let n = 0; n < 4; ++n) {
        while (acknowledged < 100 * (n + 1)) await publisher.changed;
        const before = acknowledged;
        const target = await backedUp(server, `backup-${n}`);
        backups.push({ target, before, after: acknowledged + 1 });
      }
      going = false;
      await flow;
      for (const { target, before, after } of backups) {
        const second = await restored(server, target);
        try {
          const a = await waiting(second, ids[0], 'a');
          const b = await waiting(second, ids[1], 'b');
          assert.deepEqual(a, numbered(a.length), 'no hole in a');
          assert.deepEqual(b, numbered(b.length), 'no hole in b');
          assert.ok(a.length === b.length || a.length === b.length + 1,
            `one moment: ${a.length} and ${b.length}`);
          const count = a.length + b.length;
          assert.ok(count >= before && count <= after, `${before} <= ${count} <= ${after}`);
        } finally {
          await second.kill();
        }
      }
    }));

  it('of a folder that no server has open', () => withServer(async (server) => {
    const id = await away(server, 'kept');
    await (await client(server, 5)).published('kept', 'x');
    const { admin } = server.ready;
    await server.end();
    const target = path.join(server.folder, 'backup');
    const done = await run(['backup', '--admin', admin, '--data', server.data, target]);
    assert.deepEqual([done.code, done.stderr], [0, '']);
    const second = await restored(server, target);
    try {
      assert.deepEqual(await waiting(second, id, 'kept'), ['x']);
    } finally {
      await second.kill();
    }
  }));

  it('what cannot be is refused with the reason, and leaves nothing', () =>
    withServer(async (server) => {
      const target = await backedUp(server);
      const files = fs.readdirSync(server.folder).sort();
      const refused = async (args, ...reasons) => {
        const { code, stdout, stderr } = await run(args);
        assert.deepEqual([code, stdout], [1, ''], `gnomon ${args.join(' ')}`);
        for (const reason of reasons) assert.match(stderr, reason);
      };
      const { admin } = server.ready;
      await refused(['backup', '--admin', admin, target], /exists/);
      await refused(['backup', '--admin', admin, path.join(server.data, 'x')], /in the data folder/);
      await refused(['backup', '--admin', admin, '/proc/none/x'], /\/proc\/none/);
      // The lock says whose it is, when the server is not found.
      await refused(['backup', '--admin', '127.0.0.1:1', '--data', server.data,
        path.join(server.folder, 'x')], /in use/, new RegExp(`\\b${server.pid}\\b`), /--admin/);
      await refused(['backup', '--admin', '127.0.0.1:1', '--data', path.join(server.folder, 'none'),
        path.join(server.folder, 'x')], /refused/, /--data/);
      // Another server's folder is not taken for the one that was meant.
      await refused(['backup', '--admin', admin, '--data', path.join(server.folder, 'none'),
        path.join(server.folder, 'x')], /data folder of this server/);
      assert.deepEqual(fs.readdirSync(server.folder).sort(), files);
      assert.equal((await server.get('/healthz')).status, 200);
    }));

  it('of a server that keeps all in memory is refused', () => withServer(async (server) => {
    const { code, stderr } = await backup(server, path.join(server.folder, 'x'));
    assert.equal(code, 1);
    assert.match(stderr, /memory/);
    assert.deepEqual(fs.readdirSync(server.folder), ['data']);
  }, { args: ['--durability', 'memory'] }));

  it('is not for pages in a browser, and takes what it knows only', () =>
    withServer(async (server) => {
      const to = encodeURIComponent(path.join(server.folder, 'x'));
      const status = async (query, options = {}) => {
        const answer = await server.get(`/backup${query}`, { method: 'POST', ...options });
        assert.match(await answer.text(), /\w+ \w+/, 'says why');
        return answer.status;
      };
      assert.equal(await status(`?to=${to}`, { headers: { Origin: 'http://localhost' } }), 403);
      assert.equal(await status(`?to=${to}`, { body: 'x' }), 400);
      assert.equal(await status(''), 400);
      assert.equal(await status('?to=relative'), 400);
      assert.equal(await status(`?to=${to}&from=x`), 400);
      assert.equal(await status('?to=/a%00b'), 400);
      assert.equal(await status('?to=/a%4'), 400);
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const answer = await server.get(`/backup?to=${to}`, { method });
        assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST']);
        await answer.text();
      }
      assert.deepEqual(fs.readdirSync(server.folder), ['data']);
      assert.equal(await status(`?to=${to}`), 200);
    }));

  it('a foreign Host is refused', () => withServer(async (server) => {
    for (const host of ['', 'example.com', 'example.com:8080', '127.0.0.1.example.com', '192.0.2.1',
      'localhost.example.com', '[2001:db8::1]:80']) {
      const raw = await Raw.open(Number(server.ready.admin.split(':').at(-1)));
      let text = '';
      raw.socket.removeAllListeners('data').on('data', (part) => { text += part; });
      raw.send(Buffer.from(`POST /backup?to=/x HTTP/1.1\r\nHost: ${host}\r\n` +
        'Content-Length: 0\r\nConnection: close\r\n\r\n'));
      await raw.close();
      assert.match(text, /^HTTP\/1\.1 403 /, `Host: ${host}`);
    }
  }));
});

describe('restore', { timeout: 120_000 }, () => {
  it('into a folder that is not empty, of what is no backup, of a damaged one: refused', () =>
    withServer(async (server) => {
      const publisher = await client(server, 5);
      await away(server, 'kept');
      for (let n = 0; n < 200; ++n) await publisher.published('kept', 'x'.repeat(1000));
      const target = await backedUp(server);
      await server.end();
      const data = path.join(server.folder, 'again');
      const refused = async (from, to, reason) => {
        const { code, stdout, stderr } = await run(['restore', from, '--data', to]);
        assert.deepEqual([code, stdout], [1, '']);
        assert.match(stderr, reason);
      };
      await refused(target, server.data, /not an empty folder/);
      await refused(server.folder, data, /not a backup/);
      await refused(path.join(server.folder, 'none'), data, /not a backup/);
      fs.writeFileSync(path.join(target, 'format'), '4711\n');
      await refused(target, data, /4711/);
      fs.writeFileSync(path.join(target, 'format'), '1\n');
      const store = path.join(target, 'store');
      const log = fs.readdirSync(store).filter((name) => name.endsWith('.log'))
        .sort((a, b) => fs.statSync(path.join(store, b)).size - fs.statSync(path.join(store, a)).size)[0];
      const bytes = fs.readFileSync(path.join(store, log));
      bytes[bytes.length >> 2] ^= 1;
      fs.writeFileSync(path.join(store, log), bytes);
      await refused(target, data, new RegExp(log));
      assert.ok(!fs.existsSync(data) && !fs.existsSync(`${data}.restoring`));
      await server.launch();  // the damaged copy is a copy
      await server.end();
    }));

  it('misuse: 2', async () => {
    for (const args of [['backup'], ['restore'], ['restore', 'x'], ['restore', '--data', 'x'],
      ['backup', 'x', 'y']]) {
      const { code, stderr } = await run(args);
      assert.equal(code, 2, `gnomon ${args.join(' ')}: ${stderr}`);
      assert.match(stderr, /--help/);
    }
  });
});
