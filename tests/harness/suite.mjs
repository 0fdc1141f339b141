// Suites of tests against a running server, each run on one shard and on four: what one thread
// does and what crosses threads must look the same from outside.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mqtt from 'mqtt';
import { deadline, Raw, within } from './raw.mjs';
import { Server } from './server.mjs';

export const versionName = { 3: '3.1', 4: '3.1.1', 5: '5' };

let names = 0;
// A name that no other test uses; tests of one suite share a server.
export const unique = (what = 'x') => `${what}-${process.pid}-${++names}`;

// What a test gets: its server, clients that end with the test, names of its own.
class World {
  constructor(server) {
    this.server = server;
    this.prefix = unique('t');
    this.opened = [];
  }

  topic(rest) {
    return rest === undefined ? this.prefix : `${this.prefix}/${rest}`;
  }

  // A connection that has sent nothing: to the plain listener, or as dial() has it to `port`.
  async socket(v = 5, { port = this.server.port, ...how } = {}) {
    const raw = await Raw.open(port, { v, ...how });
    this.opened.push(() => raw.destroy());
    return raw;
  }

  // A connected raw client. `over`: options of socket().
  async raw(v = 5, { over, ...options } = {}) {
    return (await this.socket(v, over)).connect({ id: unique('raw'), ...options });
  }

  // A connected client of MQTT.js, with `inbox`, an Inbox of what arrives.
  async client(v = 5, options = {}) {
    const client = mqtt.connect({
      host: '127.0.0.1', port: this.server.port, protocolVersion: v,
      protocolId: v === 3 ? 'MQIsdp' : 'MQTT', clientId: unique('js'), reconnectPeriod: 0,
      connectTimeout: deadline, keepalive: 60, ...options,
    });
    this.opened.push(() => client.end(true));
    client.inbox = new Inbox(client);
    client.on('error', (error) => { client.failure = error; });
    await within(deadline, 'MQTT.js connection', new Promise((resolve, reject) => {
      client.once('connect', (connack) => {
        client.connack = connack;
        resolve();
      });
      client.once('error', reject);
      client.once('close', () => reject(client.failure ?? new Error('closed before CONNACK')));
    }));
    return client;
  }

  close() {
    for (const close of this.opened.splice(0)) close();
  }
}

// The messages of a client, in order: of one of MQTT.js, or what is put() here.
export class Inbox {
  constructor(client) {
    this.messages = [];
    this.waiting = () => {};
    client?.on('message', (topic, payload, packet) => {
      const { qos, retain, properties = {} } = packet;
      this.put({ topic, text: payload.toString(), payload, qos, retain, properties });
    });
  }

  put(message) {
    this.messages.push(message);
    this.waiting();
  }

  // Takes the next `count` messages.
  async take(count = 1, ms = deadline) {
    await within(ms, () => `message ${count} of which ${this.messages.length} are here`,
      new Promise((resolve) => {
        this.waiting = () => { if (this.messages.length >= count) resolve(); };
        this.waiting();
      }));
    return this.messages.splice(0, count);
  }

  async one(ms) {
    return (await this.take(1, ms))[0];
  }
}

// Defines tests with `define(test)`, where
//   test(name, async (world) => …)           one test
//   test.each([4, 5], name, async (world, v) => …)  one for each protocol version
// `options`: shards (default [1, 4]); env, args and listeners of the server; concurrency, timeout (ms
// a test).
export function suite(name, define, options = {}) {
  const { shards = [1, 4], concurrency = 1, timeout = 60_000, ...start } = options;
  for (const count of shards) {
    const title = `${name}, ${count} shard${count > 1 ? 's' : ''}`;
    describe(title, { concurrency, timeout: 600_000 }, () => {
      let server;
      before(async () => { server = await Server.start({ ...start, shards: count }); });
      after(async () => { await server?.stop(); });
      const test = (what, body, ...rest) => it(what, { timeout }, async () => {
        const world = new World(server);
        try {
          assert.ok(server.running, 'the server has ended');
          await body(world, ...rest);
          assert.ok(server.running, 'the server has ended');
        } catch (error) {
          error.message += `\n--- log of the server\n${server.log(20)}`;
          throw error;
        } finally {
          world.close();
        }
      });
      test.each = (versions, what, body) => {
        for (const v of versions) test(`${what} (${versionName[v]})`, body, v);
      };
      define(test);
    });
  }
}
