// Who comes and goes, as events tell it; who is ended by an operation; wills that go with it.
// (Each reason by itself: src/broker/presence_reasons_test.cc.)

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as data from '@aws-sdk/client-iot-data-plane';
import * as iot from '@aws-sdk/client-iot';
import { dataClient, iamClient, iotArn, iotClient, policyOf } from '../harness/aws.mjs';
import { deviceCertificate, rootOf } from '../harness/certificates.mjs';
import { clientKey, collectClients, keyEnvironment, ways } from '../harness/clients.mjs';
import * as codec from '../harness/codec.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { durable, staying } from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { binary, frame, opcode, openWebSocket } from '../harness/websocket.mjs';

const presence = (id) => `$aws/events/presence/+/${id}`;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

// The next event, and that it is about this client id.
async function event(watcher, type, id) {
  const { topic, text, retain } = await watcher.message();
  const told = JSON.parse(text);
  assert.equal(retain, false);
  const kind = type.endsWith('subscribed') ? 'subscriptions' : 'presence';
  assert.equal(topic, `$aws/events/${kind}/${type}/${id}`);
  assert.deepEqual([told.clientId, told.eventType], [id, type], text);
  assert.match(told.sessionIdentifier, uuid);
  assert.ok(Math.abs(told.timestamp - Date.now()) < 60_000, text);
  return told;
}

async function gone(watcher, id, disconnectReason) {
  const told = await event(watcher, 'disconnected', id);
  assert.deepEqual([told.disconnectReason, told.clientInitiatedDisconnect],
    [disconnectReason, disconnectReason === 'CLIENT_INITIATED_DISCONNECT']);
  return told;
}

// Somebody who watches one client id, and its will.
async function watch(w, id, will) {
  const watcher = await w.raw(5);
  await watcher.subscribe({ filter: presence(id), qos: 1 });
  if (will) await watcher.subscribe({ filter: will, qos: 1 });
  return watcher;
}

