// Shadows that were accepted are there after a restart, kill -9 and a power cut; versions are told once.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cutToSynced, startRecorded } from '../harness/crash.mjs';
import { numbers } from '../harness/hostile.mjs';
import { Raw } from '../harness/raw.mjs';
import { unique } from '../harness/suite.mjs';

const prefix = (thing) => `$aws/things/${thing}/shadow/`;
const open = async (server) => (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: unique('app') });

// The version of each thing, asked for by get; 0: there is none.
async function versions(server, things) {
  const raw = await open(server);
  await raw.subscribe({ filter: '$aws/things/+/shadow/get/+', qos: 1 });
  const found = new Map();
  for (const thing of things) {
    await raw.published(`${prefix(thing)}get`);
    const told = JSON.parse((await raw.message()).text);
    found.set(thing, told.version ?? 0);
  }
  raw.destroy();
  return found;
}

for (const shards of [1, 4]) {
  describe(`shadows when the power goes, ${shards} shard${shards > 1 ? 's' : ''}`, { timeout: 120_000 }, () => {
    it('every accepted version is there, and none is told twice', async () => {
      const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);
      const random = numbers(seed);
      const server = await startRecorded({ shards });
      const things = Array.from({ length: 5 }, () => unique('lamp'));
      const accepted = new Map(things.map((thing) => [thing, 0]));  // the highest
      const told = new Set();
      let acknowledged = 0;
      try {
        for (let round = 0; round < 4; ++round) {
          const [app, watcher] = [await open(server), await open(server)];
          await watcher.subscribe({ filter: '$aws/things/+/shadow/update/accepted', qos: 0 });
          watcher.handler = (packet) => {
            if (packet.type !== 'publish') return;
            const thing = packet.topic.split('/')[2];
            const { version } = JSON.parse(packet.text);
            assert.ok(!told.has(`${thing} ${version}`), `version ${version} of ${thing} was told before`);
            told.add(`${thing} ${version}`);
            accepted.set(thing, Math.max(accepted.get(thing), version));
          };
          // No more than the server takes: what it refuses stands for nothing.
          let unanswered = 0;
          app.handler = () => {
            ++acknowledged;
            --unanswered;
          };
          const goal = told.size + 100 + round * 57;
          for (let n = 0; told.size < goal; ++n, ++unanswered) {
            while (unanswered >= 500 && told.size < goal) await new Promise(setImmediate);
            app.publish(`${prefix(things[n % things.length])}update`,
              JSON.stringify({ state: { reported: { n, round } } }), { qos: 1, packetId: n % 60000 + 1 });
            if (n % 20 === 19) await new Promise(setImmediate);
            assert.ok(n < 100_000);
          }
          await server.crash();
          cutToSynced(server.data, server.synced.record, random);
          await server.launch();
          const found = await versions(server, things);
          for (const [thing, version] of accepted)
            assert.ok(found.get(thing) >= version, `${thing}: ${found.get(thing)} of ${version}`);
          // Each PUBACK stands for a version, too.
          const versionsThere = [...found.values()].reduce((sum, version) => sum + version, 0);
          assert.ok(versionsThere >= acknowledged, `${versionsThere} of ${acknowledged}`);
          app.destroy();
          watcher.destroy();
        }
      } catch (error) {
        error.message += ` (CRASH_SEED=${seed})`;
        throw error;
      } finally {
        await server.kill();
      }
    });
  });
}
