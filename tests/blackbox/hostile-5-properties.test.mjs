// Hostile input rows 5 and 6: properties that are wrong, and far too many of them.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { closedBy, inParallel, MiB, numbers, refused, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';

const hex = (text) => Buffer.from(text, 'hex');

// Each place that has properties: a packet with the given raw ones.
const places = {
  CONNECT: (props) => codec.connect({ id: unique(), props }),
  will: (props) => codec.connect({ id: unique(), will: { topic: 'w', payload: '', props } }),
  PUBLISH: (props) => codec.publish({ topic: 't', qos: 1, props }),
  SUBSCRIBE: (props) => codec.subscribe({ filters: ['t'], props }),
  UNSUBSCRIBE: (props) => codec.unsubscribe({ filters: ['t'], props }),
  PUBACK: (props) => codec.ack('puback', 1, 0, props),
  DISCONNECT: (props) => codec.disconnect({ props }),
  AUTH: (props) => codec.auth({ props }),
};
const ofClient = new Set(['CONNECT', 'will']);

// Raw properties that are malformed wherever they stand.
const malformed = {
  'an unknown id': hex('7e00'), 'id 0': hex('0000'), 'an id of two bytes': hex('810100'),
  'only an id': hex('26'), 'a name past the end': hex('26ffff61'),
  'a pair without its value': hex('26000161'), 'a pair with half a length': hex('2600016100'),
  'U+0000 in a name': hex('26000100000161'), 'not UTF-8 in a value': hex('26000161 0001ff'.replace(' ', '')),
  'a surrogate': hex('260003eda0800000'),
};
// Properties that some places do not have, or not twice, or not with such a value.
const misplaced = {
  'a server keep-alive': hex('13003c'), 'an assigned client id': hex('12000161'),
  'a maximum QoS': hex('2401'), 'retain available': hex('2501'), 'shared available': hex('2a01'),
  'response information': hex('1a000161'),
};
const wrong = {
  CONNECT: { 'receive maximum 0': '210000', 'receive maximum twice': '210001210001',
    'maximum packet size 0': '2700000000', 'request problem 2': '1702', 'request response 2': '1902',
    'request problem twice': '17011701', 'session expiry twice': '11000000011100000001',
    'session expiry cut': '110000', 'a topic alias': '230001', 'a will delay': '1800000001',
    'a payload format': '0101', 'a subscription id': '0b01', 'a reason string': '1f000161',
    'a method twice': '150001611500 0161'.replace(' ', '') },
  will: { 'payload format 2': '0102', 'delay twice': '18000000011800000001', 'a topic alias': '230001',
    'a session expiry': '1100000001', 'a receive maximum': '210001', 'content type twice':
    '030001610300 0161'.replace(' ', ''), 'response topic cut': '0800', 'data past end': '09ffff00',
    'a subscription id': '0b01' },
  PUBLISH: { 'payload format 2': '0102', 'payload format twice': '01010101', 'alias twice':
    '230001230001', 'a subscription id': '0b01', 'a session expiry': '1100000001', 'a reason string':
    '1f000161', 'a will delay': '1800000001', 'expiry twice': '02000000050200000005',
    'content type not UTF-8': '030001ff', 'response topic with U+0000': '08000100' },
  SUBSCRIBE: { 'id 0': '0b00', 'id twice': '0b010b02', 'a topic alias': '230001', 'an expiry':
    '0200000005', 'a reason string': '1f000161' },
  UNSUBSCRIBE: { 'a subscription id': '0b01', 'a topic alias': '230001', 'a reason string': '1f000161' },
  PUBACK: { 'reason twice': '1f0001611f000161', 'a topic alias': '230001', 'an expiry': '0200000005' },
  DISCONNECT: { 'expiry twice': '11000000001100000000', 'a topic alias': '230001',
    'a receive maximum': '210001', 'reason twice': '1f0001611f000161' },
};

suite('row 5: bad properties', (test) => {
  for (const [place, packet] of Object.entries(places)) {
    test(`in ${place}`, async (w) => {
      const established = !ofClient.has(place);
      const given = Object.entries(wrong[place] ?? {}).map(([what, text]) => [what, hex(text)]);
      const all = [...Object.entries(malformed), ...Object.entries(misplaced), ...given];
      await siege(w, () => inParallel(all, 4, async ([what, props]) => {
        const codes = what.includes('alias') && !what.startsWith('a ') ? [0x82, 0x94] : [0x81, 0x82];
        await refused(w, packet(props), codes, { established, what: `${place}: ${what}` });
      }));
    });
  }

  test('no memory is left behind', async (w) => {
    const round = (count) => inParallel(Array(count).fill(0), 20, async (_, i) => {
      const [name, packet] = Object.entries(places)[i % 8];
      const props = hex(`${'26000161000162'.repeat(20)}7e`);
      await closedBy(w, packet(props), { established: !ofClient.has(name) });
    });
    await round(200);  // what the server keeps for good it has now
    await siege(w, () => round(1200), { grows: 2 * MiB });
  });

  test('random ones: refused or taken, nothing else', async (w) => {
    const random = numbers(5);
    const ids = Object.keys(places);
    const fuzzed = Array.from({ length: 800 }, () => {
      const bytes = Buffer.from(Array.from({ length: random(24) }, () => random(256)));
      if (random(2)) for (let i = 0; i < bytes.length; i += 1 + random(6)) bytes[i] = random(0x2b);
      return [ids[random(ids.length)], bytes];
    });
    await siege(w, () => inParallel(fuzzed, 20, async ([place, props]) => {
      const established = !ofClient.has(place);
      const raw = established ? await w.raw(5) : await w.socket(5);
      raw.send(places[place](props), codec.pingreq());
      for (let packet; packet?.type !== 'pingresp';) {
        packet = await raw.next().catch(() => null);
        if (packet === null) break;
      }
      raw.destroy();
    }));
  });
});

suite('row 6: very many user properties', (test) => {
  const user = (count, name = '', value = '') =>
    Buffer.concat(Array(count).fill(codec.prop('user', [name, value])));

  test('60,000 in CONNECT', async (w) => {
    await siege(w, async () => {
      const cpu = w.server.cpu();
      for (const place of ['CONNECT', 'will']) {
        for (let i = 0; i < 10; ++i) {
          await refused(w, places[place](user(60_000)), [0x95, 0x97, 0x81], { silent: true });
        }
      }
      assert.ok(w.server.cpu() - cpu < 2000, `${w.server.cpu() - cpu} ms of CPU`);
    });
  });

  test('as many as fit a CONNECT', async (w) => {
    await siege(w, async () => {
      const cpu = w.server.cpu();
      for (const place of ['CONNECT', 'will']) {
        for (const count of [65, 1000, 12_000, 20_000]) {
          await refused(w, places[place](user(count)), [0x95, 0x97, 0x81], { silent: true });
        }
      }
      assert.ok(w.server.cpu() - cpu < 2000, `${w.server.cpu() - cpu} ms of CPU`);
    });
  });

  test('in packets of an established client', async (w) => {
    await siege(w, async () => {
      for (const place of ['PUBLISH', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PUBACK', 'DISCONNECT']) {
        for (const [count, value] of [[65, 'x'], [60_000, ''], [10, 'x'.repeat(10_000)]]) {
          await refused(w, places[place](user(count, 'k', value)), [0x95, 0x97, 0x81],
            { established: true, what: `${place} ${count}`, silent: true });
        }
      }
    });
  });
});
