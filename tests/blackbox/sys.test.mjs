// What the server tells of itself under $SYS.

import assert from 'node:assert/strict';
import { deadline, within } from '../harness/raw.mjs';
import { run } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('$SYS', (test) => {
  test('a new subscriber gets all of it at once, flagged as retained, then what changes', async (w) => {
    const { stdout } = await run(['--version']);
    const [version] = stdout.match(/\d+\.\d+\.\d+/);
    const away = await w.client(5, { clientId: unique('away'), properties: { sessionExpiryInterval: 3600 } });
    await away.endAsync();
    const client = await w.client(5);
    const seen = new Map();
    let changed;
    const live = new Promise((resolve) => { changed = resolve; });
    client.on('message', (topic, payload, packet) => {
      if (!packet.retain) return changed({ topic, packet });
      seen.set(topic.replace('$SYS/broker/', ''), String(payload));
    });
    await client.subscribeAsync('$SYS/#', { qos: 1 });
    const { topic, packet } = await within(deadline, 'a value that has changed', live);
    assert.match(topic, /^\$SYS\/broker\//);
    assert.equal(packet.qos, 0);
    assert.equal(seen.get('version'), `gnomon version ${version}`);
    assert.match(seen.get('uptime'), /^\d+ seconds$/);
    for (const name of ['clients/connected', 'clients/disconnected', 'clients/total', 'clients/expired',
      'subscriptions/count', 'publish/messages/received', 'publish/messages/sent',
      'publish/messages/dropped', 'bytes/received', 'bytes/sent']) {
      assert.match(seen.get(name), /^\d+$/, name);
    }
  });

  test('nobody else publishes there', async (w) => {
    const client = await w.client(5);
    await assert.rejects(client.publishAsync('$SYS/broker/version', 'mine', { qos: 1 }),
      /not authorized/i);
  });

  test('a wildcard at the first level does not get it', async (w) => {
    const client = await w.client(5);
    await client.subscribeAsync(['#', '+/broker/version']);
    await client.publishAsync(w.topic(), 'on', { qos: 1 });
    const { topic } = await client.inbox.one();
    assert.equal(topic, w.topic());
  });
}, { env: { GNOMON_SYS_INTERVAL: '1' } });
