// Disks that are full, folders that are taken, newer or damaged: nothing acknowledged is lost in
// silence, and the server says what is wrong.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import * as codec from '../harness/codec.mjs';
import { startRecorded } from '../harness/crash.mjs';
import { numbers } from '../harness/hostile.mjs';
import { Raw, within } from '../harness/raw.mjs';
import { run, Server, temporaryFolder } from '../harness/server.mjs';
import { durable, numbered, staying, texts } from '../harness/sessions.mjs';
import { unique } from '../harness/suite.mjs';

const MiB = 1024 * 1024;

async function withServer(body, options = {}) {
  const server = await Server.start({ ...durable, ...options });
  try {
    await body(server);
  } catch (error) {
    error.message += `\n--- log of the server\n${server.log(20)}`;
    throw error;
  } finally {
    await server.kill();
  }
}

const client = async (server, v, options = {}) =>
  (await Raw.open(server.port, { v })).connect({ id: unique('client'), ...options });

async function away(server, filter, id = unique('away')) {
  const raw = await client(server, 5, { id, ...staying(5) });
  await raw.subscribe({ filter, qos: 2 });
  await raw.goodbye();
  return id;
}

async function back(server, id) {
  const raw = await client(server, 5, { id, ...staying(5) });
  assert.equal(raw.connack.sessionPresent, true, `the session of ${id}`);
  return raw;
}

const freeBytes = (folder) => {
  const { bavail, bsize } = fs.statfsSync(folder);
  return bavail * bsize;
};

// Every file and folder below, with its path from `folder`.
const walk = (folder) => fs.readdirSync(folder, { recursive: true }).map(String).sort();

