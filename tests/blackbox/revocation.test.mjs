// What changes about who may what, and whom it concerns: members of share groups, messages that wait
// in a session, sessions that somebody else resumes.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iot from '@aws-sdk/client-iot';
import { iotArn, iotClient, policyOf } from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { staying, texts } from '../harness/sessions.mjs';
import { unique } from '../harness/suite.mjs';

const everything = ['Allow', 'iot:*', '*'];
const notAuthorised = 0x87;

for (const shards of [1, 3]) {
  describe(`revocation, ${shards} shard${shards > 1 ? 's' : ''}`, { timeout: 120_000 }, () => {
    let server;
    let things;
    before(async () => {
      server = await Server.start({ listeners: true, shards, env: { GNOMON_LOCAL: 'false' } });
      things = iotClient(server);
    });
    after(async () => {
      things?.destroy();
      await server?.stop();
    });

    // A certificate with a policy: {id, arn, policyName, secure}.
    async function device(...statements) {
      const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
      const policyName = unique('policy');
      await things.send(new iot.CreatePolicyCommand({ policyName,
        policyDocument: policyOf(...statements) }));
      await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
      return { arn: made.certificateArn, policyName,
        secure: { ...rootOf(server), cert: made.certificatePem, key: made.keyPair.PrivateKey } };
    }
    const change = ({ policyName }, ...statements) => things.send(
      new iot.CreatePolicyVersionCommand({ policyName, policyDocument: policyOf(...statements),
        setAsDefault: true }));
    const open = async ({ secure }, options) =>
      (await Raw.open(server.ports.mqtts, { v: 5, secure })).connect({ v: 5, id: unique('client'), ...options });
    const dropped = async () =>
      (await server.metrics())['gnomon_messages_dropped_total{reason="policy"}'];
    const leaves = async (raw, id) => {
      await raw.goodbye();
      await server.untilAway(id);
    };
    // What a probe of a policy is made of: whoever may not subscribe to it knows the policy.
    const probe = () => {
      const topic = unique('probe');
      return { topic, denied: ['Deny', 'iot:Subscribe', iotArn(`topicfilter/${topic}`)] };
    };
    // Resolves within a second, when a connection is judged by the policies that answer so.
    async function judged(raw, { topic }, code) {
      const until = performance.now() + 1000;
      for (;;) {
        const [answer] = await raw.subscribe({ filter: topic, qos: 1 });
        if (answer === code) return;
        assert.ok(performance.now() < until, `${answer} instead of ${code} for a second`);
      }
    }

    // The first test: it counts the members of all groups.
    it('a session that somebody else resumes', async () => {
      const [mine, theirs] = [unique('mine'), unique('theirs')];
      const id = unique('lamp');
      const boss = await device(everything);
      const owner = await device(everything);
      const heir = await device(['Allow', ['iot:Connect', 'iot:Receive'], '*'],
        ['Allow', 'iot:Subscribe', [iotArn(`topicfilter/${theirs}`), iotArn(`topicfilter/$share/g/${theirs}`)]]);
      const publisher = await open(boss);
      const first = await open(owner, { id, ...staying(5) });
      const filters = [mine, theirs, `$share/g/${mine}`, `$share/g/${theirs}`];
      assert.deepEqual(await first.subscribe(filters.map((filter) => ({ filter, qos: 1 }))), [1, 1, 1, 1]);
      await leaves(first, id);

      const second = await open(heir, { id, clean: false, ...staying(5) });
      assert.equal(second.connack.sessionPresent, true);
      await server.untilLog(new RegExp(`subscriptions_ended client=${id} .*count=2 first=${mine}`));
      await server.untilMetrics((m) => m.gnomon_share_members === 1, 'it has left the group');
      await publisher.published(mine, 'not for them');
      await publisher.published(theirs, 'for them');
      assert.deepEqual(texts(await second.messages(2)), ['for them', 'for them']);
      await second.expectNothing();
      await leaves(second, id);

      // They have ended for the owner, too.
      const third = await open(owner, { id, clean: false, ...staying(5) });
      await publisher.published(mine, 'not for them');
      await publisher.published(theirs, 'for them');
      assert.deepEqual(texts(await third.messages(2)), ['for them', 'for them']);
      await third.expectNothing();
      publisher.destroy();
      third.destroy();
    });

    for (const persistent of [false, true]) {
      for (const qos of [0, 1, 2]) {
        it(`QoS ${qos} to ${persistent ? 'persistent' : 'clean'} members of a group, one of whom may not`,
          async () => {
            const topic = unique('work');
            const filter = `$share/g/${topic}`;
            const [boss, worker] = [await device(everything), await device(everything)];
            const idler = await device(everything, ['Deny', 'iot:Receive', iotArn(`topic/${topic}`)]);
            const stays = persistent ? staying(5) : {};
            const [publisher, works, idles] =
              [await open(boss), await open(worker, stays), await open(idler, stays)];
            for (const raw of [works, idles])
              assert.deepEqual(await raw.subscribe({ filter, qos: 2 }), [2]);
            const sent = Array.from({ length: 20 }, (_, n) => `${n}`);
            for (const text of sent) {
              if (qos === 0) publisher.publish(topic, text);
              else await publisher.published(topic, text, { qos });
            }
            assert.deepEqual(texts(await works.messages(sent.length)).sort(), sent.sort());
            await idles.expectNothing();
            for (const raw of [publisher, works, idles]) raw.destroy();
          });
      }
    }

    it('a member that may not receive any more is passed over within a second', async () => {
      const topic = unique('work');
      const filter = `$share/g/${topic}`;
      const [boss, worker, other] =
        [await device(everything), await device(everything), await device(everything)];
      const [publisher, works, loses] =
        [await open(boss), await open(worker, staying(5)), await open(other, staying(5))];
      for (const raw of [works, loses]) assert.deepEqual(await raw.subscribe({ filter, qos: 1 }), [1]);
      const noMore = ['Deny', 'iot:Receive', iotArn(`topic/${topic}`)];
      const [first, second] = [probe(), probe()];
      await change(other, everything, noMore, first.denied);
      await judged(loses, first, notAuthorised);
      const before = await dropped();
      for (let n = 0; n < 10; ++n) await publisher.published(topic, `${n}`);
      assert.equal((await works.messages(10)).length, 10);
      assert.equal(await dropped(), before, 'what one declines another takes');

      // And nobody who is here may: dropped, and counted.
      await change(worker, everything, noMore, second.denied);
      await judged(works, second, notAuthorised);
      await publisher.published(topic, 'for nobody');
      await server.untilMetrics((m) =>
        m['gnomon_messages_dropped_total{reason="policy"}'] === before + 1, 'the dropped one');
      await works.expectNothing();
      await change(worker, everything);
      await judged(works, second, 1);
      // The group hears of it from the connection: until then it drops.
      let got;
      while (!got) {
        await publisher.published(topic, 'again');
        [got] = await works.fence();
      }
      assert.equal(got.text, 'again');
      for (const raw of [publisher, works, loses]) raw.destroy();
    });

    it('a group is subscribed to by its whole filter', async () => {
      const topic = unique('work');
      const plain = await open(await device(['Allow', ['iot:Connect', 'iot:Receive'], '*'],
        ['Allow', 'iot:Subscribe', iotArn(`topicfilter/${topic}`)]));
      const group = await open(await device(['Allow', ['iot:Connect', 'iot:Receive'], '*'],
        ['Allow', 'iot:Subscribe', iotArn(`topicfilter/$share/g/${topic}`)]));
      const filters = [{ filter: topic, qos: 1 }, { filter: `$share/g/${topic}`, qos: 1 },
        { filter: `$share/h/${topic}`, qos: 1 }];
      assert.deepEqual(await plain.subscribe(filters), [1, notAuthorised, notAuthorised]);
      assert.deepEqual(await group.subscribe(filters), [notAuthorised, 1, notAuthorised]);
      plain.destroy();
      group.destroy();
    });

    it('messages that wait in a session when its device may not receive them any more', async () => {
      const [open1, secret] = [unique('open'), unique('secret')];
      const [boss, lamp] = [await device(everything), await device(everything)];
      const publisher = await open(boss);
      const id = unique('lamp');
      const first = await open(lamp, { id, ...staying(5) });
      await first.subscribe([{ filter: open1, qos: 1 }, { filter: secret, qos: 1 }]);
      await leaves(first, id);
      for (const text of ['1', '2', '3']) {
        await publisher.published(secret, text);
        await publisher.published(open1, text);
      }
      await change(lamp, everything, ['Deny', 'iot:Receive', iotArn(`topic/${secret}`)]);
      const again = await open(lamp, { id, clean: false, ...staying(5) });
      assert.equal(again.connack.sessionPresent, true);
      const got = await again.messages(3);
      assert.deepEqual(got.map((packet) => packet.topic), [open1, open1, open1]);
      await again.expectNothing();
      await leaves(again, id);
      await change(lamp, everything);
      const last = await open(lamp, { id, clean: false, ...staying(5) });
      await last.expectNothing();  // they were dropped, and do not come back
      publisher.destroy();
      last.destroy();
    });
  });
}
