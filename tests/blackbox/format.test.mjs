// Data folders of every format that a release had: tests/fixtures/format-N, made by make.mjs there.
// The present server is started on a copy, and everything has to come out of it as it was promised.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import * as codec from '../harness/codec.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server, temporaryFolder } from '../harness/server.mjs';
import { durable, numbered, texts } from '../harness/sessions.mjs';
import { Inbox, unique } from '../harness/suite.mjs';

const never = 0xffffffff;
const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const formats = fs.readdirSync(fixtures).map((name) => name.match(/^format-(\d+)$/)?.[1])
  .filter((format) => format !== undefined).sort((a, b) => a - b);

const options = { ...durable, env: { GNOMON_SESSION_EXPIRY_MAX: String(never), GNOMON_WILL_GRACE: '3' } };

// A fresh copy of what a format's server left, in a folder for Server.start.
function copied(format) {
  const folder = temporaryFolder();
  fs.cpSync(path.join(fixtures, `format-${format}`, 'data'), path.join(folder, 'data'),
    { recursive: true });
  fs.chmodSync(path.join(folder, 'data'), 0o700);
  return folder;
}

it('the present format has its folder', async () => {
  const server = await Server.start(options);
  try {
    const format = fs.readFileSync(path.join(server.data, 'format'), 'utf8').trim();
    assert.ok(formats.includes(format), `tests/fixtures has ${formats}, and the format is ${format}`);
  } finally {
    await server.kill();
  }
});

for (const format of formats) {
  const expected = JSON.parse(
    fs.readFileSync(path.join(fixtures, `format-${format}`, 'expected.json'), 'utf8'));
  for (const shards of [1, 4]) {
    describe(`format ${format}, ${shards} shard${shards > 1 ? 's' : ''}`, { timeout: 120_000 }, () =>
      checkFormat(format, expected, shards));
  }
}

