// How devices come to their things: fleet provisioning by claim, just-in-time registration and
// just-in-time provisioning, with certificates that others have made.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import mqttJs from 'mqtt';
import { iamArn, iamClient, iotArn as arn, iotClient, policyOf, trustOf } from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import { collectClients } from '../harness/clients.mjs';
import * as codec from '../harness/codec.mjs';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';
import { authority, certificate, name, signer } from '../harness/x509.mjs';

const sdk = createRequire(import.meta.url)('aws-iot-device-sdk-v2');

// The role of templates, which may do what the statements say.
async function makeRole(server, ...statements) {
  const client = iamClient(server);
  await client.send(new iam.CreateRoleCommand({ RoleName: 'provision',
    AssumeRolePolicyDocument: trustOf({ Service: 'iot.amazonaws.com' }) })).catch((error) => {
    if (!(error instanceof iam.EntityAlreadyExistsException)) throw error;
  });
  await client.send(new iam.PutRolePolicyCommand({ RoleName: 'provision', PolicyName: 'own',
    PolicyDocument: policyOf(...(statements.length > 0 ? statements : [['Allow', 'iot:*', '*']])) }));
  client.destroy();
}

async function withServer(body, options = {}) {
  const server = await Server.start({ listeners: true, shards: 2, ...options });
  try {
    await makeRole(server);
    await body(server, iotClient(server));
    await server.stop();
  } finally {
    await server.kill();
  }
}

// A thing whose name is the parameter `parameter`, and the certificate, which becomes ACTIVE and may
// publish to dt/….
const templateBody = (parameter) => JSON.stringify({
  Parameters: { [parameter]: { Type: 'String' }, 'AWS::IoT::Certificate::Id': { Type: 'String' } },
  Resources: {
    thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: parameter } } },
    key: { Type: 'AWS::IoT::Certificate',
      Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' } },
    right: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'device' } },
  },
  DeviceConfiguration: { Fallback: 'https://example.com' },
});
const roleArn = iamArn('role/provision');

async function makeTemplate(client, templateName, parameter, type) {
  await client.send(new iot.CreatePolicyCommand({ policyName: 'device', policyDocument: policyOf(
    ['Allow', 'iot:Connect', '*'], ['Allow', 'iot:Publish', arn('topic/dt/*')]) }));
  await client.send(new iot.CreateProvisioningTemplateCommand({ templateName, enabled: true, type,
    templateBody: templateBody(parameter), provisioningRoleArn: roleArn }));
}

const identityOf = ({ certificatePem, keyPair, privateKey }) =>
  ({ cert: certificatePem, key: keyPair?.PrivateKey ?? privateKey });

// The code of the CONNACK that a device gets.
async function code(server, { cert, key }, id = unique('device')) {
  const raw = await Raw.open(server.ports.mqtts, { v: 5, secure: { ...rootOf(server), cert, key } });
  raw.send(codec.connect({ v: 5, id }));
  const connack = await raw.expect('connack');
  raw.destroy();
  return connack.code;
}

const openMqttJs = (server, { cert, key }) => mqttJs.connectAsync(
  `mqtts://localhost:${server.ports.mqtts}`,
  { ...rootOf(server), cert, key, clientId: unique('claim'), protocolVersion: 5, reconnectPeriod: 0 });

// The next message that a client gets.
const next = (client) => within(deadline, 'an answer', new Promise((resolve) => {
  client.once('message', (topic, payload) => resolve({ topic, payload }));
}));
async function ask(client, topic, payload) {
  const answer = next(client);
  await client.publishAsync(topic, payload, { qos: 1 });
  return answer;
}

// ---- CBOR, as far as texts in maps go

function toCbor(value) {
  const head = (kind, count) => Buffer.from(count < 24 ? [kind | count]
    : [kind | 25, count >> 8, count & 255]);
  if (typeof value === 'string') return Buffer.concat([head(0x60, Buffer.byteLength(value)), Buffer.from(value)]);
  const entries = Object.entries(value);
  return Buffer.concat([head(0xa0, entries.length), ...entries.flat().map(toCbor)]);
}
function fromCbor(bytes) {
  let at = 0;
  const read = () => {
    const first = bytes[at++];
    let count = first & 31;
    if (count >= 24) {
      const wide = 1 << (count - 24);
      count = bytes.readUIntBE(at, wide);
      at += wide;
    }
    if (first >> 5 === 0) return count;
    if (first >> 5 === 3) return bytes.toString('utf8', at, at += count);
    assert.equal(first >> 5, 5);
    return Object.fromEntries(Array.from({ length: count }, () => [read(), read()]));
  };
  return read();
}