describe('little free space', { timeout: 240_000 }, () => {
  it('below the reserve: 0x97, before MQTT 5 a close; the rest goes on', () =>
    withServer(async (server) => {
      const id = await away(server, 'kept/#');
      const first = await client(server, 5);
      for (const text of numbered(10)) await first.published('kept/a', text);
      await first.published('retained', 'old', { retain: true });
      const reserve = String(2 * freeBytes(server.folder) + MiB);
      await server.restart('SIGTERM', { env: { GNOMON_DISK_RESERVE: reserve } });

      const five = await client(server, 5);
      for (const qos of [1, 2]) {
        for (const [topic, retain] of [['kept/a', false], ['retained', true], ['kept/b', true]]) {
          const { code } = await five.published(topic, 'refused', { qos, retain });
          assert.equal(code, 0x97, `QoS ${qos} to ${topic}: 0x${code.toString(16)}`);
        }
      }
      for (const qos of [1, 2]) {
        for (const [topic, retain] of [['kept/a', false], ['retained', true]]) {
          const raw = await client(server, 4);
          raw.publish(topic, 'refused', { qos, retain });
          await raw.expectClose();
        }
      }
      // QoS 0 has no answer; the connection may be closed for it.
      for (const v of [4, 5]) {
        const raw = await client(server, v);
        raw.publish('retained', 'refused', { retain: true });
        await raw.fence().catch(() => {});
        raw.destroy();
      }
      // What needs no disk.
      const reader = await client(server, 4);
      await reader.subscribe({ filter: 'live', qos: 1 });
      assert.ok((await five.published('live', 'QoS 1 to a clean session')).code < 0x80);
      assert.equal((await reader.message()).text, 'QoS 1 to a clean session');
      five.publish('live', 'QoS 0');
      assert.equal((await reader.message()).text, 'QoS 0');
      await server.untilLog(/reserve|free space|disk/i);
      assert.ok(server.log().split('\n').length < 40, 'without a line for each');

      await server.restart();
      const raw = await back(server, id);
      assert.deepEqual(texts(await raw.messages(10)), numbered(10));
      await raw.expectNothing();
      await raw.subscribe({ filter: 'retained', qos: 1 });
      assert.equal((await raw.message()).text, 'old');
      assert.equal((await raw.published('kept/a', 'again')).code, 0);
      assert.equal((await raw.message()).text, 'again');
    }));

  it('below the reserve: sessions come back and are emptied, and nothing new is promised', () =>
    withServer(async (server) => {
      const ids = { 4: unique('old'), 5: unique('new') };
      const come = async (v, options = {}) =>
        (await Raw.open(server.port, { v })).connect({ id: ids[v], ...staying(v), ...options });
      for (const v of [4, 5]) {
        const raw = await come(v);
        await raw.subscribe([{ filter: 'kept', qos: 2 }, { filter: 'other', qos: 1 }]);
        await raw.goodbye();
      }
      const first = await client(server, 5);
      for (let n = 0; n < 10; ++n) await first.published('kept', `${n}`, { qos: 1 + n % 2 });
      const reserve = String(2 * freeBytes(server.folder) + MiB);
      await server.restart('SIGTERM', { env: { GNOMON_DISK_RESERVE: reserve } });

      // To empty its queue is what helps.
      for (const v of [4, 5]) {
        const raw = await come(v);
        assert.equal(raw.connack.sessionPresent, true);
        assert.deepEqual(texts(await raw.messages(10)), numbered(10));
        await raw.fence();
        assert.deepEqual(await raw.subscribe({ filter: 'new', qos: 1 }), [v === 5 ? 0x97 : 0x80]);
        await raw.unsubscribe('other');
        raw.publish('kept', 'refused', { qos: 2, packetId: 7 });
        if (v === 5) {
          await raw.expect('pubrec', { packetId: 7, code: 0x97 });
          await raw.goodbye();
        } else {
          await raw.expectClose();
        }
      }
      assert.equal((await server.metrics()).gnomon_queued_messages, 0);
      const will = { topic: 'kept', payload: 'will', qos: 1 };
      for (const v of [4, 5]) {
        for (const options of [{ id: unique('x'), ...staying(v) }, { id: unique('x'), will },
          { id: ids[v], ...staying(v), will }]) {
          const raw = await Raw.open(server.port, { v });
          raw.send(codec.connect({ v, ...options }));
          await raw.expect('connack', { sessionPresent: false, code: v === 5 ? 0x97 : 3 });
          await raw.close();
        }
      }
      await server.restart();
      const raws = [await come(4), await come(5)];
      for (const raw of raws) {
        assert.equal(raw.connack.sessionPresent, true);
        await raw.expectNothing();
      }
      const publisher = await client(server, 5);
      for (const topic of ['new', 'other', 'kept']) await publisher.published(topic, topic);
      for (const raw of raws) {
        assert.equal((await raw.message()).text, 'kept');
        await raw.expectNothing();
      }
    }));

  it('a filesystem that fills and is freed again', async (t) => {
    const folder = temporaryFolder();
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'gnomon-test', folder]);
    if (mounted.status !== 0) {
      fs.rmdirSync(folder);
      return t.skip(`needs the right to mount a tmpfs: ${mounted.stderr ?? mounted.error}`);
    }
    try {
      const reserve = 64 * MiB;
      await withServer(async (server) => {
        const id = await away(server, 'fill');
        const filler = path.join(folder, 'filler');
        fs.writeFileSync(filler, Buffer.alloc(Math.max(0, freeBytes(folder) - reserve - 16 * MiB)));
        const publisher = await client(server, 5);
        const payload = 'x'.repeat(64 * 1024);
        let count = 0;
        let code = 0;
        for (; code < 0x80 && count < 4000; ++count) {
          ({ code } = await publisher.published('fill', `${count} ${payload}`));
        }
        assert.equal(code, 0x97, `after ${count} messages, ${freeBytes(folder) / MiB} MiB are free`);
        const accepted = count - 1;
        const old = await client(server, 4);
        old.publish('fill', payload, { qos: 1 });
        await old.expectClose();
        await server.untilLog(/reserve|free space|disk/i);
        fs.rmSync(filler);
        await within(20_000, 'messages to be accepted again', (async () => {
          while ((await publisher.published('fill', 'again')).code >= 0x80);
        })());
        await server.restart('SIGKILL');
        const raw = await back(server, id);
        for (let n = 0; n < accepted; ++n) {
          assert.equal((await raw.message()).text.split(' ')[0], `${n}`);
        }
        assert.equal((await raw.message()).text, 'again');
        await server.end();
      }, { folder, env: { GNOMON_DISK_RESERVE: String(reserve) } });
    } finally {
      spawnSync('umount', ['--lazy', folder]);
      fs.rmdirSync(folder);
    }
  });

  it('writes that fail: no acknowledgement for what is not kept', async () => {
    const server = await startRecorded({ fullAfter: 300_000 });
    try {
      const id = await away(server, 'full');
      const raws = await Promise.all([4, 5, 5].map((v) => client(server, v)));
      server.synced.on();
      const acked = await Promise.all(raws.map(async (raw, i) => {
        for (let n = 0; n < 5000; ++n) {
          const answer = await raw.published('full', `${i} ${n} ${'x'.repeat(500)}`)
            .catch(() => ({ code: 0x97 }));
          if (answer.code >= 0x80) return n;
        }
        return assert.fail('the disk never got full');
      }));
      if (!server.running) {
        const { code, signal } = await server.command.ended;
        assert.deepEqual([code, signal], [1, null]);
      }
      await server.untilLog(/space|ENOSPC/i);
      await server.crash();
      server.synced.off();
      await server.launch();
      const raw = await back(server, id);
      const marker = await client(server, 5);
      await marker.published('full', 'end');
      const got = new Set();
      for (let text; text !== 'end'; got.add(text.split(' ', 2).join(' '))) {
        ({ text } = await raw.message());
      }
      for (const [i, count] of acked.entries()) {
        assert.ok(count > 0);
        for (let n = 0; n < count; ++n) assert.ok(got.has(`${i} ${n}`), `message ${n} of ${i}`);
      }
      await server.end();
    } finally {
      await server.kill();
    }
  });
});

