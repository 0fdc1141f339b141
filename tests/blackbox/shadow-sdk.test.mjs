// Device shadows through AWS's own clients: the device SDKs of both generations, the SDK's data plane
// and the `aws` command.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as data from '@aws-sdk/client-iot-data-plane';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { dataClient, iamClient, iotArn, iotClient, keyOf, policyOf, region } from '../harness/aws.mjs';
import { collectClients } from '../harness/clients.mjs';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const require = createRequire(import.meta.url);  // both SDKs are CommonJS
const sdk = require('aws-iot-device-sdk-v2');
const sdk1 = require('aws-iot-device-sdk');

const host = 'localhost';
const { QoS } = sdk.mqtt;

// Resolves with what `begin` gives its callback.
const told = (what, begin) => within(deadline, what, new Promise((resolve, reject) => {
  begin((...args) => resolve(args.length > 1 ? args : args[0]), reject);
}));

after(collectClients);

for (const compat of ['mqtt', 'aws']) {
  describe(`shadows with AWS's clients, compat ${compat}`, { timeout: 120_000 }, () => {
    let server, ca, cert, key, files;
    before(async () => {
      server = await Server.start({ listeners: true, shards: 3, args: ['--compat', compat],
        env: { GNOMON_LOCAL: 'false' } });
      const things = iotClient(server);
      try {
        const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
        // As the SDK's documents have it: for the filters …/get/* that it subscribes to as …/get/+.
        const policyDocument = policyOf(['Allow', 'iot:Connect', '*'],
          ['Allow', ['iot:Publish', 'iot:Receive'], iotArn('topic/$aws/things/*/shadow/*')],
          ['Allow', 'iot:Subscribe', iotArn('topicfilter/$aws/things/*/shadow/*')]);
        await things.send(new iot.CreatePolicyCommand({ policyName: 'shadows', policyDocument }));
        await things.send(new iot.AttachPolicyCommand({ policyName: 'shadows', target: made.certificateArn }));
        [cert, key, ca] = [made.certificatePem, made.keyPair.PrivateKey, fs.readFileSync(server.ready.ca, 'utf8')];
        files = Object.fromEntries(Object.entries({ cert, key, ca }).map(([name, text]) => {
          const file = path.join(server.folder, name);
          fs.writeFileSync(file, text);
          return [name, file];
        }));
      } finally {
        things.destroy();
      }
    });
    after(() => server?.stop());

    async function with311(body) {
      const config = sdk.iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(cert, key)
        .with_certificate_authority(ca).with_endpoint(host).with_port(server.ports.mqtts)
        .with_client_id(unique('sdk311')).with_clean_session(true).build();
      const connection = new sdk.mqtt.MqttClient().new_connection(config);
      connection.on('error', () => {});
      await within(deadline, 'connection', connection.connect());
      try {
        await body(connection);
      } finally {
        await connection.disconnect();
      }
    }
    it('device SDK v2, its first shadow client, MQTT 3.1.1', () => with311(async (connection) => {
      const client = new sdk.iotshadow.IotShadowClient(connection);
      const thingName = unique('lamp');
      // What it tells, once the subscription is there: whoever asks before may not be told.
      const subscribed = [];
      const of = (name) => told(name, (resolve, reject) => subscribed.push(client[`subscribeTo${name}`](
        { thingName }, QoS.AtLeastOnce, (error, response) => (error ? reject(error) : resolve(response)))));
      const accepted = of('UpdateShadowAccepted');
      const delta = of('ShadowDeltaUpdatedEvents');
      const rejected = of('GetShadowRejected');
      const got = of('GetShadowAccepted');
      await Promise.all(subscribed);
      await client.publishGetShadow({ thingName }, QoS.AtLeastOnce);
      assert.equal((await rejected).code, 404);
      await client.publishUpdateShadow({ thingName, state: { desired: { on: true } }, clientToken: 'c' },
        QoS.AtLeastOnce);
      const answer = await accepted;
      assert.deepEqual([answer.state, answer.version, answer.clientToken], [{ desired: { on: true } }, 1, 'c']);
      assert.deepEqual((await delta).state, { on: true });
      await client.publishGetShadow({ thingName }, QoS.AtLeastOnce);
      assert.deepEqual((await got).state, { desired: { on: true }, delta: { on: true } });
    }));

    for (const v of [4, 5]) {
      it(`device SDK v2, its second shadow client, MQTT ${v === 4 ? '3.1.1' : '5'}`, async () => {
        const program = fileURLToPath(new URL('../harness/shadow-client.mjs', import.meta.url));
        const output = await new Promise((resolve) => {
          execFile(process.execPath, [program, v, server.ports.mqtts, files.ca, files.cert, files.key]
            .map(String), { timeout: 30_000 }, (error, stdout, stderr) => resolve(stdout + stderr));
        });
        assert.equal(output, 'all is well\n');
      });
    }

    it('device SDK v1: a thing that is told what its app wants', async () => {
      const open = (clientId) => sdk1.thingShadow({ host, port: server.ports.mqtts, region, clientId,
        keyPath: files.key, certPath: files.cert, caPath: files.ca });
      const thing = unique('lamp');
      const [device, app] = [open(unique('device')), open(unique('app'))];
      try {
        await Promise.all([device, app].map((client) => {
          client.on('error', () => {});
          return told('connect', (resolve) => client.once('connect', resolve));
        }));
        for (const client of [device, app]) {
          await told('registered', (resolve) => client.register(thing, { enableVersioning: true }, resolve));
        }
        const ask = async (client, what, ...args) => {
          const answer = told(what, (resolve) => client.once('status', (...status) => resolve(status)));
          assert.ok(client[what](thing, ...args));
          const [, status, , state] = await answer;
          return [status, state];
        };
        const delta = told('delta', (resolve) => device.once('delta', (name, state) => resolve(state)));
        const [status] = await ask(app, 'update', { state: { desired: { on: true } } });
        assert.equal(status, 'accepted');
        assert.deepEqual((await delta).state, { on: true });
        assert.equal((await ask(device, 'update', { state: { reported: { on: true } } }))[0], 'accepted');
        const [, shadow] = await ask(app, 'get');
        assert.deepEqual(shadow.state, { desired: { on: true }, reported: { on: true } });
        assert.equal((await ask(app, 'delete'))[0], 'accepted');
        assert.equal((await ask(app, 'get'))[0], 'rejected');
      } finally {
        for (const client of [device, app]) await new Promise((resolve) => { client.end(true, resolve); });
      }
    });

    it('the data plane of the SDK: each operation, each error that a caller can cause', async () => {
      const client = dataClient(server);
      const send = async (Command, input) => {
        const answer = await client.send(new data[`${Command}Command`](input));
        return answer.payload && JSON.parse(Buffer.from(answer.payload).toString());
      };
      const fails = (name, status, Command, input, message) => assert.rejects(send(Command, input),
        (error) => {
          assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, status]);
          assert.ok(error instanceof data[name], 'the class of the SDK');
          if (message) assert.equal(error.message, message);
          return true;
        });
      try {
        const thingName = unique('lamp');
        const update = (state, more = {}) => ({ thingName, ...more.input,
          payload: JSON.stringify({ state, ...more.document }) });
        await fails('ResourceNotFoundException', 404, 'GetThingShadow', { thingName },
          `No shadow exists with name: '${thingName}'`);
        const made = await send('UpdateThingShadow', update({ desired: { on: true } },
          { document: { clientToken: 'c' } }));
        assert.deepEqual([made.version, made.state, made.clientToken], [1, { desired: { on: true } }, 'c']);
        assert.deepEqual((await send('GetThingShadow', { thingName })).state,
          { desired: { on: true }, delta: { on: true } });
        await fails('ConflictException', 409, 'UpdateThingShadow',
          update({ desired: { on: false } }, { document: { version: 5 } }), 'Version conflict');
        await fails('InvalidRequestException', 400, 'UpdateThingShadow',
          { thingName, payload: '{"desired":{}}' }, 'Missing required node: state');
        await fails('RequestEntityTooLargeException', 413, 'UpdateThingShadow',
          update({ desired: { a: 'x'.repeat(9000) } }));
        await fails('UnsupportedDocumentEncodingException', 415, 'UpdateThingShadow',
          { thingName, payload: Buffer.from([0x7b, 0xff, 0x7d]) });
        await fails('InvalidRequestException', 400, 'GetThingShadow', { thingName: 'a b' });
        await fails('InvalidRequestException', 400, 'GetThingShadow', { thingName, shadowName: 'a.b' });

        const names = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}-1`);
        for (const shadowName of names)
          await send('UpdateThingShadow', update({ reported: { shadowName } }, { input: { shadowName } }));
        const deleted = await send('DeleteThingShadow', { thingName, shadowName: names.pop() });
        assert.deepEqual([deleted.version, deleted.state], [1, undefined]);
        await fails('ResourceNotFoundException', 404, 'DeleteThingShadow', { thingName, shadowName: 'e-1' });
        const listed = [];
        let nextToken;
        do {
          const page = await client.send(new data.ListNamedShadowsForThingCommand(
            { thingName, pageSize: 3, nextToken }));
          assert.ok(page.results.length <= 3 && page.timestamp > 1_700_000_000);
          listed.push(...page.results);
          ({ nextToken } = page);
        } while (nextToken);
        assert.deepEqual(listed, names);
        const nobody = await client.send(new data.ListNamedShadowsForThingCommand({ thingName: unique('none') }));
        assert.deepEqual([nobody.results, nobody.nextToken], [[], undefined]);
        await assert.rejects(client.send(new data.ListNamedShadowsForThingCommand(
          { thingName, nextToken: 'nonsense' })), data.InvalidRequestException);
        await send('DeleteThingShadow', { thingName });
        await fails('ResourceNotFoundException', 404, 'GetThingShadow', { thingName });
      } finally {
        client.destroy();
      }
    });

    it('what is changed over HTTP is told over MQTT, and who may change what', async () => {
      const [users, root] = [iamClient(server), dataClient(server)];
      const raw = await (await Raw.open(server.ports.mqtts, { v: 5, secure: { ca, cert, key } }))
        .connect({ v: 5, id: unique('raw') });
      let client;
      try {
        const [mine, other] = [unique('mine'), unique('other')];
        const UserName = unique('anna');
        await users.send(new iam.CreateUserCommand({ UserName }));
        await users.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'p',
          PolicyDocument: policyOf(['Allow', 'iot:UpdateThingShadow', iotArn(`thing/${mine}/night`)],
            ['Allow', ['iot:GetThingShadow', 'iot:ListNamedShadowsForThing'], iotArn(`thing/${mine}`)]) }));
        const { AccessKey } = await users.send(new iam.CreateAccessKeyCommand({ UserName }));
        client = dataClient(server, { key: AccessKey });
        const update = (thingName, shadowName) => new data.UpdateThingShadowCommand({ thingName, shadowName,
          payload: '{"state":{"desired":{"on":true}}}' });
        const denied = (command) => assert.rejects(client.send(command),
          (error) => error.$metadata.httpStatusCode === 403);

        await raw.subscribe({ filter: `$aws/things/${mine}/shadow/name/night/update/#`, qos: 1 });
        await client.send(update(mine, 'night'));
        assert.deepEqual((await raw.messages(3)).map((m) => m.topic.split('/').at(-1)),
          ['accepted', 'delta', 'documents']);
        await denied(update(mine, 'day'));
        await denied(update(mine));
        await denied(update(other, 'night'));
        await denied(new data.DeleteThingShadowCommand({ thingName: mine, shadowName: 'night' }));
        await denied(new data.GetThingShadowCommand({ thingName: mine, shadowName: 'night' }));
        await assert.rejects(client.send(new data.GetThingShadowCommand({ thingName: mine })),
          data.ResourceNotFoundException);
        assert.deepEqual((await client.send(new data.ListNamedShadowsForThingCommand({ thingName: mine }))).results,
          ['night']);
        await denied(new data.ListNamedShadowsForThingCommand({ thingName: other }));
        // Neither reads nor what is rejected is told to others.
        await assert.rejects(root.send(new data.UpdateThingShadowCommand({ thingName: mine, shadowName: 'night',
          payload: '{"state":1}' })), data.InvalidRequestException);
        await root.send(new data.GetThingShadowCommand({ thingName: mine, shadowName: 'night' }));
        await raw.expectNothing();
      } finally {
        raw.destroy();
        for (const each of [users, root, client]) each?.destroy();
      }
    });

    it('a device over HTTPS, by its certificate alone', async () => {
      const call = (method, target, { body, identity = { cert, key } } = {}) =>
        new Promise((resolve, reject) => {
          const request = https.request({ host, port: server.ports.https, path: target, method, ca, ...identity },
            (response) => {
              const parts = [];
              response.on('data', (part) => parts.push(part)).on('end', () => resolve(
                { status: response.statusCode, document: JSON.parse(Buffer.concat(parts).toString()) }));
            });
          request.on('error', reject).end(body);
        });
      const things = iotClient(server);
      try {
        const thing = unique('lamp');
        // What policies allow of the topics is not what HTTP asks for.
        const refused = await call('GET', `/things/${thing}/shadow`);
        assert.equal(refused.status, 403);
        assert.match(refused.document.message, /[0-9a-f]{12}/, 'names a decision');
        const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
        const identity = { cert: made.certificatePem, key: made.keyPair.PrivateKey };
        const policyName = unique('policy');
        await things.send(new iot.CreatePolicyCommand({ policyName, policyDocument: policyOf(
          ['Allow', ['iot:GetThingShadow', 'iot:UpdateThingShadow'], iotArn(`thing/${thing}`)]) }));
        await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
        const body = '{"state":{"reported":{"on":true}}}';
        assert.equal((await call('GET', `/things/${thing}/shadow`, { identity })).status, 404);
        assert.equal((await call('POST', `/things/${thing}/shadow`, { identity, body })).document.version, 1);
        assert.deepEqual((await call('GET', `/things/${thing}/shadow`, { identity })).document.state,
          { reported: { on: true } });
        for (const [method, target] of [['DELETE', `/things/${thing}/shadow`],
          ['GET', `/things/${thing}/shadow?name=night`], ['GET', '/things/other/shadow'],
          ['GET', `/api/things/shadow/ListNamedShadowsForThing/${thing}`]])
          assert.equal((await call(method, target, { identity })).status, 403, `${method} ${target}`);
        assert.equal((await call('GET', `/things/${thing}/shadow`, { identity: {} })).status, 403);
        assert.equal((await call('GET', '/things', { identity })).status, 403, 'of the control plane nothing');
        await things.send(new iot.UpdateCertificateCommand(
          { certificateId: made.certificateId, newStatus: 'INACTIVE' }));
        assert.equal((await call('GET', `/things/${thing}/shadow`, { identity })).status, 403);
      } finally {
        things.destroy();
      }
    });

    it('the aws command', async () => {
      const { AccessKeyId, SecretAccessKey } = keyOf(server);
      const program = fs.existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws';
      const out = path.join(server.folder, unique('out'));
      const aws = (...args) => new Promise((resolve, reject) => {
        execFile(program, ['--endpoint-url', `http://127.0.0.1:${server.ports.http}`, 'iot-data', ...args],
          { env: { PATH: process.env.PATH, HOME: server.folder, AWS_DEFAULT_REGION: region, AWS_PAGER: '',
            AWS_EC2_METADATA_DISABLED: 'true', AWS_ACCESS_KEY_ID: AccessKeyId,
            AWS_SECRET_ACCESS_KEY: SecretAccessKey } },
          (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)));
      });
      const thing = ['--thing-name', unique('lamp')];
      await aws('update-thing-shadow', ...thing, '--cli-binary-format', 'raw-in-base64-out',
        '--payload', '{"state":{"reported":{"on":true}}}', out);
      assert.equal(JSON.parse(fs.readFileSync(out, 'utf8')).version, 1);
      await aws('get-thing-shadow', ...thing, out);
      assert.deepEqual(JSON.parse(fs.readFileSync(out, 'utf8')).state, { reported: { on: true } });
      await aws('update-thing-shadow', ...thing, '--shadow-name', 'night', '--cli-binary-format',
        'raw-in-base64-out', '--payload', '{"state":{}}', out);
      assert.deepEqual(JSON.parse(await aws('list-named-shadows-for-thing', ...thing, '--output', 'json')).results,
        ['night']);
      await aws('delete-thing-shadow', ...thing, out);
      await assert.rejects(aws('get-thing-shadow', ...thing, out), /ResourceNotFoundException/);
    });
  });
}