// ---- the device SDK v2

async function openSdk(server, { cert, key }, v) {
  const options = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 2,
    operationTimeoutInSeconds: deadline / 1000 };
  const { ca } = rootOf(server);
  if (v === 4) {
    const config = sdk.iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(cert, key)
      .with_certificate_authority(ca.toString()).with_endpoint('localhost')
      .with_port(server.ports.mqtts).with_client_id(unique('sdk')).with_clean_session(true).build();
    const connection = new sdk.mqtt.MqttClient().new_connection(config);
    connection.on('error', () => {});
    await within(deadline, 'connection', connection.connect());
    const client = sdk.iotidentity.IotIdentityClientv2.newFromMqtt311(connection, options);
    return { client, end: async () => { client.close(); await connection.disconnect(); } };
  }
  const config = sdk.iot.AwsIotMqtt5ClientConfigBuilder
    .newDirectMqttBuilderWithMtlsFromMemory('localhost', cert, key)
    .withCertificateAuthority(ca.toString()).withPort(server.ports.mqtts)
    .withConnectProperties({ clientId: unique('sdk'), keepAliveIntervalSeconds: 60 }).build();
  const mqtt5 = new sdk.mqtt5.Mqtt5Client(config);
  const happens = (event) => within(deadline, event, new Promise((resolve) => { mqtt5.once(event, resolve); }));
  const success = happens('connectionSuccess');
  mqtt5.start();
  await success;
  const client = sdk.iotidentity.IotIdentityClientv2.newFromMqtt5(mqtt5, options);
  return { client, end: async () => {
    client.close();
    const stopped = happens('stopped');
    mqtt5.stop();
    await stopped;
    mqtt5.close();
  } };
}