const serve = (data) => run(['serve', '--listen-mqtt', '127.0.0.1:0', '--listen-admin', 'off',
  '--data', data, ...durable.args]);

describe('the folder', { timeout: 120_000 }, () => {
  it('is locked: a second server is told whose it is', () => withServer(async (server) => {
    const raw = await client(server, 5);
    const { code, stdout, stderr } = await serve(server.data);
    assert.deepEqual([code, stdout], [1, '']);
    assert.ok(stderr.includes(server.data), `names the folder: ${stderr}`);
    assert.match(stderr, new RegExp(`\\b${server.pid}\\b`), 'names the pid');
    await raw.expectNothing();
    await server.restart('SIGKILL');  // a lock left behind is no lock
    await server.restart();
  }));

  it('of a newer format is refused with both numbers, and left alone', () =>
    withServer(async (server) => {
      const id = await away(server, 'a');
      await (await client(server, 5)).published('a', 'x');
      await server.end();
      const file = path.join(server.data, 'format');
      const text = fs.readFileSync(file, 'utf8');
      const [number] = text.match(/\d+/);
      fs.writeFileSync(file, text.replace(number, '4711'));
      const { code, signal, stderr } = await serve(server.data);
      assert.deepEqual([code, signal], [1, null]);
      for (const named of ['4711', number, server.data]) {
        assert.ok(stderr.includes(named), `names ${named}: ${stderr}`);
      }
      assert.equal(fs.readFileSync(file, 'utf8'), text.replace(number, '4711'));
      fs.writeFileSync(file, text);
      await server.launch();
      assert.equal((await (await back(server, id)).message()).text, 'x');
      await server.end();
    }));

  it('without its format, or with one that is none: never started empty', () =>
    withServer(async (server) => {
      const id = await away(server, 'a');
      await server.end();
      const file = path.join(server.data, 'format');
      const text = fs.readFileSync(file);
      for (const damaged of [null, '', 'nonsense', '-1', '\0\0\0\0']) {
        if (damaged === null) fs.rmSync(file);
        else fs.writeFileSync(file, damaged);
        const started = await server.launch().then(() => true, () => false);
        if (started) {
          await back(server, id);
          await server.end();
        } else {
          const { code, stderr } = await serve(server.data);
          assert.equal(code, 1);
          assert.ok(stderr.includes('format'), `${JSON.stringify(damaged)}: ${stderr}`);
        }
      }
      fs.writeFileSync(file, text);
      await server.launch();
      await back(server, id);
      await server.end();
    }));

  it('is for its owner alone: files 0600, folders 0700, whatever the umask', async () => {
    const before = process.umask(0);
    const starting = Server.start(durable);
    process.umask(before);
    const server = await starting;
    try {
      const check = () => {
        for (const name of ['', ...walk(server.data)]) {
          const status = fs.lstatSync(path.join(server.data, name));
          const mode = status.isDirectory() ? 0o700 : 0o600;
          assert.equal((status.mode & 0o777).toString(8), mode.toString(8), `DATA/${name}`);
        }
      };
      await away(server, 'a');
      await (await client(server, 5)).published('a', 'x', { retain: true });
      check();
      process.umask(0);
      const restarting = server.restart('SIGTERM', { between: () => process.umask(0) });
      await restarting.finally(() => process.umask(before));
      assert.ok(walk(server.data).length > 3);
      check();
      await server.end();
    } finally {
      process.umask(before);
      await server.kill();
    }
  });
});

