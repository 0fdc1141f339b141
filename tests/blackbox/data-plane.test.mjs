// The data plane over HTTP: Publish. What is retained: retained-http.test.mjs; shadows: shadow-*.

import assert from 'node:assert/strict';
import https from 'node:https';
import { after, before, describe, it } from 'node:test';
import * as data from '@aws-sdk/client-iot-data-plane';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { dataClient, iamClient, iotArn, iotClient, policyOf } from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { staying } from '../harness/sessions.mjs';
import { unique } from '../harness/suite.mjs';

for (const compat of ['mqtt', 'aws']) {
  describe(`Publish, compat ${compat}`, { timeout: 120_000 }, () => {
    let server, client;
    before(async () => {
      server = await Server.start({ listeners: true, shards: 3, args: ['--compat', compat] });
      client = dataClient(server);
    });
    after(async () => {
      client?.destroy();
      await server?.stop();
    });
    const open = async (options) =>
      (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: unique('raw'), ...options });
    const publish = (input, by = client) => by.send(new data.PublishCommand(input));
    const refused = (input, message) => assert.rejects(publish(input), (error) => {
      assert.ok(error instanceof data.InvalidRequestException, error.name);
      assert.match(error.message, message);
      return true;
    });

    const tooLarge = (input) => assert.rejects(publish(input), (error) => {
      assert.deepEqual([error.name, error.$metadata.httpStatusCode, error.message],
        ['RequestEntityTooLargeException', 413, 'The payload exceeds the maximum size allowed']);
      assert.ok(error.$metadata.requestId, 'x-amzn-RequestId');
      return true;
    });

    for (const qos of [0, 1]) {
      it(`to who has subscribed, QoS ${qos}, with all that MQTT 5 has`, async () => {
        const topic = unique('topic');
        const raw = await open();
        await raw.subscribe({ filter: topic, qos: 1 });
        await publish({ topic, qos, payload: Buffer.from([0, 1, 255]), contentType: 'text/plain',
          responseTopic: 'answers/to/me', correlationData: Buffer.from('c\0d').toString('base64'),
          messageExpiry: 100, payloadFormatIndicator: 'UTF8_DATA',
          userProperties: JSON.stringify([{ b: '1' }, { a: '2' }, { b: 'ä' }]) });
        const message = await raw.message();
        assert.deepEqual([message.topic, message.qos, message.retain, [...message.payload]],
          [topic, qos, false, [0, 1, 255]]);
        const { messageExpiry, ...props } = message.props;
        assert.ok(messageExpiry > 90 && messageExpiry <= 100);
        assert.deepEqual(props, { payloadFormat: 1, contentType: 'text/plain', responseTopic: 'answers/to/me',
          correlationData: Buffer.from('c\0d'), user: [['b', '1'], ['a', '2'], ['b', 'ä']] });
        await publish({ topic, qos });
        assert.equal((await raw.message()).payload.length, 0);
        raw.destroy();
      });
    }

    it('is retained', async () => {
      const topic = unique('topic');
      for (const text of ['1', '2']) await publish({ topic, qos: 1, payload: text, retain: text === '2' });
      const raw = await open();
      await raw.subscribe({ filter: topic, qos: 1 });
      const retained = await raw.message();
      assert.deepEqual([retained.text, retained.retain], ['2', true]);
      raw.destroy();
    });

    it('a request to a shadow is one, and a message as by MQTT', async () => {
      const prefix = `$aws/things/${unique('lamp')}/shadow/`;
      const raw = await open();
      await raw.subscribe({ filter: `${prefix}#`, qos: 1 });
      const tell = async (what, payload, qos) => {
        await publish({ topic: `${prefix}${what}`, payload, qos });
        return async (count) => (await raw.messages(count)).map((m) => [m.topic.slice(prefix.length), m.text]);
      };
      const update = '{"state":{"reported":{"on":true}},"clientToken":"t"}';
      for (const qos of [0, 1]) {
        const told = await (await tell('update', update, qos))(3);
        assert.deepEqual(told.map(([topic]) => topic), ['update', 'update/accepted', 'update/documents']);
        assert.equal(told[0][1], update);
        const { version, clientToken } = JSON.parse(told[1][1]);
        assert.deepEqual([version, clientToken], [1 + qos, 't']);
      }
      const got = await (await tell('get', '', 1))(2);
      assert.deepEqual(got.map(([topic]) => topic), ['get', 'get/accepted']);
      const rejected = await (await tell('update', 'nonsense', 1))(2);
      assert.deepEqual(JSON.parse(rejected[1][1]), { code: 400, message: 'Invalid JSON' });
      const deleted = await (await tell('delete', '', 1))(2);
      assert.deepEqual(deleted.map(([topic]) => topic), ['delete', 'delete/accepted']);
      raw.destroy();
    });

    if (compat === 'aws') it('a topic is retained to once a second', async () => {
      const topic = unique('topic');
      const all = await Promise.allSettled(Array.from({ length: 10 }, (_, n) =>
        publish({ topic, qos: 1, retain: true, payload: `${n}` })));
      const failed = all.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
      assert.ok(failed.length > 0 && failed.length < 10);
      for (const error of failed) {
        assert.ok(error instanceof data.ThrottlingException, error.name);
        assert.equal(error.$metadata.httpStatusCode, 429);
      }
    });

    // AWS IoT lets a client id connect once a second.
    if (compat === 'mqtt') it('comes to sessions that are away', async () => {
      const topic = unique('topic');
      const id = unique('away');
      const first = await open({ id, ...staying(5) });
      await first.subscribe({ filter: topic, qos: 1 });
      await first.goodbye();
      await server.untilAway(id);
      for (const text of ['1', '2']) await publish({ topic, qos: 1, payload: text });
      const again = await open({ id, ...staying(5) });
      assert.deepEqual((await again.messages(2)).map((m) => m.text), ['1', '2']);
      again.destroy();
    });

    it('one after the other, in order', async () => {
      const topic = unique('topic');
      const raw = await open();
      await raw.subscribe({ filter: `${topic}/#`, qos: 1 });
      for (let n = 0; n < 20; ++n) await publish({ topic: `${topic}/x`, qos: 1, payload: `${n}` });
      const got = await raw.messages(20);
      assert.deepEqual(got.map((m) => m.text), Array.from({ length: 20 }, (_, n) => `${n}`));
      raw.destroy();
    });

    it('what cannot be published', async () => {
      await refused({ topic: 'a/+' }, /must not contain/);
      for (const [topic, why] of [['$aws/things/lamp/shadow/update/accepted', /only the server/],
        ['$aws/things/la.mp/shadow/update', /no service/], ['$aws/rules/none', /no service/],
        ['$aws/certificates/create/json', /use MQTT/], ['$aws/nothing', /reserved/], ['$x', /reserved/],
        ['$SYS/x', /only the server/]])
        await refused({ topic, payload: '{}' }, why);
      await refused({ topic: '$aws/things/lamp/shadow/update', payload: '{}', retain: true }, /nothing is retained/);
      await refused({ topic: 'a', responseTopic: 'b/#' }, /responseTopic/);
      await refused({ topic: 'a', correlationData: '%' }, /base64/);
      await refused({ topic: 'a', userProperties: '{"a":"b"}' }, /userProperties/);
      await refused({ topic: 'a', userProperties: '[{"a":"b","c":"d"}]' }, /userProperties/);
      await refused({ topic: 'a', messageExpiry: 2 ** 33 }, /messageExpiry/);
      await assert.rejects(publish({ topic: 'a', qos: 2 }), data.InvalidRequestException);
      await publish({ topic: 'a', payload: Buffer.alloc(131_072) });
      await tooLarge({ topic: 'a', payload: Buffer.alloc(150_000) });  // such a body is not even read
      if (compat === 'aws') {
        await refused({ topic: 'a/b/c/d/e/f/g/h/i' }, /too deep/);
        await refused({ topic: 'x'.repeat(257) }, /too long/);
        await tooLarge({ topic: 'a', payload: Buffer.alloc(131_073) });
      }
    });

    it('by a device with its certificate, the topic written in two ways; and who may publish what', async () => {
      const [things, users] = [iotClient(server), iamClient(server)];
      let by;
      try {
        const topic = unique('topic');
        const raw = await open();
        await raw.subscribe({ filter: `${topic}/#`, qos: 1 });
        const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
        const policyName = unique('policy');
        await things.send(new iot.CreatePolicyCommand({ policyName,
          policyDocument: policyOf(['Allow', 'iot:Publish', iotArn(`topic/${topic}/*`)]) }));
        await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
        const post = (target, payload = 'hello') => new Promise((resolve, reject) => {
          https.request({ host: 'localhost', port: server.ports.https, path: target, method: 'POST',
            ...rootOf(server), cert: made.certificatePem, key: made.keyPair.PrivateKey },
          (response) => {
            let text = '';
            response.on('data', (part) => { text += part; }).on('end', () => {
              const { traceId, ...body } = JSON.parse(text);
              assert.match(traceId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
              assert.deepEqual([response.headers['x-amzn-requestid'], response.headers['content-type']],
                [traceId, 'application/json']);
              if (response.statusCode === 200) assert.deepEqual(body, { message: 'OK' });
              resolve(response.statusCode);
            });
          }).on('error', reject).end(payload);
        });
        assert.equal(await post(`/topics/${topic}/a?qos=1`), 200);
        assert.equal(await post(`/topics/${topic}%2Fb?qos=1`), 200);
        assert.equal(await post(`/topics/${topic}/a?qos=1`, Buffer.alloc(1_000_000)), 413);
        assert.deepEqual((await raw.messages(2)).map((m) => [m.topic, m.text]),
          [[`${topic}/a`, 'hello'], [`${topic}/b`, 'hello']]);
        assert.equal(await post('/topics/other?qos=1'), 403);
        assert.equal(await post(`/topics/${topic}/a?qos=1&retain=true`), 403);

        const UserName = unique('anna');
        await users.send(new iam.CreateUserCommand({ UserName }));
        await users.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'p',
          PolicyDocument: policyOf(['Allow', 'iot:Publish', iotArn(`topic/${topic}/c`)]) }));
        const { AccessKey } = await users.send(new iam.CreateAccessKeyCommand({ UserName }));
        by = dataClient(server, { key: AccessKey });
        await publish({ topic: `${topic}/c`, qos: 1, payload: 'mine' }, by);
        assert.equal((await raw.message()).text, 'mine');
        for (const input of [{ topic: `${topic}/d` }, { topic: `${topic}/c`, retain: true }])
          await assert.rejects(publish(input, by), (error) => error.$metadata.httpStatusCode === 403);
        await raw.expectNothing();
        raw.destroy();
      } finally {
        for (const each of [things, users, by]) each?.destroy();
      }
    });
  });
}