function checkFormat(format, expected, shards) {
  let folder;
  let server;
  const clean = async (v = 5) => (await Raw.open(server.port, { v })).connect({ id: unique('clean') });
  // A session that has to be there.
  const back = async (id, v = 5) => {
    const raw = await (await Raw.open(server.port, { v })).connect({ id, clean: false, keepAlive: 0,
      props: v === 5 ? { sessionExpiry: never } : undefined });
    assert.equal(raw.connack.sessionPresent, true, `the session of ${id}`);
    return raw;
  };
  const goodbye = async (raw) => {
    await raw.expectNothing();
    await raw.goodbye();
  };
  const publish = async (topic, text, rest) => {
    const publisher = await clean();
    assert.ok((await publisher.published(topic, text, rest)).code < 0x80);
    await publisher.goodbye();
  };

  before(async () => {
    folder = copied(format);
    server = await Server.start({ ...options, shards, folder });
  });
  after(async () => {
    await server?.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('wills: of who does not return; once', async () => {
    const returned = [await back('returns'), await back('later')];
    const raw = await back('watcher');
    const got = await raw.messages(3, { ms: 12_000 });
    assert.deepEqual(got.map(({ topic, text, qos, retain }) => [topic, text, qos, retain]).sort(), [
      ['will/due', 'due', 1, false], ['will/lost', 'lost', 2, false], ['will/old', 'old', 1, false]]);
    for (const { topic, props } of got) {
      assert.equal(props.contentType, topic === 'will/old' ? undefined : 'will');
    }
    await goodbye(raw);
    for (const each of returned) await goodbye(each);
    const reader = await clean();
    await reader.subscribe({ filter: 'will/#', qos: 0 });
    const kept = (await reader.fence()).filter((packet) => packet.type === 'publish');
    assert.deepEqual(texts(kept), ['lost']);
  });

  it('queues, in order, with their properties', async () => {
    const raw = await back('queue');
    const got = await raw.messages(13);
    const order = [...numbered(6), 'with properties', ...numbered(6, 6)];
    assert.deepEqual(texts(got), order);
    assert.deepEqual(got.map(({ qos }) => qos),
      order.map((text) => (text === 'with properties' ? 2 : 1 + Number(text) % 2)));
    assert.ok(got.every(({ dup }) => !dup));
    const { messageExpiry, ...props } = got[6].props;
    assert.deepEqual(props, { payloadFormat: 1, contentType: 'text/plain', responseTopic: 'a/b',
      correlationData: Buffer.from([0, 255]), user: [['b', '1'], ['a', '2'], ['b', '1']],
      subscriptionId: [268435455] });
    // A hundred of the 136 years that its publisher gave it are left, whenever this is run.
    assert.ok(messageExpiry > 3.15e9 && messageExpiry <= never, `${messageExpiry} s are left`);
    assert.equal(got[6].retain, true, 'retain as published');
    await goodbye(raw);
    const old = await back('queue-old', 4);
    const all = await old.messages(13);
    assert.deepEqual(texts(all), order);
    assert.ok(all.every(({ qos, retain }) => qos === 1 && !retain));
    await goodbye(old);
  });

  it('a queue, to MQTT.js', async () => {
    const client = mqtt.connect({ host: '127.0.0.1', port: server.port, protocolVersion: 5,
      clientId: 'js', clean: false, reconnectPeriod: 0,
      properties: { sessionExpiryInterval: never } });
    try {
      const inbox = new Inbox(client);
      const connack = await new Promise((resolve, reject) => {
        client.once('connect', resolve).once('error', reject);
      });
      assert.equal(connack.sessionPresent, true);
      const got = await inbox.take(12);
      for (const qos of [1, 2]) {  // it hands over those of QoS 2 at their PUBREL
        assert.deepEqual(texts(got.filter((message) => message.qos === qos)),
          numbered(12).filter((text) => Number(text) % 2 === qos - 1));
      }
      await publish('queue/a', 'live', { qos: 2 });
      assert.equal((await inbox.one()).text, 'live');
      await client.endAsync();
    } finally {
      client.end(true);
    }
    for (const id of ['queue', 'queue-old']) {  // the message above is theirs too
      const raw = await back(id, id === 'queue' ? 5 : 4);
      assert.deepEqual(texts(await raw.messages(1)), ['live']);
      await goodbye(raw);
    }
  });

  for (const [id, v, sent] of [['flight', 5, expected.flight], ['flight-old', 4, expected.flightOld]]) {
    it(`exchanges half done: ids, order, DUP, PUBREL (${id})`, async () => {
      const raw = await back(id, v);
      const got = [];
      while (got.length < 5) got.push(await raw.next());
      const messages = got.filter((packet) => packet.type === 'publish');
      assert.deepEqual(messages.map((m) => [m.text, m.qos, m.dup]),
        [['0', 1, true], ['1', 2, true], ['5', 1, false], ['6', 2, false]]);
      assert.deepEqual(messages.slice(0, 2).map((m) => m.packetId), sent.slice(0, 2));
      const releases = got.filter((packet) => packet.type === 'pubrel');
      assert.deepEqual(releases.map((m) => m.packetId), [sent[3]]);
      raw.send(codec.ack('pubcomp', sent[3]));
      for (const { qos, packetId } of messages) {
        if (qos === 1) raw.send(codec.ack('puback', packetId));
        else await raw.complete(packetId);
      }
      await goodbye(raw);
    });
  }

  it('messages that sessions share', async () => {
    const [first, second, third] = expected.bodies;
    const text = (n) => `${n} ${'x'.repeat(1000)}`;
    await goodbye(await back(first));
    const raw = await back(second);
    const got = [await raw.next(), await raw.next(), await raw.next()];
    assert.deepEqual(got.map(({ type, text: payload, dup }) => [type, payload, dup]),
      [['publish', text(0), true], ['pubrel', undefined, undefined], ['publish', text(2), true]]);
    raw.send(codec.ack('puback', got[0].packetId));
    raw.send(codec.ack('pubcomp', got[1].packetId));
    await raw.complete(got[2].packetId);
    await goodbye(raw);
    const away = await back(third);
    const all = await away.messages(3);
    assert.deepEqual(all.map((m) => [m.text, m.qos, m.dup]),
      [[text(0), 1, false], [text(1), 2, false], [text(2), 2, false]]);
    await goodbye(away);
  });

  it('retained messages', async () => {
    const reader = await clean();
    await reader.subscribe({ filter: 'retained/#', qos: 2 });
    const got = new Map((await reader.messages(6)).map((m) => [m.topic.slice(9), m]));
    await reader.expectNothing();
    assert.deepEqual([...got.keys()].sort(), ['large', 'late', 'plain', 'replaced', 'two', 'zero']);
    for (const message of got.values()) assert.equal(message.retain, true);
    assert.deepEqual([got.get('plain').text, got.get('plain').qos], ['plain', 1]);
    assert.equal(got.get('replaced').text, 'new');
    assert.equal(got.get('large').text, 'x'.repeat(3000));
    assert.deepEqual([got.get('zero').text, got.get('zero').qos], ['zero', 0]);
    assert.equal(got.get('two').qos, 2);
    assert.deepEqual(got.get('two').props,
      { contentType: 'c', user: [['k', 'v'], ['k', 'w']], responseTopic: 'r' });
    assert.ok(got.get('late').props.messageExpiry > 3.15e9);
    const exact = await clean(4);
    await exact.subscribe({ filter: 'queue/b', qos: 1 });
    assert.equal((await exact.message()).text, 'with properties');
  });

  it('subscriptions, with their options and identifiers', async () => {
    const raw = await back('options');
    const publisher = await clean();
    await publisher.published('options/a', 'both', { qos: 2, retain: true });
    const both = await raw.message();
    assert.deepEqual([both.text, both.qos, both.retain, both.props.subscriptionId],
      ['both', 2, true, [7]]);
    publisher.publish('options/zero', 'zero');
    const zero = await raw.message();
    assert.deepEqual([zero.text, zero.qos], ['zero', 0]);
    assert.deepEqual(zero.props.subscriptionId.sort(), [7, 8]);
    await publisher.published('other', 'unsubscribed');
    await raw.published('options/b', 'own');  // no local
    await goodbye(raw);
    const ended = await (await Raw.open(server.port)).connect({ id: 'ended', clean: false });
    assert.equal(ended.connack.sessionPresent, false);
  });

  it('share groups: their queues, and what was lent and given', async () => {
    const first = await back('share-a');
    const got = await first.messages(6);
    const of = (qos) => numbered(6).filter((text) => Number(text) % 2 === qos - 1);
    for (const qos of [1, 2]) {
      assert.deepEqual(texts(got.filter((message) => message.qos === qos)), of(qos));
    }
    assert.ok(got.every(({ props }) => props.subscriptionId[0] === 5));
    await goodbye(first);
    await goodbye(await back('share-b', 4));
    const lent = await back('share-c');
    const rest = await lent.messages(3);
    assert.deepEqual(rest.map(({ text, qos }) => [text, qos]).sort(), [['0', 1], ['1', 2], ['2', 1]]);
    assert.equal(rest.find(({ text }) => text === '1').dup, true);
    await goodbye(lent);
    const given = await back('share-d');
    assert.deepEqual((await given.messages(1)).map(({ text, qos }) => [text, qos]), [['given', 2]]);
    await goodbye(given);
    // They go on as groups: one of two gets it.
    const [a, b] = [await back('share-a'), await back('share-b', 4)];
    await publish('shared/new', 'one');
    await publish('shared/new', 'two');
    const both = [await a.message(), await b.message()];
    assert.deepEqual(texts(both).sort(), ['one', 'two']);
    for (const raw of [a, b]) await goodbye(raw);
  });

  it('QoS 2 of a publisher: what was received is not taken twice', async () => {
    const raw = await back('sender');
    for (const packetId of [7, 9]) {  // the server has them: no PUBREL came
      raw.publish('sent', `${packetId}`, { qos: 2, packetId, dup: true });
      assert.ok((await raw.expect('pubrec', { packetId })).code < 0x80);
      raw.send(codec.ack('pubrel', packetId));
      await raw.expect('pubcomp', { packetId, code: 0 });
    }
    await raw.published('sent', 'new', { qos: 2, packetId: 8 });
    await goodbye(raw);
    const receiver = await back('receiver');
    assert.deepEqual(texts(await receiver.messages(4)), ['7', '8', '9', 'new']);
    await goodbye(receiver);
  });

  it('and nothing of it comes again', async () => {
    await server.restart();
    assert.equal((await server.metrics()).gnomon_queued_messages, 0);
    for (const [id, v] of [['watcher', 5], ['queue', 5], ['queue-old', 4], ['js', 5], ['flight', 5],
      ['flight-old', 4], ['options', 5], ['sender', 5], ['receiver', 5],
      ['share-a', 5], ['share-b', 4], ['share-c', 5], ['share-d', 5],
      ...expected.bodies.map((body) => [body, 5])]) {
      await goodbye(await back(id, v));
    }
    await server.end();
  });
}
