// Hostile input row 17: every number at its edges, in the settings and in CONNECT.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as codec from '../harness/codec.mjs';
import { pass, Raw } from '../harness/raw.mjs';
import { run, Server } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';

// A message goes through, and the server ends well.
async function works(server) {
  try {
    const raw = await (await Raw.open(server.port)).connect({ id: unique() });
    await raw.subscribe({ filter: 'x', qos: 1 });
    await raw.published('x', 'y');
    assert.equal((await raw.message()).text, 'y');
    raw.destroy();
  } finally {
    await server.stop();
  }
}

describe('row 17: settings at their edges', { concurrency: 3 }, () => {
  const good = { GNOMON_THREADS_SHARDS: ['0', '1', '32'], GNOMON_THREADS_PARTITIONS: ['0'],
    GNOMON_DRAIN_MS: ['0', '1', '600000'], GNOMON_LOG_LEVEL: ['debug', 'off'],
    GNOMON_LOCAL: ['true'], GNOMON_STORE_MEMORY: ['16777216'], GNOMON_DISK_RESERVE: ['0', 'auto'],
    GNOMON_SESSION_EXPIRY_MAX: ['0', '1', '4294967295'], GNOMON_WILL_GRACE: ['0', '86400'],
    GNOMON_SESSION_MESSAGES_MAX: ['1', '1099511627776'],
    GNOMON_SESSION_BYTES_MAX: ['1', '1125899906842624'], GNOMON_SYS_INTERVAL: ['0', '1', '86400'],
    GNOMON_MEMORY_MESSAGES: ['1048576', '1099511627776'],
    GNOMON_LIMITS_CONNECT_TIMEOUT: ['1', '3600'], GNOMON_LIMITS_HTTP_IDLE: ['1', '3600'] };
  for (const [name, values] of Object.entries(good)) {
    for (const value of values) {
      it(`${name}=${value} works`, async () => {
        await works(await Server.start({ env: { [name]: value } }));
      });
    }
  }

  const bad = { GNOMON_THREADS_SHARDS: ['-1', '65', '99999999999999999999', '1.5', ' 1', '0x2', '1e3'],
    GNOMON_THREADS_PARTITIONS: ['-1', '1'], GNOMON_DRAIN_MS: ['-1', '600001', 'nan'],
    GNOMON_STORE_MEMORY: ['0', '16777215', '1099511627777'], GNOMON_DISK_RESERVE: ['-1', '5%', '1GiB'],
    GNOMON_SESSION_EXPIRY_MAX: ['-1', '4294967296', 'never'], GNOMON_WILL_GRACE: ['-1', '86401'],
    GNOMON_SESSION_MESSAGES_MAX: ['0', '1099511627777'],
    GNOMON_SESSION_BYTES_MAX: ['0', '1125899906842625'], GNOMON_LOG_LEVEL: ['loud'],
    GNOMON_LOCAL: ['maybe', '2'], GNOMON_SYS_INTERVAL: ['-1', '86401'],
    GNOMON_MEMORY_MESSAGES: ['0', '1048575', '1099511627777'],
    GNOMON_LIMITS_CONNECT_TIMEOUT: ['0', '3601'], GNOMON_LIMITS_HTTP_IDLE: ['0', '3601'],
    GNOMON_LISTEN_ADMIN: ['127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1', ':', '127.0.0.1:',
      '127.0.0.1:0x50', '999.0.0.1:0', '[::1:0'], GNOMON_COMPAT: ['AWS'] };
  for (const [name, values] of Object.entries(bad)) {
    it(`${name} of ${values.map((value) => JSON.stringify(value)).join(', ')}: misuse`, async () => {
      for (const value of values) {
        const args = ['serve', '--listen-mqtt', '127.0.0.1:0', '--data', '/proc/nowhere'];
        if (name !== 'GNOMON_LISTEN_ADMIN') args.push('--listen-admin', 'off');
        const { code, signal, stderr, stdout } = await run(args, { env: { [name]: value } });
        assert.deepEqual([signal, code, stdout], [null, 2, ''], `${value}: ${stderr}`);
        assert.match(stderr, new RegExp(name));
      }
    });
  }
});

suite('row 17: numbers of CONNECT at their edges', (test) => {
  const edges = { sessionExpiry: [0, 1, 0xfffffffe, 0xffffffff], receiveMaximum: [1, 2, 65535],
    maximumPacketSize: [200, 0xffffffff], topicAliasMaximum: [0, 1, 65535], requestProblem: [0, 1],
    requestResponse: [0, 1] };

  for (const [name, values] of Object.entries(edges)) {
    test(`${name} of ${values.join(', ')}`, async (w) => {
      for (const value of values) {
        const raw = await w.raw(5, { props: { [name]: value } });
        await raw.subscribe({ filter: w.topic('+'), qos: 1 });
        const publisher = await w.raw(5);
        for (let n = 0; n < 10; ++n) publisher.publish(w.topic(`${n}`), `${n}`, { qos: n & 1 });
        const got = (await raw.messages(10)).map((message) => Number(message.text));
        assert.deepEqual(got.sort((a, b) => a - b), [...Array(10).keys()]);
        await raw.goodbye();
      }
    });
  }

  test('as many aliases as there are numbers', async (w) => {
    const raw = await w.raw(5, { props: { topicAliasMaximum: 65535 } });
    await raw.subscribe(w.topic('#'));
    const publisher = await w.raw(4);
    const memory = w.server.memory();
    for (let n = 0; n < 5000; n += 100) {
      publisher.send(...Array.from({ length: 100 }, (_, k) => codec.publish(
        { v: 4, topic: w.topic(`${'long'.repeat(50)}/${n + k}`), payload: `${n + k}` })));
      for (const { topic, text } of await raw.messages(100)) assert.ok(topic.endsWith(`/${text}`));
    }
    assert.ok(w.server.memory() - memory < 16 * 1024 * 1024, 'memory is bounded');
  });

  test('numbers of a will at their edges', async (w) => {
    const watcher = await w.raw(5);
    await watcher.subscribe(w.topic());
    for (const props of [{ willDelay: 0 }, { willDelay: 0xffffffff }, { messageExpiry: 0xffffffff },
      { messageExpiry: 1 }, { payloadFormat: 0 }]) {
      const raw = await w.raw(5, { will: { topic: w.topic(), payload: 'x', props } });
      raw.destroy();
      assert.equal((await watcher.message()).text, 'x');
    }
  });

  test('keep-alives at their edges', async (w) => {
    // Each by its own clock: none waits for the others, and is late itself.
    await Promise.all([0, 2, 3, 65534, 65535].map(async (keepAlive) => {
      const raw = await w.raw(5, { keepAlive });
      await pass(1800);
      await raw.expectNothing();
    }));
  });

  test('a message that has expired is taken, and not delivered late', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe({ filter: w.topic(), qos: 1 });
    for (const messageExpiry of [0, 1, 0xffffffff]) {
      await raw.published(w.topic(), `${messageExpiry}`, { props: { messageExpiry } });
    }
    const texts = [];
    while (texts.at(-1) !== '4294967295') texts.push((await raw.message()).text);
    assert.ok(texts.includes('1'));  // 0: "at once or never" leaves both to the server
  });

  test('packet ids 1 and 65535', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic());
    for (const packetId of [1, 65535]) {
      await raw.published(w.topic(), 'x', { packetId });
      raw.send(codec.unsubscribe({ packetId, filters: ['none'] }));
      await raw.answer('unsuback', { packetId });
      raw.send(codec.subscribe({ packetId, filters: [w.topic()] }));
      await raw.answer('suback', { packetId });
    }
  });
});
