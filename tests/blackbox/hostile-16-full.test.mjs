// Hostile input row 16: more connections that say nothing than a shard has room for.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rootOf } from '../harness/certificates.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';
import { request, Wire } from '../harness/websocket.mjs';

const room = 4096;  // arrivals_max and http_connections_max, of a shard
const more = 50;

// They stay until the test is over, however long it takes.
const patient = { GNOMON_LIMITS_CONNECT_TIMEOUT: '600', GNOMON_LIMITS_HTTP_IDLE: '600' };

// Opens connections one after the other, as far as others notice: the last ones are those too many.
async function open(port, count) {
  const raws = [];
  while (raws.length < count) {
    const some = Math.min(64, count - raws.length);
    raws.push(...await Promise.all(Array.from({ length: some }, () => Raw.open(port))));
  }
  return raws;
}

async function crowded(port, { gauge, refused, serves }) {
  const server = await Server.start({ listeners: true, shards: 1, env: patient });
  const raws = [];
  try {
    const before = await server.metrics();
    raws.push(...await open(server.ports[port], room));
    await server.untilMetrics((m) => m[gauge] === room, 'all there is room for are there');
    const beyond = await open(server.ports[port], more);
    raws.push(...beyond);
    await Promise.all(beyond.map((raw) => raw.expectClose()));
    assert.equal((await server.metrics())[refused] - before[refused], more);
    assert.ok(raws.slice(0, room).every((raw) => !raw.closed), 'who was there before stays');
    const mqtt = await (await Raw.open(server.port)).connect({ id: unique() });
    raws.push(mqtt);
    await mqtt.expectNothing();  // the plain listener is another door
    for (const raw of raws.splice(0, more)) raw.destroy();
    await server.untilMetrics((m) => m[gauge] === room - more, 'who went makes room');
    await serves(server);
    assert.equal((await server.metrics())[refused] - before[refused], more);
    for (const raw of raws.splice(0)) raw.destroy();
    await server.untilMetrics((m) => m[gauge] === 0 && m.gnomon_connections === 0, 'nothing stays');
    await server.stop();
  } finally {
    for (const raw of raws) raw.destroy();
    await server.kill();
  }
}

describe('row 16: more connections than there is room for', { timeout: 120_000 }, () => {
  it('of which it is not known what they speak', () => crowded('mqtts', {
    gauge: 'gnomon_arrivals', refused: 'gnomon_arrivals_refused_total{reason="limit"}',
    serves: async (server) => {
      const over = { secure: rootOf(server) };
      const raw = await (await Raw.open(server.ports.mqtts, over)).connect({ id: unique() });
      await raw.expectNothing();
      raw.destroy();
    },
  }));

  it('on which HTTP is spoken', () => crowded('http', {
    gauge: 'gnomon_http_connections', refused: 'gnomon_http_refused_total{reason="limit"}',
    serves: async (server) => {
      const wire = await Wire.open(server.ports.http);
      wire.send(request('/_gnomon/root-ca.pem'));
      assert.equal((await wire.answer()).status, 200);
      wire.socket.destroy();
    },
  }));
});
