// The AWS APIs, as AWS's own SDK calls them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import * as iot from '@aws-sdk/client-iot';
import { iotArn as arn, iotClient as clientOf, keyOf, policyOf } from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';

// A thing with a certificate and a policy that lets it connect as itself and publish to dt/NAME.
async function makeDevice(client, name) {
  await client.send(new iot.CreateThingCommand({ thingName: name }));
  const { certificatePem, keyPair, certificateArn, certificateId } = await client.send(
    new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
  const policyName = `policy-${name}`;
  await client.send(new iot.CreatePolicyCommand({ policyName, policyDocument: policyOf(
    ['Allow', 'iot:Connect', arn('client/${iot:Connection.Thing.ThingName}')],
    ['Allow', ['iot:Publish', 'iot:Receive'], arn(`topic/dt/${name}`)],
    ['Allow', 'iot:Subscribe', arn(`topicfilter/dt/${name}`)]) }));
  await client.send(new iot.AttachPolicyCommand({ policyName, target: certificateArn }));
  await client.send(new iot.AttachThingPrincipalCommand(
    { thingName: name, principal: certificateArn }));
  return { cert: certificatePem, key: keyPair.PrivateKey, policyName, certificateArn, certificateId };
}

async function connect(server, device, id) {
  const raw = await Raw.open(server.ports.mqtts,
    { v: 5, secure: { ...rootOf(server), cert: device.cert, key: device.key } });
  raw.send(codec.connect({ v: 5, id }));
  return raw;
}

for (const compat of ['mqtt', 'aws']) {
  suite(`the service iot, compat ${compat}`, (test) => {
    test('things are created, described, listed, changed and deleted', async (w) => {
      const client = clientOf(w.server);
      const thingName = unique('lamp');
      const made = await client.send(new iot.CreateThingCommand(
        { thingName, attributePayload: { attributes: { room: 'hall:1' } } }));
      assert.equal(made.thingArn, arn(`thing/${thingName}`));
      const described = await client.send(new iot.DescribeThingCommand({ thingName }));
      assert.deepEqual(described.attributes, { room: 'hall:1' });
      assert.equal(described.version, 1);
      const { things } = await client.send(new iot.ListThingsCommand(
        { attributeName: 'room', attributeValue: 'hall:1' }));
      assert.ok(things.some((thing) => thing.thingName === thingName));
      await client.send(new iot.UpdateThingCommand(
        { thingName, attributePayload: { attributes: { room: '' }, merge: true } }));
      await assert.rejects(client.send(new iot.DeleteThingCommand({ thingName, expectedVersion: 1 })),
        iot.VersionConflictException);
      await client.send(new iot.DeleteThingCommand({ thingName }));
      await assert.rejects(client.send(new iot.DescribeThingCommand({ thingName })),
        (error) => error instanceof iot.ResourceNotFoundException &&
          error.$metadata.httpStatusCode === 404 && error.$metadata.requestId.length === 36);
    });

    test('errors come as the classes of the SDK', async (w) => {
      const client = clientOf(w.server);
      const thingName = unique('twice');
      await client.send(new iot.CreateThingCommand({ thingName }));
      await assert.rejects(client.send(new iot.CreateThingCommand(
        { thingName, attributePayload: { attributes: { a: 'b' } } })),
      (error) => error instanceof iot.ResourceAlreadyExistsException &&
        error.resourceArn === arn(`thing/${thingName}`));
      await assert.rejects(client.send(new iot.CreateThingCommand({ thingName: 'not a name' })),
        iot.InvalidRequestException);
      await assert.rejects(client.send(new iot.CreateJobCommand(
        { jobId: 'j', targets: [arn(`thing/${thingName}`)] })),
      (error) => error.$metadata.httpStatusCode === 501 && /iot:CreateJob/.test(error.message));
    });

    test('a device that was made so connects and does what its policy says, no more', async (w) => {
      const client = clientOf(w.server);
      const name = unique('device');
      const device = await makeDevice(client, name);
      const stranger = await connect(w.server, device, 'another');
      assert.equal((await stranger.expect('connack')).code, 0x87);
      const raw = await connect(w.server, device, name);
      assert.equal((await raw.expect('connack')).code, 0);
      raw.send(codec.publish({ v: 5, topic: `dt/${name}`, payload: '1', qos: 1, packetId: 1 }));
      assert.ok((await raw.expect('puback')).code < 0x80);
      raw.send(codec.publish({ v: 5, topic: 'dt/other', payload: '1', qos: 1, packetId: 2 }));
      assert.equal((await raw.expect('puback')).code, 0x87);

      // Revoked: within a second.
      const since = performance.now();
      await client.send(new iot.UpdateCertificateCommand(
        { certificateId: device.certificateId, newStatus: 'INACTIVE' }));
      assert.equal((await raw.expect('disconnect')).code, 0x87);
      assert.ok(performance.now() - since < 1000);
      const late = await connect(w.server, device, name);
      assert.equal((await late.expect('connack')).code, 0x87);
    });
  }, { listeners: true, env: { GNOMON_COMPAT: compat }, shards: [2], concurrency: 4 });
}

suite('who signs', (test) => {
  test('another secret, another key', async (w) => {
    const key = keyOf(w.server);
    await assert.rejects(
      clientOf(w.server, { key: { ...key, SecretAccessKey: 'another' } })
        .send(new iot.ListThingsCommand({})), { name: 'InvalidSignatureException' });
    await assert.rejects(
      clientOf(w.server, { key: { ...key, AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA' } })
        .send(new iot.ListThingsCommand({})), { name: 'UnrecognizedClientException' });
    await assert.rejects(
      clientOf(w.server, { region: 'eu-west-1' }).send(new iot.ListThingsCommand({})),
      (error) => /us-east-1/.test(error.message));
  });

  test('nobody: 403', async (w) => {
    const response = await fetch(`http://127.0.0.1:${w.server.ports.http}/things`);
    assert.equal(response.status, 403);
    assert.equal(response.headers.get('x-amzn-errortype'), 'MissingAuthenticationTokenException');
  });

  test('over TLS, too', async (w) => {
    const { ca } = rootOf(w.server);
    const { NodeHttpHandler } = await import('@smithy/node-http-handler');
    const https = await import('node:https');
    const client = clientOf(w.server, {
      endpoint: `https://localhost:${[w.server.ports.https].flat()[0]}`,
      requestHandler: new NodeHttpHandler({ httpsAgent: new https.Agent({ ca }) }),
    });
    await client.send(new iot.ListThingsCommand({}));
    client.destroy();
  });

  test('200 calls at once from 50 connections are all answered', async (w) => {
    const client = clientOf(w.server, { maxAttempts: 3 });
    const names = Array.from({ length: 200 }, () => unique('many'));
    await Promise.all(names.map((thingName) =>
      client.send(new iot.CreateThingCommand({ thingName }))));
    const found = await Promise.all(names.map((thingName) =>
      client.send(new iot.DescribeThingCommand({ thingName }))));
    assert.deepEqual(found.map((thing) => thing.thingName), names);
  });
}, { listeners: true, shards: [2] });

describe('the root key', { timeout: 60_000 }, () => {
  it('is made once, for its owner only, and what is registered outlives kill -9', async () => {
    const server = await Server.start({ listeners: true, args: ['--durability', 'disk'] });
    try {
      const file = path.join(server.data, 'access-key.json');
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      const key = keyOf(server);
      await clientOf(server).send(new iot.CreateThingCommand({ thingName: 'kept' }));
      await server.restart('SIGKILL');
      assert.deepEqual(keyOf(server), key);
      const kept = await clientOf(server).send(new iot.DescribeThingCommand({ thingName: 'kept' }));
      assert.equal(kept.version, 1);
    } finally {
      await server.kill();
    }
  });

  it('comes from the environment, if it is there', async () => {
    const key = { AccessKeyId: 'AKIATESTTESTTESTTEST', SecretAccessKey: 'of/the+environment' };
    const env = { GNOMON_ACCESS_KEY_ID: key.AccessKeyId,
      GNOMON_SECRET_ACCESS_KEY: key.SecretAccessKey };
    const server = await Server.start({ listeners: true, env });
    try {
      await clientOf(server, { key }).send(new iot.ListThingsCommand({}));
    } finally {
      await server.stop();
    }
  });
});
