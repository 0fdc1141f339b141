// What is retained, over HTTP: GetRetainedMessage and ListRetainedMessages.

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
import { unique } from '../harness/suite.mjs';

for (const [shards, compat] of [[1, 'mqtt'], [3, 'mqtt'], [3, 'aws']]) {
  describe(`what is retained, over HTTP: compat ${compat}, ${shards} shards`, { timeout: 120_000 }, () => {
    let server, client;
    before(async () => {
      server = await Server.start({ listeners: true, shards, args: ['--compat', compat] });
      client = dataClient(server);
    });
    after(async () => {
      client?.destroy();
      await server?.stop();
    });
    const open = async () =>
      (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: unique('raw') });
    const get = (topic, by = client) => by.send(new data.GetRetainedMessageCommand({ topic }));
    const list = (input = {}, by = client) => by.send(new data.ListRetainedMessagesCommand(input));
    const none = (topic) => assert.rejects(get(topic), (error) => {
      assert.ok(error instanceof data.ResourceNotFoundException, error.name);
      return true;
    });

    it('a message as it was published by MQTT, until it is deleted', async () => {
      const topic = unique('a/topic');
      await none(topic);
      const raw = await open();
      const payload = Buffer.from([0, 1, 255]);
      const before = Date.now() - 1000;
      await raw.published(topic, payload,
        { retain: true, props: { user: [['b', '1'], ['a', 'ä'], ['b', '2']], contentType: 'x/y' } });
      const got = await get(topic);
      assert.deepEqual([got.topic, got.qos, [...got.payload]], [topic, 1, [...payload]]);
      assert.ok(got.lastModifiedTime >= before && got.lastModifiedTime <= Date.now() + 1000);
      assert.equal(new TextDecoder().decode(got.userProperties), '[{"b":"1"},{"a":"ä"},{"b":"2"}]');
      raw.destroy();

      const other = unique('topic');
      await client.send(new data.PublishCommand({ topic: other, qos: 1, payload: 'x', retain: true }));
      const plain = await get(other);
      assert.deepEqual([plain.qos, plain.userProperties], [1, undefined]);
      const { retainedTopics } = await list();
      const found = retainedTopics.find((one) => one.topic === topic);
      assert.deepEqual(found, { topic, payloadSize: 3, qos: 1, lastModifiedTime: got.lastModifiedTime });
      await none('a/#');
    });

    it('is deleted by an empty one, and expires', async () => {
      const [deleted, expiring] = [unique('topic'), unique('topic')];
      const raw = await open();
      await raw.published(deleted, 'x', { retain: true });
      await raw.published(expiring, 'x', { retain: true, props: { messageExpiry: 1 } });
      assert.equal((await get(deleted)).payload.length, 1);
      raw.destroy();
      // In compat aws a topic is retained to once a second.
      const remove = new data.PublishCommand({ topic: deleted, qos: 1, retain: true });
      for (let done = false; !done;) {
        done = await client.send(remove).then(() => true, (error) => {
          assert.equal(error.name, 'ThrottlingException');
          return false;
        });
      }
      await none(deleted);
      while (await get(expiring).then(() => true, (error) => {
        assert.equal(error.name, 'ResourceNotFoundException');
        return false;
      }));
      const { retainedTopics } = await list();
      for (const { topic } of retainedTopics) assert.ok(topic !== deleted && topic !== expiring);
    });

    it('is listed by pages, each topic once', async () => {
      const prefix = unique('many');
      const raw = await open();
      const topics = Array.from({ length: 45 }, (_, n) => `${prefix}/${n}`);
      for (const topic of topics) await raw.published(topic, topic, { retain: true });
      raw.destroy();
      for (const maxResults of [1, 20, 200]) {
        const found = [];
        for await (const page of data.paginateListRetainedMessages({ client }, { maxResults })) {
          assert.ok(page.retainedTopics.length <= maxResults);
          found.push(...page.retainedTopics.map((one) => one.topic));
        }
        assert.deepEqual(found.filter((topic) => topic.startsWith(`${prefix}/`)).sort(), [...topics].sort());
        assert.equal(new Set(found).size, found.length);
      }
      await assert.rejects(list({ maxResults: 201 }), data.InvalidRequestException);
      await assert.rejects(list({ maxResults: 0 }), data.InvalidRequestException);
      await assert.rejects(list({ nextToken: 'nonsense' }), data.InvalidRequestException);
    });

    it('who may read what', async () => {
      const [things, users] = [iotClient(server), iamClient(server)];
      let by;
      try {
        const topic = unique('topic');
        for (const each of [topic, `${topic}/other`])
          await client.send(new data.PublishCommand({ topic: each, payload: 'hello', qos: 1, retain: true }));
        const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
        const policyName = unique('policy');
        await things.send(new iot.CreatePolicyCommand({ policyName,
          policyDocument: policyOf(['Allow', 'iot:GetRetainedMessage', iotArn(`topic/${topic}`)]) }));
        await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
        const ask = (target) => new Promise((resolve, reject) => {
          https.get({ host: 'localhost', port: server.ports.https, path: target, ...rootOf(server),
            cert: made.certificatePem, key: made.keyPair.PrivateKey }, (response) => {
            let text = '';
            response.on('data', (part) => { text += part; })
              .on('end', () => resolve([response.statusCode, JSON.parse(text)]));
          }).on('error', reject);
        });
        const [status, body] = await ask(`/retainedMessage/${topic}`);
        assert.deepEqual([status, body.payload, body.topic], [200, 'aGVsbG8=', topic]);
        assert.equal((await ask(`/retainedMessage/${topic}%2Fother`))[0], 403);
        assert.equal((await ask('/retainedMessage'))[0], 403);

        const UserName = unique('anna');
        await users.send(new iam.CreateUserCommand({ UserName }));
        const { AccessKey } = await users.send(new iam.CreateAccessKeyCommand({ UserName }));
        by = dataClient(server, { key: AccessKey });
        const allow = (...statements) => users.send(new iam.PutUserPolicyCommand({ UserName,
          PolicyName: 'p', PolicyDocument: policyOf(...statements) }));
        await allow(['Allow', 'iot:ListRetainedMessages', '*']);
        assert.ok((await list({}, by)).retainedTopics.length >= 2);
        await assert.rejects(get(topic, by), (error) => error.$metadata.httpStatusCode === 403);
        await allow(['Allow', 'iot:GetRetainedMessage', iotArn(`topic/${topic}`)]);
        assert.equal((await get(topic, by)).payload.length, 5);
        await assert.rejects(list({}, by), (error) => error.$metadata.httpStatusCode === 403);
      } finally {
        for (const each of [things, users, by]) each?.destroy();
      }
    });
  });
}
