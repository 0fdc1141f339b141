// What an acknowledgement is worth: kill -9 under load, files cut to what had been synced, a restart;
// then everything that was acknowledged arrives. And: no acknowledgement comes before its sync.
// CRASH_ROUNDS: how often (2); CRASH_SEED: the seed that a failure names.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import * as codec from '../harness/codec.mjs';
import { cutToSynced, readRecord, showCut, startRecorded } from '../harness/crash.mjs';
import { Ledger, Publisher, show, Subscriber } from '../harness/device.mjs';
import { numbers } from '../harness/hostile.mjs';
import { Raw, within } from '../harness/raw.mjs';
import { staying } from '../harness/sessions.mjs';
import { unique } from '../harness/suite.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 2);
const firstSeed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000);

// A recorded server for `body`; an error tells its log.
async function withServer(options, body) {
  const server = await startRecorded(options);
  try {
    await body(server);
  } catch (error) {
    error.message += `\n--- log of the server\n${server.log(20)}`;
    throw error;
  } finally {
    await server.kill();
  }
}

// Publishers of each QoS, version and kind of session; subscribers that are there, that are away,
// that acknowledge late and take little at a time.
function cast(ledger, random) {
  const publishers = [1, 2].flatMap((qos) => [4, 5].flatMap((v) => [true, false].map((persistent) => {
    const name = `p${qos}${v}${persistent ? 'p' : 'c'}`;
    return new Publisher(ledger, name, { v, qos, persistent, topic: `crash/${name}`,
      window: 5 + random(20), padding: () => (random(50) === 0 ? random(20_000) : random(200)) });
  })));
  const subscriber = (name, options) => new Subscriber(ledger, name, { filter: 'crash/#', ...options });
  return {
    publishers,
    online: [subscriber('s1', { v: 5, qos: 1 }), subscriber('s2', { v: 4, qos: 2 }),
      subscriber('s3', { v: 5, qos: 2, lag: 3, props: { receiveMaximum: 10 } })],
    away: [subscriber('a1', { v: 4, qos: 1 }), subscriber('a2', { v: 5, qos: 2, lag: 10 })],
    newcomer: (round) => subscriber(`n${round}`, { v: 4 + round % 2, qos: 1 + round % 2 }),
  };
}

function checkArrived(ledger, subscribers) {
  for (const subscriber of subscribers) {
    for (const message of subscriber.missing) {
      ledger.fail(`${show(message)} never came to ${subscriber.name}`);
    }
    for (const message of subscriber.repeated) {
      ledger.fail(`${show(message)} came ${subscriber.times(message)} times to ${subscriber.name}`);
    }
  }
  ledger.check();
}

