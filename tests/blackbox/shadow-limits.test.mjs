// Device shadows: what is too much, over MQTT and over HTTP.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as data from '@aws-sdk/client-iot-data-plane';
import { dataClient } from '../harness/aws.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const reported = (state) => JSON.stringify({ state: { reported: state } });

for (const compat of ['mqtt', 'aws']) {
  describe(`shadows and their limits, compat ${compat}`, { timeout: 120_000 }, () => {
    let server, client;
    before(async () => {
      server = await Server.start({ listeners: true, shards: 2, args: ['--compat', compat] });
      client = dataClient(server);
    });
    after(async () => {
      client?.destroy();
      await server?.stop();
    });
    const open = async () =>
      (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: unique('raw') });
    const update = (thingName, payload) =>
      client.send(new data.UpdateThingShadowCommand({ thingName, payload }));

    it('a state or a body that is too large, over HTTP', async () => {
      const thing = unique('lamp');
      for (const payload of [reported({ a: 'x'.repeat(8192) }), reported({ a: 'x'.repeat(200_000) })]) {
        await assert.rejects(update(thing, payload), (error) => {
          assert.ok(error instanceof data.RequestEntityTooLargeException, error.name);
          assert.deepEqual([error.$metadata.httpStatusCode, error.message],
            [413, 'The payload exceeds the maximum size allowed']);
          assert.match(error.traceId, /^[0-9a-f-]{36}$/);
          assert.equal(error.traceId, error.$metadata.requestId);
          return true;
        });
      }
    });

    if (compat === 'aws') {
      it('more than twenty requests a second of one thing, by MQTT', async () => {
        const thing = unique('lamp');
        const prefix = `$aws/things/${thing}/shadow/`;
        await update(thing, reported({ a: 1 }));
        const raw = await open();
        await raw.subscribe({ filter: `${prefix}get/+`, qos: 0 });
        const count = 40;
        for (let n = 0; n < count; ++n) raw.publish(`${prefix}get`, `{"clientToken":"${n}"}`);
        const all = (await raw.messages(count)).map((m) => [m.topic.slice(prefix.length), JSON.parse(m.text)]);
        const rejected = all.filter(([topic]) => topic === 'get/rejected');
        assert.ok(rejected.length > 0 && rejected.length < count, `${rejected.length} rejected`);
        for (const [, { clientToken, ...rest }] of rejected) {
          assert.deepEqual(rest, { code: 429, message: 'Too many requests' });
          assert.match(clientToken, /^[0-9]+$/);
        }
        assert.equal(new Set(all.map(([, told]) => told.clientToken)).size, count);
        raw.destroy();
      });

      it('more than that over HTTP; other things are of no matter', async () => {
        const [thing, other] = [unique('lamp'), unique('lamp')];
        const all = await Promise.allSettled(Array.from({ length: 100 }, () =>
          client.send(new data.DeleteThingShadowCommand({ thingName: thing }))));
        const names = all.map(({ reason }) => reason.name);
        assert.deepEqual([...new Set(names)].sort(), ['ResourceNotFoundException', 'ThrottlingException']);
        const throttled = all.map(({ reason }) => reason).find(({ name }) => name === 'ThrottlingException');
        assert.deepEqual([throttled.message, throttled.$metadata.httpStatusCode], ['Too many requests', 429]);
        await update(other, reported({ a: 1 }));
      });
    } else {
      it('as many a second as one likes', async () => {
        const thing = unique('lamp');
        await Promise.all(Array.from({ length: 100 }, (_, n) => update(thing, reported({ n }))));
        const { payload } = await client.send(new data.GetThingShadowCommand({ thingName: thing }));
        assert.equal(JSON.parse(new TextDecoder().decode(payload)).version, 100);
      });
    }
  });
}