suite('presence', (test) => {
  test.each([3, 4, 5], 'who comes and goes', async (w, v) => {
    const id = unique('lamp');
    const watcher = await watch(w, id);
    const raw = await w.raw(v, { id });
    const came = await event(watcher, 'connected', id);
    assert.deepEqual(Object.keys(came), ['clientId', 'timestamp', 'eventType', 'sessionIdentifier',
      'principalIdentifier', 'ipAddress', 'versionNumber']);
    assert.deepEqual([came.principalIdentifier, came.ipAddress, came.versionNumber],
      ['local', '127.0.0.1', 0]);
    await raw.goodbye();
    const went = await gone(watcher, id, 'CLIENT_INITIATED_DISCONNECT');
    assert.deepEqual(Object.keys(went), ['clientId', 'timestamp', 'eventType',
      'clientInitiatedDisconnect', 'sessionIdentifier', 'principalIdentifier', 'disconnectReason',
      'versionNumber']);
    for (const same of ['sessionIdentifier', 'principalIdentifier', 'versionNumber'])
      assert.equal(went[same], came[same]);
    const again = await w.raw(v, { id });
    const next = await event(watcher, 'connected', id);
    assert.equal(next.versionNumber, 1);
    assert.notEqual(next.sessionIdentifier, came.sessionIdentifier);
    again.destroy();
    await gone(watcher, id, 'CONNECTION_LOST');
  });

  test('one after the other, whoever takes the client id from whom', async (w) => {
    const id = unique('lamp');
    const watcher = await watch(w, id);
    const rounds = 20;
    const rivals = [];
    for (let n = 0; n < rounds; ++n) rivals.push(await w.raw([3, 4, 5][n % 3], { id }));
    for (let n = 0; n < rounds; ++n) {
      const came = await event(watcher, 'connected', id);
      assert.equal(came.versionNumber, n);
      if (n + 1 === rounds) break;
      const went = await gone(watcher, id, 'DUPLICATE_CLIENTID');
      assert.deepEqual([went.versionNumber, went.sessionIdentifier], [n, came.sessionIdentifier]);
    }
    await watcher.expectNothing();
    for (const raw of rivals) raw.destroy();
  });

  test('what is subscribed to', async (w) => {
    const id = unique('lamp');
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: `$aws/events/subscriptions/+/${id}`, qos: 1 });
    const raw = await w.raw(5, { id });
    await raw.subscribe([{ filter: 'foo/bar', qos: 1 }, { filter: 'a/#/b' }, { filter: '$share/g/x/#' }]);
    const told = await event(watcher, 'subscribed', id);
    assert.deepEqual(Object.keys(told), ['clientId', 'timestamp', 'eventType', 'sessionIdentifier',
      'principalIdentifier', 'topics']);
    assert.deepEqual(told.topics, ['foo/bar', '$share/g/x/#']);
    raw.send(codec.unsubscribe({ packetId: 9, filters: ['foo/bar'] }));
    await raw.expect('unsuback');
    const ended = await event(watcher, 'unsubscribed', id);
    assert.deepEqual([ended.topics, ended.sessionIdentifier], [['foo/bar'], told.sessionIdentifier]);
  });

  test('nothing of client ids with # or +, nor is an event retained', async (w) => {
    const watcher = await w.raw(5);
    await watcher.subscribe('$aws/events/presence/#');
    for (const id of [unique('a#'), unique('b+')]) await (await w.raw(5, { id })).goodbye();
    const id = unique('lamp');
    await w.raw(5, { id });
    for (let found; found !== id;) found = JSON.parse((await watcher.message()).text).clientId;
    const late = await w.raw(5);
    await late.subscribe(presence(id));
    await late.expectNothing();
  });

  test('clients cannot publish them', async (w) => {
    const raw = await w.raw(5);
    raw.publish('$aws/events/presence/connected/x', 'x', { qos: 1 });
    assert.equal((await raw.expect('puback')).code, 0x87);
  });

  test('the close frame of a WebSocket is a goodbye, and the will is not sent', async (w) => {
    for (const graceful of [true, false]) {
      const id = unique('web');
      const watcher = await watch(w, id, w.topic('will'));
      const wire = await openWebSocket(w.server.ports.http);
      wire.send(binary(codec.connect({ id, will: { topic: w.topic('will'), payload: 'gone' } })));
      assert.equal((await wire.packet()).code, 0);
      await event(watcher, 'connected', id);
      if (graceful) {
        wire.send(frame(opcode.close, Buffer.from([0x03, 0xe8])));
        await gone(watcher, id, 'CLIENT_INITIATED_DISCONNECT');
        await watcher.expectNothing();
      } else {
        wire.socket.destroy();
        const both = (await watcher.messages(2)).map(({ text }) => text);
        assert.ok(both.includes('gone'));
        assert.ok(both.some((text) => text.includes('CONNECTION_LOST')));
      }
      wire.socket.destroy();
    }
  });

  test('a will to the topic of a shadow is delivered, and the shadow does not hear of it', async (w) => {
    const thing = unique('thing');
    const topic = `$aws/things/${thing}/shadow/update`;
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: `$aws/things/${thing}/shadow/#`, qos: 1 });
    const client = await w.raw(5, { will: { topic, qos: 1,
      payload: JSON.stringify({ state: { reported: { connected: false } } }) } });
    client.destroy();
    assert.equal((await watcher.message()).topic, topic);
    watcher.publish(`$aws/things/${thing}/shadow/get`, '', { qos: 1 });
    await watcher.answer('puback');
    const topics = (await watcher.messages(2)).map((message) => message.topic);
    assert.deepEqual(topics.sort(), [`$aws/things/${thing}/shadow/get`,
      `$aws/things/${thing}/shadow/get/rejected`]);
  });

  test('with MQTT.js', async (w) => {
    const id = unique('js');
    const watcher = await w.client(5);
    await watcher.subscribeAsync(presence(id), { qos: 1 });
    const client = await w.client(4, { clientId: id });
    await client.endAsync();
    const types = (await watcher.inbox.take(2)).map(({ text }) => JSON.parse(text));
    assert.deepEqual(types.map(({ eventType }) => eventType), ['connected', 'disconnected']);
    assert.equal(types[1].disconnectReason, 'CLIENT_INITIATED_DISCONNECT');
  });
}, { listeners: true, concurrency: 4 });