async function crashes(server, ledger, random, story) {
  const { publishers, online, away, newcomer } = cast(ledger, random);
  const here = [...online];
  const connect = (devices) => Promise.all(devices.map((device) => device.connect(server.port)));
  await connect([...online, ...away]);
  for (const subscriber of [...online, ...away]) await subscriber.subscribe();
  for (const subscriber of away) subscriber.leave();
  await connect(publishers);
  for (const publisher of publishers) publisher.begin();

  const acknowledged = async (more) => {
    const count = ledger.acknowledged + more;
    await ledger.until(() => ledger.acknowledged >= count,
      () => `${count} acknowledgements, of which ${ledger.acknowledged} came`, 60_000);
  };
  for (let round = 0; round < rounds; ++round) {
    await acknowledged(20 + random(800));
    const late = newcomer(round);
    await connect([late]);
    await late.subscribe();
    here.push(late);
    // One drops its connection and comes back, under load as well.
    const restless = here[random(here.length)];
    restless.leave();
    await acknowledged(random(200));
    await connect([restless]);
    await acknowledged(20 + random(800));
    const killedAt = ledger.now();
    await server.crash();
    for (const device of [...publishers, ...here]) device.leave();
    const cut = cutToSynced(server.data, server.synced.record, random, { exact: round === 0 });
    story.push(`kill ${round + 1} at ${(killedAt / 1000).toFixed(3)} s: ${showCut(cut)}`);
    await server.launch();
    await connect([...publishers, ...here]);
  }

  await acknowledged(100);
  for (const publisher of publishers) publisher.finish();
  await ledger.until(() => publishers.every((publisher) => publisher.idle), () =>
    `all acknowledged; open: ${publishers.map((p) => `${p.name}: ${p.inFlight.size}`)}`, 60_000);
  await connect(away);
  const everybody = [...here, ...away];
  const promised = ledger.messages.length;
  // The slow ones take a second for a few hundred messages of each round.
  await within(60_000 + 10_000 * rounds, 'all that was acknowledged', (async () => {
    let seen = -1;
    while (everybody.some((subscriber) => subscriber.missing.length > 0)) {
      // Whoever has waited for seconds in vain is told what is missing.
      const count = () => everybody.reduce((sum, subscriber) => sum + subscriber.count, 0);
      seen = count();
      const more = await ledger.until(() => count() > seen, 'more messages', 10_000)
        .then(() => true, () => false);
      if (!more) return;
    }
  })());
  checkArrived(ledger, everybody);
  // Nothing comes again that is over.
  for (const subscriber of everybody) subscriber.lag = 0;
  await Promise.all(everybody.map((subscriber) => subscriber.ping()));
  for (const device of [...publishers, ...everybody]) device.leave();
  await server.restart();
  await connect(everybody);
  await Promise.all(everybody.map((subscriber) => subscriber.ping()));
  checkArrived(ledger, everybody);
  assert.equal(ledger.messages.length, promised);
}

describe('kill -9 under load', { timeout: 600_000 + rounds * 60_000 }, () => {
  for (const shards of [1, 4]) {
    const seed = firstSeed + shards;
    it(`${rounds} times, ${shards} shard${shards > 1 ? 's' : ''}: what was acknowledged arrives`,
      () => withServer({ shards }, async (server) => {
        const story = [];
        const ledger = new Ledger();
        try {
          await crashes(server, ledger, numbers(seed), story);
        } catch (error) {
          error.message += `\nCRASH_SEED=${firstSeed}\n${story.join('\n')}`;
          throw error;
        }
      }));
  }
});

// A session that is away, so that whatever is sent to `topic` has to be stored.
async function away(server, topic) {
  const id = unique('away');
  const raw = await (await Raw.open(server.port)).connect({ id, ...staying(5) });
  await raw.subscribe({ filter: topic, qos: 2 });
  await raw.goodbye();
  return id;
}

const client = async (server, v, options = {}) =>
  (await Raw.open(server.port, { v })).connect({ id: unique('client'), keepAlive: 0, ...options });

