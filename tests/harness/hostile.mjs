// What every hostile-input test wants to see: the attacker is refused or closed, a bystander's
// traffic goes on, memory stays flat, a metric counts it.

import assert from 'node:assert/strict';
import * as codec from './codec.mjs';
import { Bystander } from './bystander.mjs';
import { unique } from './suite.mjs';

export const MiB = 1024 * 1024;
// Sanitizers keep freed memory, so its size says nothing there.
const memoryCounts = process.env.GNOMON_TEST_MEMORY !== 'off';
const refusal = /refused|disconnects_total\{reason="(protocol|refused|slow|lost|keep_alive|limit)|dropped/;

// Runs `attack` beside a bystander. `grows`: bytes that resident memory may grow by; `counted`: a
// pattern of metrics of which one must grow, or null; `slowest`: ms a bystander's message may take.
export async function siege(world, attack, options = {}) {
  const { grows = 8 * MiB, counted = refusal, slowest = 5000 } = options;
  const { server } = world;
  const bystander = await Bystander.join(world);
  await bystander.beat();
  const before = { memory: server.memory(), metrics: await server.metrics() };
  const outcome = await bystander.during(attack);
  await bystander.beat();
  assert.ok(server.running, 'the server has ended');
  const grown = server.memory() - before.memory;
  if (memoryCounts) {
    assert.ok(grown <= grows, `memory grew by ${(grown / MiB).toFixed(1)} MiB`);
  }
  if (counted) {
    const names = await server.grown(before.metrics, counted);
    assert.ok(names.length > 0, `no metric like ${counted} grew`);
  }
  assert.ok(outcome.slowest < slowest, `a bystander's message took ${outcome.slowest} ms`);
  return { ...outcome, grown };
}

// Sends `bytes` on a new connection; they are the first ones, or follow a CONNECT of version `v`.
// Resolves when the server has closed, with the packets that came, CONNACK of `established` apart.
// `over`: options of World.socket().
export async function closedBy(world, bytes, options = {}) {
  const { v = 5, established = false, ms } = options;
  const raw = await world.socket(v, options.over);
  if (established) await raw.connect({ id: unique('attacker'), ...options.connect });
  raw.send(bytes);
  return raw.close(ms);
}

// The refusal names one of `codes`: as CONNACK or DISCONNECT in MQTT 5, by the close alone before.
// `silent`: a close without a word will do as well.
export async function refused(world, bytes, codes, options = {}) {
  const { v = 5, established = false, silent = v < 5, what = '' } = options;
  const packets = await closedBy(world, bytes, options);
  const name = `${what} ${bytes.subarray(0, 40).toString('hex')}`;
  if (silent && packets.length === 0) return;
  assert.equal(packets.length, 1, `${name}: ${JSON.stringify(packets)}`);
  const [{ type, code }] = packets;
  assert.equal(type, established ? 'disconnect' : 'connack', name);
  if (v >= 5) assert.ok(codes.includes(code), `${name}: 0x${code.toString(16)}`);
  else assert.ok(code > 0, name);
}

// Runs `body` for each of `items`, `width` at a time.
export async function inParallel(items, width, body) {
  const rest = [...items].entries();
  await Promise.all(Array.from({ length: width }, async () => {
    for (const [i, item] of rest) await body(item, i);
  }));
}

// A small generator of numbers that is the same on every run (mulberry32).
export function numbers(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

// One of each packet that a client may send, with a well-formed body and nothing optional at its
// end, so that every cut leaves too little. `ends`: body lengths at which it is whole all the same.
export function samples(v) {
  const five = v === 5;
  const props = five ? { user: [['k', 'v']] } : undefined;
  const will = { topic: 'w', payload: 'p', props: five ? { willDelay: 1, user: [['k', 'v']] } : {} };
  const connect = codec.connect({ v, id: 'cut', username: 'u', password: 'p', will,
    props: five ? { receiveMaximum: 9, user: [['k', 'v']] } : {} });
  const end = connect.length - 2;
  const list = [
    // MQTT 3.1 lets name and password be missing though their flags are set.
    ['CONNECT', connect, v === 3 ? [end - 6, end - 3] : []],
    ['PUBLISH QoS 0', codec.publish({ v, topic: 'cut', props })],
    ['PUBLISH QoS 1', codec.publish({ v, topic: 'cut', qos: 1, props })],
    ['SUBSCRIBE', codec.subscribe({ v, filters: ['cut/a'], props })],
    ['UNSUBSCRIBE', codec.unsubscribe({ v, filters: ['cut/a'], props })],
  ];
  if (five) {
    const more = { reasonString: 'r', user: [['k', 'v']] };
    list.push(['PUBACK', codec.ack('puback', 1, 0, more), [2, 3]]);
    list.push(['DISCONNECT', codec.disconnect({ reason: 0, props: more }), [0, 1]]);
  } else {
    list.push(['PUBACK', codec.ack('puback', 1)]);
  }
  return list.map(([name, bytes, ends = []]) => ({ name, bytes, ends }));
}