suite('DeleteConnection', (test) => {
  const remove = (w, input, by = dataClient(w.server)) =>
    by.send(new data.DeleteConnectionCommand(input));

  test('ends a connection; its will is sent unless that is prevented', async (w) => {
    for (const preventWillMessage of [undefined, false, true]) {
      const clientId = unique('lamp');
      const watcher = await watch(w, clientId, w.topic('will'));
      const raw = await w.raw(5, { id: clientId, will: { topic: w.topic('will'), payload: 'gone' } });
      await event(watcher, 'connected', clientId);
      await remove(w, { clientId, preventWillMessage });
      await raw.expectRefusal(0x98);
      const texts = (await watcher.messages(preventWillMessage ? 1 : 2)).map(({ text }) => text);
      assert.equal(texts.includes('gone'), !preventWillMessage);
      const told = JSON.parse(texts.find((text) => text !== 'gone'));
      assert.equal(told.disconnectReason, 'API_INITIATED_DISCONNECT');
      await watcher.expectNothing();
    }
  });

  test('leaves the session, or ends it, of a client that is here or away', async (w) => {
    for (const away of [false, true]) {
      for (const cleanSession of [false, true]) {
        const clientId = unique('lamp');
        const raw = await w.raw(5, { id: clientId, ...staying(5) });
        if (away) {
          await raw.goodbye();
          await w.server.untilAway(clientId);
        }
        await remove(w, { clientId, cleanSession });
        if (!away) await raw.expectRefusal(0x98);
        const again = await w.raw(5, { id: clientId, ...staying(5) });
        assert.equal(again.connack.sessionPresent, !cleanSession);
        again.destroy();
      }
    }
  });

  test('of nobody: 404', async (w) => {
    await assert.rejects(remove(w, { clientId: unique('nobody') }), (error) => {
      assert.ok(error instanceof data.ResourceNotFoundException, error.name);
      return error.$metadata.httpStatusCode === 404;
    });
  });

  test('asks for iot:DeleteConnection on the client', async (w) => {
    const users = iamClient(w.server);
    const [mine, theirs] = [unique('mine'), unique('theirs')];
    const UserName = unique('user');
    await users.send(new iam.CreateUserCommand({ UserName }));
    await users.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'may',
      PolicyDocument: policyOf(['Allow', 'iot:DeleteConnection', iotArn(`client/${mine}`)]) }));
    const { AccessKey: key } = await users.send(new iam.CreateAccessKeyCommand({ UserName }));
    const client = dataClient(w.server, { key });
    const raws = [await w.raw(5, { id: mine }), await w.raw(5, { id: theirs })];
    await remove(w, { clientId: mine }, client);
    await raws[0].expectRefusal(0x98);
    await assert.rejects(remove(w, { clientId: theirs }, client), (error) => {
      assert.equal(error.$metadata.httpStatusCode, 403);
      return error.name === 'ForbiddenException';
    });
    await raws[1].expectNothing();
    for (const each of [users, client]) each.destroy();
  });
}, { listeners: true });

