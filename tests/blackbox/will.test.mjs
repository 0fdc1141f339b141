// Wills: sent when a connection ends in any way but DISCONNECT, with all that CONNECT gave them.

import assert from 'node:assert/strict';
import * as codec from '../harness/codec.mjs';
import { suite, unique } from '../harness/suite.mjs';

// A watcher of the world's topics, and a client with a will on `will`.
async function scene(w, v, will = {}, options = {}) {
  const watchers = await Promise.all([w.raw(5), w.raw(4)]);
  for (const raw of watchers) await raw.subscribe({ filter: w.topic('#'), qos: 1 });
  const client = await w.raw(v, {
    will: { topic: w.topic('will'), payload: 'gone', ...will }, ...options });
  return { watchers, client };
}

async function expectWill(watchers, fields = {}) {
  for (const raw of watchers) {
    const message = await raw.message();
    const expected = { text: 'gone', qos: 0, retain: false, ...fields };
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(message[key], value, key);
  }
}

// What has been sent by now does not hold the will.
async function expectNoWill(w, watchers) {
  const marker = await w.raw(5);
  await marker.published(w.topic('marker'), 'after');
  for (const raw of watchers) {
    assert.equal((await raw.message()).text, 'after');
    await raw.expectNothing();
  }
}

suite('wills', (test) => {
  test.each([3, 4, 5], 'the socket is closed', async (w, v) => {
    const { watchers, client } = await scene(w, v);
    client.destroy();
    await expectWill(watchers);
  });

  test.each([3, 4, 5], 'the socket is reset', async (w, v) => {
    const { watchers, client } = await scene(w, v);
    client.socket.resetAndDestroy();
    await expectWill(watchers);
  });

  test.each([3, 4, 5], 'a malformed packet', async (w, v) => {
    const { watchers, client } = await scene(w, v);
    client.send(Buffer.from([0x00, 0x00]));
    await expectWill(watchers);
    await client.close();
  });

  test.each([3, 4, 5], 'a refused PUBLISH', async (w, v) => {
    const { watchers, client } = await scene(w, v);
    client.publish('$x', 'x');
    await expectWill(watchers);
    await client.expectRefusal(0x87);
  });

  test.each([3, 4, 5], 'the keep-alive is over', async (w, v) => {
    const { watchers, client } = await scene(w, v, {}, { keepAlive: 1 });
    await expectWill(watchers);
    await client.expectRefusal(0x8d);
  });

  test.each([3, 4, 5], 'DISCONNECT: no will', async (w, v) => {
    const { watchers, client } = await scene(w, v);
    await client.goodbye();
    await expectNoWill(w, watchers);
  });

  test.each([3, 4, 5], 'DISCONNECT and the close in one go: no will', async (w, v) => {
    const { watchers, client } = await scene(w, v);
    client.send(codec.disconnect({ v }));
    client.socket.end();
    await client.close();
    await expectNoWill(w, watchers);
  });

  test('DISCONNECT 0x04 sends it, other reasons too, 0x00 does not (5)', async (w) => {
    for (const reason of [0x04, 0x80, 0x82, 0x93, 0x99]) {
      const { watchers, client } = await scene(w, 5);
      await client.goodbye({ reason });
      await expectWill(watchers);
      for (const raw of watchers) raw.destroy();
    }
    const { watchers, client } = await scene(w, 5);
    await client.goodbye({ reason: 0 });
    await expectNoWill(w, watchers);
  });

  test('a DISCONNECT that is a protocol error does not take it back (5)', async (w) => {
    const { watchers, client } = await scene(w, 5);
    client.send(codec.disconnect({ props: { sessionExpiry: 9 } }));
    await client.expectRefusal(0x82);
    await expectWill(watchers);
  });

  test.each([3, 4, 5], 'QoS 1, binary and empty payloads', async (w, v) => {
    const payloads = [Buffer.from([0, 255, 1]), Buffer.alloc(0), Buffer.alloc(65535, 7)];
    for (const payload of payloads) {
      const { watchers, client } = await scene(w, v, { payload, qos: 1 });
      client.destroy();
      await expectWill(watchers, { text: payload.toString(), payload, qos: 1 });
      for (const raw of watchers) raw.destroy();
    }
  });

  test('properties travel with it (5)', async (w) => {
    const props = { payloadFormat: 1, contentType: 'text/plain', responseTopic: 'a/b',
      correlationData: Buffer.from('id'), user: [['b', '1'], ['a', '2'], ['b', '1']] };
    const { watchers, client } = await scene(w, 5, { props: { ...props, messageExpiry: 60 } });
    client.destroy();
    const message = await watchers[0].message();
    const { messageExpiry, ...others } = message.props;
    assert.deepEqual(others, props);
    assert.ok(messageExpiry === 60 || messageExpiry === 59, 'counted from the end');
    assert.equal((await watchers[1].message()).text, 'gone');
  });

  test('a delay ends with the session, that is at once (5)', async (w) => {
    const { watchers, client } = await scene(w, 5, { props: { willDelay: 3600 } });
    client.destroy();
    await expectWill(watchers);
  });

  test('its own client does not get it, and it is sent once', async (w) => {
    const { watchers, client } = await scene(w, 5);
    await client.subscribe(w.topic('will'));
    client.send(Buffer.from([0xf0, 0x00]));
    const packets = await client.close();
    assert.ok(packets.every((packet) => packet.type !== 'publish'));
    await expectWill(watchers);
    await expectNoWill(w, watchers);
  });

  test('what the client sent before it arrives before it', async (w) => {
    for (let round = 0; round < 10; ++round) {
      const { watchers, client } = await scene(w, 5);
      for (let n = 0; n < 20; ++n) client.publish(w.topic('data'), `${n}`);
      await new Promise((resolve) => { client.socket.end(resolve); });
      for (const raw of watchers) {
        const texts = (await raw.messages(21)).map((message) => message.text);
        assert.deepEqual(texts, [...Array.from({ length: 20 }, (_, n) => `${n}`), 'gone']);
        raw.destroy();
      }
    }
  });

  test('hundreds of clients vanish at once', async (w) => {
    const watcher = await w.raw(5);
    await watcher.subscribe({ filter: w.topic('+'), qos: 1 });
    const before = await w.server.metrics();
    const clients = await Promise.all(Array.from({ length: 300 }, (_, i) => w.raw([3, 4, 5][i % 3], {
      will: { topic: w.topic(`${i}`), payload: `${i}`, qos: i & 1 } })));
    for (const client of clients) client.destroy();
    const got = (await watcher.messages(300)).map((m) => m.text);
    assert.equal(new Set(got).size, 300);
    assert.ok((await w.server.grown(before, /wills/)).length > 0, 'a metric counts them');
  });

  test('with MQTT.js', async (w) => {
    const watcher = await w.client(5);
    await watcher.subscribeAsync(w.topic('+'), { qos: 1 });
    const client = await w.client(5, { will: { topic: w.topic('x'), payload: 'gone', qos: 1,
      properties: { contentType: 'c', userProperties: { k: ['1', '2'] } } } });
    client.stream.destroy();
    const message = await watcher.inbox.one();
    assert.deepEqual([message.text, message.qos], ['gone', 1]);
    assert.equal(message.properties.contentType, 'c');
    assert.deepEqual({ ...message.properties.userProperties }, { k: ['1', '2'] });
  });

  test('a topic that is none: refused (5)', async (w) => {
    for (const [topic, codes] of [['a/+', [0x90]], ['#', [0x90]], ['', [0x90, 0x82, 0x81]]]) {
      const raw = await w.socket(5);
      raw.send(codec.connect({ id: unique(), will: { topic, payload: 'x' } }));
      const { code } = await raw.expect('connack');
      assert.ok(codes.includes(code), `${topic}: 0x${code.toString(16)}`);
      await raw.expectClose();
    }
  });

  test.each([3, 4], 'a topic that is none: refused', async (w, v) => {
    for (const topic of ['a/+', '#', '']) {
      const raw = await w.socket(v);
      raw.send(codec.connect({ v, id: unique(), will: { topic, payload: 'x' } }));
      for (const packet of await raw.close()) assert.ok(packet.type === 'connack' && packet.code > 0);
    }
  });

  test.each([3, 4, 5], 'a reserved topic: refused', async (w, v) => {
    for (const topic of ['$SYS/x', '$aws/things/t/shadow/update/accepted', '$CONTROL/x']) {
      const raw = await w.socket(v);
      raw.send(codec.connect({ v, id: unique(), will: { topic, payload: 'x' } }));
      const packets = await raw.close();
      for (const packet of packets) {
        assert.equal(packet.type, 'connack');
        assert.ok(v === 5 ? [0x87, 0x90].includes(packet.code) : packet.code > 0);
      }
      assert.ok(v < 5 || packets.length === 1, 'MQTT 5 is told');
    }
  });
}, { concurrency: 4 });