describe('fleet provisioning', { timeout: 120_000 }, () => {
  after(collectClients);

  for (const compat of ['mqtt', 'aws']) {
    for (const v of [4, 5]) {
      it(`by the device SDK v2, MQTT version ${v}, compat ${compat}`, () =>
        withServer(async (server, client) => {
          await makeTemplate(client, 'lamps', 'Name');
          const claim = await client.send(
            new iot.CreateProvisioningClaimCommand({ templateName: 'lamps' }));
          const { client: identity, end } = await openSdk(server, identityOf(claim), v);
          const own = await identity.createKeysAndCertificate({});
          assert.equal(await code(server, identityOf(own)), 0x87, 'it is not ACTIVE yet');
          const request = { templateName: 'lamps',
            certificateOwnershipToken: own.certificateOwnershipToken, parameters: { Name: 'lamp' } };
          assert.deepEqual(await identity.registerThing(request),
            { thingName: 'lamp', deviceConfiguration: { Fallback: 'https://example.com' } });
          await assert.rejects(identity.registerThing(request), (error) =>
            error.modeledError.errorCode === 'InvalidCertificateOwnershipToken' &&
              error.modeledError.statusCode === 400);
          await end();
          assert.equal(await code(server, identityOf(own)), 0);
          const { principals } =
            await client.send(new iot.ListThingPrincipalsCommand({ thingName: 'lamp' }));
          assert.deepEqual(principals, [arn(`cert/${own.certificateId}`)]);
        }, { env: { GNOMON_COMPAT: compat } }));
    }
  }

  it('in CBOR', () => withServer(async (server, client) => {
    await makeTemplate(client, 'lamps', 'Name');
    const claim = await client.send(
      new iot.CreateProvisioningClaimCommand({ templateName: 'lamps' }));
    const device = await openMqttJs(server, identityOf(claim));
    const create = '$aws/certificates/create/cbor';
    const provision = '$aws/provisioning-templates/lamps/provision/cbor';
    for (const topic of [create, provision]) {
      await device.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`], { qos: 1 });
    }
    const made = await ask(device, create, toCbor({}));
    assert.equal(made.topic, `${create}/accepted`);
    const own = fromCbor(made.payload);
    const request = { certificateOwnershipToken: own.certificateOwnershipToken,
      parameters: { Name: 'lamp' } };
    const told = await ask(device, provision, toCbor(request));
    assert.equal(told.topic, `${provision}/accepted`);
    assert.equal(fromCbor(told.payload).thingName, 'lamp');
    const refused = await ask(device, provision, toCbor(request));
    assert.equal(refused.topic, `${provision}/rejected`);
    assert.equal(fromCbor(refused.payload).statusCode, 400);
    await device.endAsync();
    assert.equal(await code(server, identityOf(own)), 0);
  }));

  it('a token holds over a restart of the server', () => withServer(async (server, client) => {
    await makeTemplate(client, 'lamps', 'Name');
    const claim = await client.send(
      new iot.CreateProvisioningClaimCommand({ templateName: 'lamps' }));
    let device = await openMqttJs(server, identityOf(claim));
    const create = '$aws/certificates/create/json';
    await device.subscribeAsync(`${create}/accepted`, { qos: 1 });
    const own = JSON.parse((await ask(device, create, '')).payload);
    await device.endAsync();
    await server.restart();
    device = await openMqttJs(server, identityOf(claim));
    const provision = '$aws/provisioning-templates/lamps/provision/json';
    await device.subscribeAsync(`${provision}/accepted`, { qos: 1 });
    const told = await ask(device, provision, JSON.stringify({ parameters: { Name: 'lamp' },
      certificateOwnershipToken: own.certificateOwnershipToken }));
    assert.equal(JSON.parse(told.payload).thingName, 'lamp');
    await device.endAsync();
  }, { args: ['--durability', 'disk'] }));

  it('a template does what its role may, and nothing else', () => withServer(async (server, client) => {
    await makeTemplate(client, 'lamps', 'Name');
    const claim = await client.send(
      new iot.CreateProvisioningClaimCommand({ templateName: 'lamps' }));
    const device = await openMqttJs(server, identityOf(claim));
    const create = '$aws/certificates/create/json';
    const provision = '$aws/provisioning-templates/lamps/provision/json';
    for (const topic of [create, provision])
      await device.subscribeAsync([`${topic}/accepted`, `${topic}/rejected`], { qos: 1 });
    const own = JSON.parse((await ask(device, create, '')).payload);
    const request = JSON.stringify({ parameters: { Name: 'lamp' },
      certificateOwnershipToken: own.certificateOwnershipToken });
    const refused = async (pattern) => {
      const { topic, payload } = await ask(device, provision, request);
      assert.equal(topic, `${provision}/rejected`);
      const told = JSON.parse(payload);
      assert.equal(told.statusCode, 403);
      assert.match(told.errorMessage, pattern);
      await assert.rejects(client.send(new iot.DescribeThingCommand({ thingName: 'lamp' })),
        iot.ResourceNotFoundException);
    };
    await makeRole(server, ['Allow', ['iot:*Thing*', 'iot:UpdateCertificate'], '*']);
    await refused(/role\/provision may not iot:AttachPolicy on .*:cert\//);
    await makeRole(server, ['Allow', 'iot:*', '*'], ['Deny', 'iot:CreateThing', arn('thing/lamp')]);
    await refused(/may not iot:CreateThing on .*:thing\/lamp/);
    const users = iamClient(server);
    await users.send(new iam.UpdateAssumeRolePolicyCommand({ RoleName: 'provision',
      PolicyDocument: trustOf({ Service: 'lambda.amazonaws.com' }) }));
    await refused(/iot.amazonaws.com is not authorized to perform: sts:AssumeRole/);
    await users.send(new iam.UpdateAssumeRolePolicyCommand({ RoleName: 'provision',
      PolicyDocument: trustOf({ Service: 'iot.amazonaws.com' }, { StringEquals: {
        'aws:SourceArn': arn('provisioningtemplate/lamps'), 'aws:SourceAccount': '123456789012' } }) }));
    await makeRole(server);
    assert.equal((await ask(device, provision, request)).topic, `${provision}/accepted`);
    users.destroy();
    await device.endAsync();
  }));

  it('a claim is for fleet provisioning by its template, and nothing else', () =>
    withServer(async (server, client) => {
      await makeTemplate(client, 'lamps', 'Name');
      const claim = identityOf(await client.send(
        new iot.CreateProvisioningClaimCommand({ templateName: 'lamps' })));
      for (const [topic, taken] of [['dt/x', false], ['$aws/things/lamp/shadow/update', false],
        ['$aws/provisioning-templates/others/provision/json', false],
        ['$aws/provisioning-templates/lamps/provision/json', true]]) {
        const device = await openMqttJs(server, claim);
        const done = device.publishAsync(topic, '{}', { qos: 1 });
        if (taken) await done;
        else await assert.rejects(done, /Not authorized/);
        await device.endAsync();
      }
    }));
});

describe('just in time', { timeout: 120_000 }, () => {
  // A CA of a factory that the server knows, and a device's certificate of it.
  async function factory(client, registrationConfig) {
    const ca = certificate(undefined, { subject: name('factory'), extensions: [authority] });
    const { certificateId } = await client.send(new iot.RegisterCACertificateCommand({
      caCertificate: ca.cert, certificateMode: 'SNI_ONLY', setAsActive: true,
      allowAutoRegistration: true, registrationConfig }));
    const { createPrivateKey } = await import('node:crypto');
    return { id: certificateId,
      device: certificate(signer(ca.cert, createPrivateKey(ca.key)), { subject: name('lamp') }) };
  }

  for (const by of ['name', 'body']) {
    it(`provisioning by a template, given by its ${by}`, () => withServer(async (server, client) => {
      const parameter = 'AWS::IoT::Certificate::CommonName';
      await makeTemplate(client, 'jitp', parameter, 'JITP');
      const { device } = await factory(client, by === 'name' ? { templateName: 'jitp' }
        : { templateBody: templateBody(parameter), roleArn });
      assert.notEqual(await code(server, device), 0, 'the first connection is denied');
      assert.equal(await code(server, device), 0);
      const { principals } =
        await client.send(new iot.ListThingPrincipalsCommand({ thingName: 'lamp' }));
      assert.equal(principals.length, 1);
    }));
  }

  it('provisioning by a role that may not: not provisioned, until it may', () =>
    withServer(async (server, client) => {
      const parameter = 'AWS::IoT::Certificate::CommonName';
      await makeTemplate(client, 'jitp', parameter, 'JITP');
      await makeRole(server, ['Allow', 'iot:*', '*'], ['Deny', 'iot:AttachPolicy', '*']);
      const { device } = await factory(client, { templateName: 'jitp' });
      for (let times = 0; times < 2; ++times) assert.notEqual(await code(server, device), 0);
      await server.untilLog(/certificate_not_provisioned .*may not iot:AttachPolicy/);
      await assert.rejects(client.send(new iot.DescribeThingCommand({ thingName: 'lamp' })),
        iot.ResourceNotFoundException);
      await makeRole(server);
      assert.notEqual(await code(server, device), 0, 'the connection that provisions is denied');
      assert.equal(await code(server, device), 0);
    }));

  it('registration: an event tells of it, and somebody activates it', () =>
    withServer(async (server, client) => {
      const { id, device } = await factory(client);
      const watcher = await mqttJs.connectAsync(`mqtt://localhost:${server.ports.mqtt}`,
        { clientId: unique('watcher') });
      await watcher.subscribeAsync(`$aws/events/certificates/registered/${id}`, { qos: 1 });
      const told = next(watcher);
      assert.notEqual(await code(server, device), 0);
      const event = JSON.parse((await told).payload);
      assert.equal(event.caCertificateId, id);
      assert.equal(event.certificateStatus, 'PENDING_ACTIVATION');
      const { certificateId } = event;
      await client.send(new iot.UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' }));
      await client.send(new iot.CreatePolicyCommand({ policyName: 'device',
        policyDocument: policyOf(['Allow', 'iot:Connect', '*']) }));
      await client.send(new iot.AttachPolicyCommand(
        { policyName: 'device', target: arn(`cert/${certificateId}`) }));
      assert.equal(await code(server, device), 0);
      await watcher.endAsync();
    }));
});