describe('presence of devices', { timeout: 120_000 }, () => {
  let server, things, root;
  before(async () => {
    server = await Server.start({ listeners: true, shards: 3,
      env: { GNOMON_LOCAL: 'true', ...keyEnvironment } });
    things = iotClient(server, { key: clientKey });
    root = await Raw.open(server.port, { v: 5 });
    await root.connect({ v: 5, id: unique('root') });
  });
  after(async () => {
    root?.destroy();
    things?.destroy();
    await server?.stop();
    collectClients();
  });
  const watching = async (filter) => {
    const raw = await Raw.open(server.port, { v: 5 });
    await raw.connect({ v: 5, id: unique('watcher') });
    await raw.subscribe({ filter, qos: 1 });
    return raw;
  };
  async function device(...statements) {
    const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
    const policyName = unique('policy');
    await things.send(new iot.CreatePolicyCommand({ policyName, policyDocument: policyOf(...statements) }));
    await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
    const change = (...now) => things.send(new iot.CreatePolicyVersionCommand({ policyName,
      policyDocument: policyOf(...now), setAsDefault: true }));
    return { id: made.certificateId, change,
      secure: { ...rootOf(server), cert: made.certificatePem, key: made.keyPair.PrivateKey } };
  }
  const open = async ({ secure }, options, v = 5) =>
    (await Raw.open(server.ports.mqtts, { v, secure })).connect({ v, ...options });
  const everything = ['Allow', 'iot:*', '*'];

  it('names the certificate, and says why its policies or its status have ended it', async () => {
    for (const [reason, end] of Object.entries({
      AUTH_ERROR: ({ id }) => things.send(new iot.UpdateCertificateCommand(
        { certificateId: id, newStatus: 'INACTIVE' })),
      FORBIDDEN_ACCESS: ({ change }) => change(['Allow', 'iot:Publish', '*']),
    })) {
      const lamp = await device(everything);
      const id = unique('lamp');
      const watcher = await watching(presence(id));
      const raw = await open(lamp, { id });
      assert.equal((await event(watcher, 'connected', id)).principalIdentifier, lamp.id);
      await end(lamp);
      await gone(watcher, id, reason);
      for (const each of [raw, watcher]) each.destroy();
    }
  });

  it('a PUBLISH that policies refuse ends a client of 3.1.1', async () => {
    const lamp = await device(['Allow', 'iot:Connect', '*']);
    const id = unique('lamp');
    const watcher = await watching(presence(id));
    const raw = await open(lamp, { id }, 4);
    await event(watcher, 'connected', id);
    raw.publish('x', 'x');
    await gone(watcher, id, 'AUTH_ERROR');
    for (const each of [raw, watcher]) each.destroy();
  });

  it('a CONNECT that policies refuse, or its will', async () => {
    const id = unique('lamp');
    const watcher = await watching(presence(id));
    for (const [lamp, options] of [
      [await device(['Allow', 'iot:Connect', iotArn('client/other')]), {}],
      [await device(['Allow', 'iot:Connect', '*']), { will: { topic: 'x', payload: 'x' } }],
    ]) {
      const raw = await Raw.open(server.ports.mqtts, { v: 5, secure: lamp.secure });
      raw.send(codec.connect({ v: 5, id, ...options }));
      assert.equal((await raw.expect('connack')).code, 0x87);
      const told = await event(watcher, 'connect_failed', id);
      assert.deepEqual([told.connectFailureReason, told.principalIdentifier, told.ipAddress],
        ['AUTHORIZATION_FAILED', lamp.id, '127.0.0.1']);
      raw.destroy();
    }
    watcher.destroy();
  });

  for (const way of ways.filter(({ name }) => /SDK|wss/.test(name))) {
    for (const v of way.versions) {
      it(`${way.name}, MQTT ${v}: comes, and says goodbye`, async () => {
        const watcher = await watching('$aws/events/presence/#');
        const lamp = await deviceCertificate(server, unique('lamp'));
        const client = await way.open(server.ports, lamp, v);
        const came = JSON.parse((await watcher.message()).text);
        assert.equal(came.eventType, 'connected');
        await client.end();
        let went;
        do went = JSON.parse((await watcher.message()).text); while (went.clientId !== came.clientId);
        assert.deepEqual([went.eventType, went.disconnectReason, went.sessionIdentifier],
          ['disconnected', 'CLIENT_INITIATED_DISCONNECT', came.sessionIdentifier]);
        watcher.destroy();
      });
    }
  }
});

describe('presence over the end of the server', { timeout: 120_000 }, () => {
  for (const shards of [1, 3]) {
    it(`who was connected when it stopped, or was killed; ${shards} shards`, async () => {
      const server = await Server.start({ ...durable, shards, env: { GNOMON_WILL_GRACE: '1' } });
      try {
        const open = async (id, options) =>
          (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id, ...options });
        const watcher = { id: 'watcher', ...staying(5) };
        const first = await open(watcher.id, watcher);
        await first.subscribe({ filter: '$aws/events/presence/disconnected/lamp', qos: 1 });
        await first.goodbye();
        await server.untilAway(watcher.id);

        await open('lamp', staying(5));
        await server.restart('SIGTERM');
        const second = await open(watcher.id, watcher);
        await gone(second, 'lamp', 'SERVER_INITIATED_DISCONNECT');

        const lamp = await open('lamp', staying(5));
        await second.expectNothing();
        assert.equal(lamp.connack.sessionPresent, true);
        await server.restart('SIGKILL');
        const third = await open(watcher.id, watcher);
        await gone(third, 'lamp', 'SERVER_ERROR');

        await open('lamp', staying(5));
        await third.expectNothing();
        await server.restart('SIGKILL');
        const back = await open('lamp', staying(5));
        const fourth = await open(watcher.id, watcher);
        await back.goodbye();  // of the one that is back, and of no other
        await gone(fourth, 'lamp', 'CLIENT_INITIATED_DISCONNECT');
      } finally {
        await server.kill();
      }
    });
  }
});