for (const shards of [1, 4]) {
  describe(`syncs, ${shards} shard${shards > 1 ? 's' : ''}`, { timeout: 120_000 }, () => {
    it('are waited for before PUBACK, PUBREC and PUBCOMP', () =>
      withServer({ shards, delayMs: 300 }, async (server) => {
        await away(server, 'slow');
        const clients = await Promise.all([[4, {}], [5, {}], [4, staying(4)], [5, staying(5)],
          [3, staying(3)], [5, staying(5)]].map(([v, options]) => client(server, v, options)));
        server.synced.on();
        const steps = [];  // {what, sent, answered}
        const step = async (what, send, answer) => {
          const sent = performance.now();
          send();
          await answer();
          steps.push({ what, sent, answered: performance.now() });
        };
        // Each on its own, so that many syncs are under way at different moments.
        await Promise.all(clients.map(async (raw, i) => {
          for (let n = 1; n <= 4; ++n) {
            const qos = 1 + (n + i) % 2;
            const name = `client ${i} (MQTT ${raw.v}), message ${n}`;
            const publish = () => raw.publish('slow', 'x', { qos, packetId: n });
            if (qos === 1) {
              await step(`PUBACK to ${name}`, publish, () => raw.expect('puback', { packetId: n }));
              continue;
            }
            await step(`PUBREC to ${name}`, publish, () => raw.expect('pubrec', { packetId: n }));
            const release = () => raw.send(codec.ack('pubrel', n));
            const complete = () => raw.expect('pubcomp', { packetId: n });
            // The packet ids of a clean publisher are nowhere on disk.
            if (i >= 2) await step(`PUBCOMP to ${name}`, release, complete);
            else await complete(release());
          }
        }));
        server.synced.off();
        const log = path.join(server.data, 'store');
        const syncs = readRecord(server.synced.record).filter((event) =>
          event.kind === 'sync' && path.dirname(event.path) === log && event.path.endsWith('.log'));
        for (const { what, sent, answered } of steps) {
          assert.ok(answered - sent >= 299, `${what} came after ${(answered - sent).toFixed(0)} ms`);
          assert.ok(syncs.some(({ begin, end }) => begin >= sent && end <= answered),
            `${what}: no sync began after it was sent and ended before the answer`);
        }
        await server.end();
      }));

    it('that fail: nothing is acknowledged any more, and the server ends with 1', () =>
      withServer({ shards, failAfter: 0 }, async (server) => {
        const id = await away(server, 'fail');
        const before = await client(server, 5);
        for (let n = 0; n < 20; ++n) await before.published('fail', `${n}`, { qos: 1 + n % 2 });
        const clients = await Promise.all([4, 5, 4, 5].map((v, i) =>
          client(server, v, i < 2 ? {} : staying(v))));
        server.synced.on();
        for (const raw of clients) {
          raw.publish('fail', 'a', { qos: 1 });
          raw.publish('fail', 'b', { qos: 2 });
          raw.publish('fail', 'c', { qos: 1 });
        }
        const ends = await Promise.all(clients.map((raw) => raw.close(20_000)));
        for (const packets of ends) {
          const acks = packets.filter((packet) => /^pub(ack|rec|comp)$/.test(packet.type));
          assert.deepEqual(acks, [], 'no acknowledgement');
        }
        const { code, signal, stderr } = await within(20_000, 'the end', server.command.ended);
        assert.deepEqual([code, signal], [1, null]);
        assert.match(stderr, /sync|Input\/output error|EIO/i, 'the log says why');
        server.synced.off();
        await server.launch();
        const raw = await client(server, 5, { id, ...staying(5) });
        assert.equal(raw.connack.sessionPresent, true);
        const got = (await raw.messages(20)).map((message) => message.text);
        assert.deepEqual(got, Array.from({ length: 20 }, (_, n) => `${n}`));
        await server.end();
      }));

    it('that fail later, under load: what was acknowledged is there', () =>
      withServer({ shards, failAfter: 20 }, async (server) => {
        const id = await away(server, 'later');
        const raws = await Promise.all([4, 5, 5].map((v) => client(server, v)));
        server.synced.on();
        const acked = await Promise.all(raws.map(async (raw, i) => {
          for (let n = 0; n < 20_000; ++n) {
            const answer = await raw.published('later', `${i} ${n}`).catch(() => null);
            if (answer === null) return n;  // acknowledged: 0 … n - 1
          }
          return assert.fail('no sync failed');
        }));
        const { code, signal } = await within(20_000, 'the end', server.command.ended);
        assert.deepEqual([code, signal], [1, null]);
        assert.ok(acked.some((n) => n > 0), 'some were acknowledged');
        cutToSynced(server.data, server.synced.record, numbers(firstSeed), { exact: true });
        server.synced.off();
        await server.launch();
        const raw = await client(server, 5, { id, ...staying(5) });
        const marker = await client(server, 5);
        await marker.published('later', 'end');
        const got = new Set();
        for (let text; text !== 'end'; got.add(text)) text = (await raw.message()).text;
        for (const [i, count] of acked.entries()) {
          for (let n = 0; n < count; ++n) assert.ok(got.has(`${i} ${n}`), `message ${n} of ${i}`);
        }
        await server.end();
      }));
  });
}
