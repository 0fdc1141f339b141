// CONNECT and CONNACK: what is agreed, client ids, what is refused.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { within } from '../harness/raw.mjs';
import { suite, unique } from '../harness/suite.mjs';

// CONNACK code 5 of 3.1.1 and 3.1 says no more than "not authorised"; 1–4 have their cause.
async function expectConnackRefusal(raw, code) {
  const connack = await raw.expect('connack');
  assert.equal(connack.code, code, `CONNACK 0x${connack.code.toString(16)}`);
  assert.equal(connack.sessionPresent, false);
  await raw.expectClose();
  return connack;
}

suite('connect', (test) => {
  test.each([3, 4, 5], 'MQTT.js connects', async (w, v) => {
    const client = await w.client(v);
    assert.equal(client.connack.sessionPresent, false);
    await client.endAsync();
  });

  test('CONNACK says what there is (5)', async (w) => {
    const { connack } = await w.raw(5, { props: { sessionExpiry: 3600 } });
    const p = connack.props;
    assert.equal(p.sessionExpiry, undefined, 'the one asked for holds');
    assert.equal(p.wildcardAvailable ?? 1, 1);
    assert.equal(p.subscriptionIdsAvailable ?? 1, 1);
    assert.ok(p.receiveMaximum > 0 && p.receiveMaximum < 65535, 'a receive maximum');
    assert.ok(p.topicAliasMaximum > 0, 'topic aliases');
    assert.ok(p.maximumPacketSize >= 1024 * 1024, 'a maximum packet size');
    assert.equal(p.assignedClientId, undefined);
    assert.equal(p.serverKeepAlive, undefined, 'the keep-alive asked for holds');
  });

  test('a session expiry that was not asked for is not changed (5)', async (w) => {
    const { connack } = await w.raw(5);
    assert.equal(connack.props.sessionExpiry ?? 0, 0);
  });

  test('an empty client id is assigned and told (5)', async (w) => {
    const first = await w.raw(5, { id: '' });
    const second = await w.raw(5, { id: '', clean: false });
    const ids = [first, second].map((raw) => raw.connack.props.assignedClientId);
    assert.ok(ids[0] && ids[1] && ids[0] !== ids[1], `assigned ${ids}`);
    await first.expectNothing();
    // The id is the connection's: who takes it takes the connection over.
    await w.raw(5, { id: ids[0] });
    await first.expectRefusal(0x8e);
    await second.expectNothing();
  });

  test.each([3, 4], 'an empty client id', async (w, v) => {
    if (v === 4) {
      const raws = [await w.raw(v, { id: '' }), await w.raw(v, { id: '' })];
      for (const raw of raws) await raw.expectNothing();
    }
    const raw = await w.socket(v);
    raw.send(codec.connect({ v, id: '', clean: false }));
    await expectConnackRefusal(raw, 2);
  });

  test.each([3, 4, 5], 'packets right behind CONNECT, in one write', async (w, v) => {
    const raw = await w.socket(v);
    const topic = w.topic();
    raw.send(
      codec.connect({ v, id: unique('pipe') }), codec.subscribe({ v, filters: [topic] }),
      codec.publish({ v, topic, payload: '1' }), codec.publish({ v, topic, payload: '2' }),
      codec.pingreq());
    await raw.expect('connack', { code: 0 });
    await raw.answer('suback');
    const texts = (await raw.messages(2)).map((message) => message.text);
    assert.deepEqual(texts, ['1', '2']);
    await raw.expect('pingresp');
  });

  test.each([4, 5], 'CONNECT byte by byte', async (w, v) => {
    const raw = await w.socket(v);
    const will = { topic: w.topic(), payload: 'w' };
    const bytes = codec.connect({ v, id: unique('drip'), will, username: 'u', password: 'p' });
    for (const byte of bytes) {
      await new Promise((resolve) => { raw.socket.write(Buffer.from([byte]), resolve); });
    }
    await raw.expect('connack', { code: 0 });
  });

  test.each([3, 4, 5], 'DISCONNECT right behind CONNECT', async (w, v) => {
    const raw = await w.socket(v);
    raw.send(codec.connect({ v, id: unique('brief') }), codec.disconnect({ v }));
    const packets = await raw.close();
    assert.ok(packets.length <= 1 && packets.every((p) => p.type === 'connack' && p.code === 0));
  });

  test('names and passwords of any kind are let in on loopback', async (w) => {
    await w.raw(5, { username: '?SDK=JavaScript&Version=2.2.16' });  // no password: 3.1.1 allows it
    await w.raw(5, { username: 'user', password: Buffer.from([0, 255, 1]) });
    await w.raw(5, { password: 'password alone' });  // MQTT 5 §3.1.2.9
    await w.raw(4, { username: 'user', password: 'password' });
    await w.raw(4, { username: '?SDK=JavaScript&Version=2.2.16' });
  });

  test('a password without a name is malformed (3.1.1)', async (w) => {
    const raw = await w.socket(4);
    raw.send(codec.connect({ v: 4, id: 'x', password: 'password' }));
    await raw.close();  // 3.1.1 §3.1.2.9: no CONNACK code says this
  });

  test.each([4, 5], 'long client ids, with any characters', async (w, v) => {
    for (const id of [unique('ä€😀 /+#$'), unique('n'.repeat(1000)), unique('n'.repeat(60000))]) {
      const raw = await w.raw(v, { id });
      await raw.expectNothing();
    }
  });

  test('request response information is accepted; there is none (5)', async (w) => {
    const raw = await w.raw(5, { props: { requestResponse: 1 } });
    assert.equal(raw.connack.props.responseInformation, undefined);
  });

  test('user properties are accepted (5)', async (w) => {
    await w.raw(5, { props: { user: [['a', '1'], ['a', '1'], ['', '']] } });
  });

  test('an unknown protocol', async (w) => {
    const cases = [
      { protocol: 'MQTT', level: 6, says: [0x84, 0x01] }, { protocol: 'MQTT', level: 0 },
      { protocol: 'MQIsdp', level: 4 }, { protocol: 'MQTT', level: 3 }, { protocol: '', level: 4 },
      { protocol: 'mqtt', level: 4 }, { protocol: 'HTTP', level: 5 },
      { protocol: 'MQTT', level: 0x84 }, { protocol: 'MQIsdp', level: 0x83 },
    ];
    for (const { protocol, level, says = [] } of cases) {
      const raw = await w.socket(4);
      raw.send(codec.connect({ v: 4, protocol, level, id: unique() }));
      // A CONNACK may be in the form of 3.1.1 or, longer, of MQTT 5: look at its bytes.
      raw.socket.removeAllListeners('data');
      const parts = [];
      raw.socket.on('data', (bytes) => parts.push(bytes));
      await raw.close();
      const answer = Buffer.concat(parts);
      if (answer.length === 0 && says.length === 0) continue;
      assert.equal(answer[0], 0x20, `${protocol} ${level}: ${answer.toString('hex')}`);
      assert.ok([0x84, 0x01].includes(answer[3]), `${protocol} ${level}: code ${answer[3]}`);
    }
  });

  test.each([4, 5], 'reserved flags, and flags that contradict', async (w, v) => {
    const id = unique();
    const will = { topic: 'will', payload: '' };
    const bad = {
      'reserved bit': { flags: 0x03 },
      'will QoS without a will': { flags: 0x0a },
      'will retain without a will': { flags: 0x22 },
      'will QoS 3': { flags: 0x1e, will },
    };
    for (const [what, options] of Object.entries(bad)) {
      const raw = await w.socket(v);
      raw.send(codec.connect({ v, id, ...options }));
      const packets = await raw.close();
      // 3.1.1 §3.1.4.1 lets the server close without CONNACK; MQTT 5 names the reason.
      for (const packet of packets) {
        assert.equal(packet.type, 'connack', what);
        assert.ok(v < 5 ? packet.code > 0 : [0x81, 0x82].includes(packet.code), what);
      }
    }
  });

  test.each([4, 5], 'a second CONNECT', async (w, v) => {
    const raw = await w.raw(v);
    raw.send(codec.connect({ v, id: unique() }));
    await raw.expectRefusal(0x82);
  });

  test('every server packet respects a small maximum packet size (5)', async (w) => {
    for (const maximumPacketSize of [1, 2, 5, 10, 20, 40, 64, 1000]) {
      const raw = await w.socket(5);
      const topic = w.topic();
      const props = { maximumPacketSize };
      raw.send(
        codec.connect({ id: '', props }), codec.subscribe({ filters: [topic, 'bad/#/filter'] }),
        codec.publish({ topic: '$x', qos: 1 }), codec.publish({ topic, payload: 'x'.repeat(2000) }),
        codec.publish({ topic: 'a/#' }));
      const packets = await within(8000, `the end at ${maximumPacketSize}`, raw.close());
      for (const packet of packets) {
        assert.ok(packet.size <= maximumPacketSize, `${packet.type} of ${packet.size} bytes`);
      }
    }
  });

  test('enhanced authentication is refused (5)', async (w) => {
    const raw = await w.socket(5);
    const props = { authMethod: 'SCRAM-SHA-1', authData: Buffer.from('data') };
    raw.send(codec.connect({ id: unique(), props }));
    await expectConnackRefusal(raw, 0x8c);
  });

  test('AUTH is a protocol error (5)', async (w) => {
    for (const packet of [codec.auth(), codec.auth({ reason: 0x19, props: { authMethod: 'x' } })]) {
      const raw = await w.raw(5);
      raw.send(packet);
      await raw.expectRefusal(0x82);
    }
  });

  test('authentication data without a method is a protocol error (5)', async (w) => {
    const raw = await w.socket(5);
    raw.send(codec.connect({ id: unique(), props: { authData: Buffer.from('data') } }));
    await expectConnackRefusal(raw, 0x82);
  });

  test('a refusal explains itself, and not to who does not want it (5)', async (w) => {
    const raw = await w.socket(5);
    raw.send(codec.connect({ id: unique(), props: { authMethod: 'x' } }));
    const connack = await expectConnackRefusal(raw, 0x8c);
    assert.ok(connack.props.reasonString, 'a reason string');
    const quiet = await w.socket(5);
    quiet.send(codec.connect({ id: unique(), props: { authMethod: 'x', requestProblem: 0 } }));
    const short = await expectConnackRefusal(quiet, 0x8c);
    assert.equal(short.props.reasonString, undefined);
  });
});

suite('connect with local = false', (test) => {
  test.each([3, 4, 5], 'no identity, no connection', async (w, v) => {
    for (const extra of [{}, { username: 'user', password: 'password' }, { username: 'user' }]) {
      const before = await w.server.metrics();
      const raw = await w.socket(v);
      raw.send(codec.connect({ v, id: unique(), ...extra }), codec.pingreq());
      await expectConnackRefusal(raw, v === 5 ? 0x87 : 5);
      const grown = await w.server.grown(before, /refused/);
      assert.ok(grown.length > 0, 'a metric counts the refusal');
    }
  });
}, { env: { GNOMON_LOCAL: 'false' } });