// Makes two queues and a retained message in a folder; returns what has to be in it.
async function fill(folder, signal) {
  const server = await Server.start({ ...durable, folder, shards: 2 });
  const ids = [await away(server, 'a/#'), await away(server, 'a/b')];
  const publisher = await client(server, 5);
  for (let n = 0; n < 300; ++n) {
    await publisher.published('a/b', `${n} ${'x'.repeat(n % 97)}`, { qos: 1 + n % 2 });
  }
  await publisher.published('r', 'retained', { retain: true });
  await (signal === 'SIGTERM' ? server.end() : server.crash());
  return { folder, ids, count: 300 };
}

// What a server that started has of it: 'all', 'prefix' (the first messages of each queue), or else
// what is wrong.
async function looked(server, { ids, count }) {
  let outcome = 'all';
  for (const id of ids) {
    const raw = await client(server, 5, { id, ...staying(5) });
    if (!raw.connack.sessionPresent) return 'prefix';
    await raw.subscribe({ filter: `end/${id}`, qos: 1 });
    const marker = await client(server, 5);
    if ((await marker.published(`end/${id}`, 'end')).code !== 0) return 'the marker is refused';
    let n = 0;
    for (let text; (text = (await raw.message()).text) !== 'end'; ++n) {
      if (!text.startsWith(`${n} `)) return `${text.slice(0, 9)} instead of message ${n}`;
    }
    if (n < count) outcome = 'prefix';
  }
  const raw = await client(server, 5);
  await raw.subscribe({ filter: 'r', qos: 1 });
  const [retained] = (await raw.fence()).filter((packet) => packet.type === 'publish');
  return retained?.text === 'retained' ? outcome : 'prefix';
}

describe('damaged files', { timeout: 300_000 }, () => {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    it(`after ${signal}: all is there, or the file is named`, async () => {
      const firstSeed = Number(process.env.DISK_SEED ?? Date.now() % 1_000_000);
      const folder = temporaryFolder();
      try {
        const made = await fill(folder, signal);
        for (let seed = firstSeed; seed < firstSeed + 10; ++seed) await damage(made, seed);
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
    });
  }
});

// Damages a copy of the folder at one place and starts a server on it.
async function damage(made, seed) {
  const random = numbers(seed);
  const folder = temporaryFolder();
  fs.cpSync(made.folder, folder, { recursive: true, preserveTimestamps: true });
  const store = path.join(folder, 'data', 'store');
  const names = walk(store).filter((name) => {
    const status = fs.statSync(path.join(store, name));
    return status.isFile() && status.size > 0 && !/^LO(G|CK)/.test(name);
  });
  const name = names[random(names.length)];
  const file = path.join(store, name);
  const bytes = fs.readFileSync(file);
  const at = random(bytes.length);
  const cut = random(3) === 0;
  if (cut) {
    fs.truncateSync(file, at);
  } else {
    bytes[at] ^= 1 << random(8);
    fs.writeFileSync(file, bytes);
  }
  const what = `DISK_SEED=${seed}: ${name} (${bytes.length} bytes) ` +
    `${cut ? 'cut to' : 'with a bit flipped at'} ${at}`;
  // The end of a log that is not whole is what a power cut leaves: nothing tells it from damage.
  const tail = name.endsWith('.log') && (cut || at >= bytes.length / 2);
  let server = null;
  let outcome;
  try {
    server = await Server.start({ ...durable, folder, shards: 2 }).catch(() => null);
    outcome = server === null ? 'refused' : await looked(server, made).catch((error) => error);
    if (outcome === 'all' || (tail && outcome === 'prefix')) return;
    if (server !== null && !(outcome instanceof Error)) assert.fail(`${what}: ${outcome}`);
    // It refused to start, or it noticed while reading and ended.
    const { code, signal, stderr } = server === null ? await serve(path.join(folder, 'data'))
      : await within(5000, () => `${what}: the end after ${outcome.message}`, server.command.ended);
    assert.deepEqual([code, signal], [1, null], `${what}: ${stderr}`);
    assert.ok(stderr.includes(name) || stderr.includes(store), `${what}: ${stderr}`);
  } finally {
    await server?.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
