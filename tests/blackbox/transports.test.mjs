// The clients that users have, over every transport that each has (see harness/clients.mjs).

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { deviceCertificate, rootOf } from '../harness/certificates.mjs';
import { collectClients, keyEnvironment, ways } from '../harness/clients.mjs';
import { suite, versionName } from '../harness/suite.mjs';

after(collectClients);

// Longer than a TLS record, a WebSocket frame of 16-bit length and a read of a client.
const long = 'x'.repeat(100_000);

// One certificate for all tests of a server.
const devices = new WeakMap();
function deviceOf(server) {
  if (!devices.has(server)) devices.set(server, deviceCertificate(server, 'lamp'));
  return devices.get(server);
}

// Both publish to both, as QoS 0 and 1, short and long.
async function converse(w, client, other) {
  for (const qos of [0, 1]) {
    const topic = w.topic(`qos-${qos}`);
    assert.equal(await client.subscribe(topic, qos), qos);
    assert.deepEqual(await other.subscribe({ filter: topic, qos }), [qos]);
    for (const text of ['short', '', long]) {
      await client.publish(topic, text, qos);
      for (const got of [await client.inbox.one(), await other.message()]) {
        assert.deepEqual([got.topic, got.text, got.qos], [topic, text, qos]);
      }
      if (qos === 0) other.publish(topic, `${text}!`);
      else await other.published(topic, `${text}!`);
      for (const got of [await client.inbox.one(), await other.message()]) {
        assert.deepEqual([got.topic, got.text, got.qos], [topic, `${text}!`, qos]);
      }
    }
  }
}

function testWays(test, chosen, open) {
  for (const way of chosen) {
    for (const v of way.versions) {
      test(`${way.name} (${versionName[v]})`, async (w) => {
        const client = await way.open(w.server.ports, await deviceOf(w.server), v);
        try {
          await converse(w, client, await open(w));
        } finally {
          await client.end();
        }
      });
    }
  }
}

suite('clients and transports', (test) => {
  testWays(test, ways, (w) => w.raw(5));
}, { listeners: true, env: keyEnvironment });

suite('clients and transports, compat aws', (test) => {
  testWays(test, ways, (w) => w.raw(4));
}, { shards: [1], listeners: true, args: ['--compat', 'aws'], env: keyEnvironment });

// Where being on this machine is no identity, a certificate is one on every listener with TLS.
suite('clients with a certificate', (test) => {
  const over = async ({ server }) => ({ port: server.ports.mqtts,
    secure: await deviceOf(server) });
  testWays(test, ways.filter(({ identity }) => identity === 'certificate'),
    async (w) => w.raw(5, { over: await over(w) }));

  // The words of MQTT.js, and of the SDK v2 for MQTT 5 and 3.1.1; of a WebSocket that was answered 403.
  for (const way of ways.filter(({ identity }) => identity !== 'certificate')) {
    test(`${way.name}: refused without one`, async (w) => {
      const device = { ...await deviceOf(w.server), ...rootOf(w.server) };
      for (const v of way.versions) {
        await assert.rejects(way.open(w.server.ports, device, v),
          /Not authorized|CONNACK_CONNECTION_REFUSED|MQTT_PROTOCOL_ERROR|UPGRADE_FAILURE|^Error: close$/, versionName[v]);
      }
    });
  }
}, { shards: [2], listeners: true, env: { GNOMON_LOCAL: 'false' } });

// Nor does whoever signs with the key of the server need one.
suite('clients with a signature', (test) => {
  const over = async ({ server }) => ({ port: server.ports.mqtts,
    secure: await deviceOf(server) });
  testWays(test, ways.filter(({ identity }) => identity === 'signature'),
    async (w) => w.raw(5, { over: await over(w) }));
}, { shards: [2], listeners: true, env: { GNOMON_LOCAL: 'false', ...keyEnvironment } });
