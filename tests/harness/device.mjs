// Clients whose state outlives their connections and the server: publishers that send again what was
// not acknowledged, subscribers that know what they have. A ledger holds what was promised.

import { deadline, Raw, within } from './raw.mjs';
import * as codec from './codec.mjs';

export class Ledger {
  constructor() {
    this.began = performance.now();
    this.messages = [];    // in the order of their first sending
    this.acknowledged = 0;
    this.failures = [];
    this.waiting = [];     // {condition, resolve}
  }

  now() {
    return performance.now() - this.began;
  }

  fail(text) {
    this.failures.push(`${(this.now() / 1000).toFixed(3)} s: ${text}`);
    this.changed();
  }

  changed() {
    this.waiting = this.waiting.filter(({ condition, resolve }) => {
      if (!condition() && this.failures.length === 0) return true;
      resolve();
      return false;
    });
  }

  // Resolves once the condition holds; rejects with the failures that there are by then.
  async until(condition, what, ms) {
    await within(ms, what, new Promise((resolve) => {
      this.waiting.push({ condition, resolve });
      this.changed();
    }));
    this.check();
  }

  check() {
    if (this.failures.length === 0) return;
    const more = this.failures.length > 20 ? `\n… and ${this.failures.length - 20} more` : '';
    throw new Error(`${this.failures.slice(0, 20).join('\n')}${more}`);
  }
}

const seconds = (ms) => (ms === undefined ? 'never' : `${(ms / 1000).toFixed(3)} s`);
export const show = (message) => `message ${message.number} of ${message.publisher} (` +
  `first sent at ${seconds(message.sentAt)}, acknowledged at ${seconds(message.ackedAt)})`;

class Device {
  constructor(ledger, name, { v, persistent, props }) {
    Object.assign(this, { ledger, name, v, persistent, props });
    this.established = false;  // whether the server has promised to keep the session
    this.raw = null;
  }

  // Opens a connection and takes up the session.
  async connect(port) {
    this.raw?.destroy();
    const raw = await Raw.open(port, { v: this.v });
    this.raw = raw;
    const props = this.v === 5
      ? { ...this.props, sessionExpiry: this.persistent ? 3600 : undefined } : undefined;
    await raw.connect({ id: this.name, clean: !this.persistent, keepAlive: 0, props });
    const present = raw.connack.sessionPresent;
    if (this.established && !present) this.ledger.fail(`the session of ${this.name} is gone`);
    if (!this.persistent && present) this.ledger.fail(`${this.name} began clean, found a session`);
    this.established = this.persistent;
    raw.packets.splice(0).forEach((packet) => this.#take(packet));
    raw.handler = (packet) => { if (raw === this.raw) this.#take(packet); };
    this.resumed(present);
  }

  #take(packet) {
    if (packet.type === 'disconnect') {
      return this.ledger.fail(`${this.name} was told 0x${packet.code.toString(16)}`);
    }
    if (!this[packet.type]) return this.ledger.fail(`${this.name} was sent ${packet.type}`);
    this[packet.type](packet);
    this.ledger.changed();
  }

  resumed() {}

  leave() {
    this.raw?.destroy();
    this.raw = null;
  }

  // Resolves when the server has answered all that was sent so far.
  async ping() {
    let pong;
    const answered = new Promise((resolve) => { pong = resolve; });
    this.pingresp = pong;
    this.raw.send(codec.pingreq());
    await within(deadline, `PINGRESP to ${this.name}`, answered);
  }
}

// Publishes numbered messages to `topic`, `window` at a time, from begin() until finish().
export class Publisher extends Device {
  constructor(ledger, name, { qos, topic, window = 20, padding = () => 0, ...options }) {
    super(ledger, name, options);
    Object.assign(this, { qos, topic, window, padding });
    this.inFlight = new Map();  // packet id → {message, released}, in the order of sending
    this.next = 1;
    this.lastId = 0;
    this.running = false;
    this.kind = `QoS ${qos}, MQTT ${{ 3: '3.1', 4: '3.1.1', 5: '5' }[this.v]}, ` +
      `${this.persistent ? 'persistent' : 'clean'}`;
  }

  begin() {
    this.running = true;
    this.#pump();
  }

  finish() {
    this.running = false;
  }

  get idle() {
    return this.inFlight.size === 0;
  }

  resumed(present) {
    const open = [...this.inFlight];
    if (present) {
      for (const [packetId, { message, released }] of open) {
        if (released) this.raw.send(codec.ack('pubrel', packetId));
        else this.#send(packetId, message, true);
      }
    } else {
      // What PUBREC has confirmed is the server's; the rest is sent anew, in its order.
      this.inFlight.clear();
      for (const [, { message, released }] of open) if (!released) this.#open(message);
    }
    this.#pump();
  }

  #pump() {
    while (this.running && this.raw && this.inFlight.size < this.window) {
      const message = { publisher: `${this.name} (${this.kind})`, by: this, number: this.next++,
        sentAt: this.ledger.now(), padding: this.padding() };
      this.ledger.messages.push(message);
      this.#open(message);
    }
  }

  #open(message) {
    do this.lastId = (this.lastId % 65535) + 1; while (this.inFlight.has(this.lastId));
    this.inFlight.set(this.lastId, { message, released: false });
    this.#send(this.lastId, message, false);
  }

  #send(packetId, message, dup) {
    this.raw.send(codec.publish({ v: this.v, topic: this.topic, qos: this.qos, packetId, dup,
      payload: `${this.name} ${message.number} ${'x'.repeat(message.padding)}` }));
  }

  #acknowledged({ type, packetId, code }) {
    const open = this.inFlight.get(packetId);
    if (!open) {
      this.ledger.fail(`${this.name} got a ${type} for ${packetId}, which is not in flight`);
    } else if (code >= 0x80) {
      this.ledger.fail(`${type} 0x${code.toString(16)} for ${show(open.message)}`);
    } else if (open.message.ackedAt === undefined) {
      open.message.ackedAt = this.ledger.now();
      ++this.ledger.acknowledged;
    }
    return open;
  }

  puback(packet) {
    if (this.#acknowledged(packet)) this.inFlight.delete(packet.packetId);
    this.#pump();
  }

  pubrec(packet) {
    const open = this.#acknowledged(packet);
    if (open) open.released = true;
    this.raw.send(codec.ack('pubrel', packet.packetId));
  }

  pubcomp({ packetId }) {
    this.inFlight.delete(packetId);
    this.#pump();
  }
}

// Subscribes once, acknowledges all, `lag` messages late, and notes what it got.
export class Subscriber extends Device {
  constructor(ledger, name, { filter, qos, lag = 0, ...options }) {
    super(ledger, name, { persistent: true, ...options });
    Object.assign(this, { filter, qos, lag });
    this.subscribedAt = Infinity;
    this.incoming = new Map();  // packet id of QoS 2 → what it brought, until PUBREL
    this.got = new Map();       // publisher's name → number → how often
    this.late = [];             // acknowledgements that are held back
    this.count = 0;
  }

  async subscribe() {
    let granted;
    const answered = new Promise((resolve) => { granted = resolve; });
    this.suback = granted;
    this.raw.send(codec.subscribe({ v: this.v, filters: [{ filter: this.filter, qos: this.qos }] }));
    const { codes } = await within(deadline, `SUBACK to ${this.name}`, answered);
    if (codes[0] !== this.qos) this.ledger.fail(`${this.name} was granted ${codes}`);
    this.subscribedAt = this.ledger.now();
  }

  resumed(present) {
    this.late = [];
    if (!present) this.incoming.clear();
  }

  #note(text) {
    const [name, number] = text.split(' ');
    const numbers = this.got.get(name) ?? new Map();
    this.got.set(name, numbers);
    const n = Number(number);
    const before = numbers.get(n);
    if (before === undefined && n < (numbers.highest ?? 0)) {
      this.ledger.fail(`${this.name} got message ${n} of ${name} for the first time after ` +
        `${numbers.highest}`);
    }
    numbers.highest = Math.max(n, numbers.highest ?? 0);
    numbers.set(n, (before ?? 0) + 1);
    ++this.count;
  }

  publish({ qos, packetId, text, dup }) {
    const what = text.split(' ', 2).join(' ');
    if (qos === 2 && this.incoming.has(packetId)) {
      if (this.incoming.get(packetId) !== what || !dup) {
        this.ledger.fail(`${this.name} was sent ${what}${dup ? ' with DUP' : ''} as ${packetId}, ` +
          `which is still ${this.incoming.get(packetId)}`);
      }
    } else {
      if (qos === 2) this.incoming.set(packetId, what);
      this.#note(text);
    }
    if (qos > 0) this.late.push(codec.ack(qos === 1 ? 'puback' : 'pubrec', packetId));
    while (this.late.length > this.lag) this.raw.send(this.late.shift());
  }

  pubrel({ packetId }) {
    this.incoming.delete(packetId);
    this.raw.send(codec.ack('pubcomp', packetId));
  }

  // Messages that were promised to this subscriber: sent after its SUBACK, and acknowledged.
  #promised() {
    return this.ledger.messages.filter((message) =>
      message.ackedAt !== undefined && message.sentAt > this.subscribedAt);
  }

  times(message) {
    return this.got.get(message.by.name)?.get(message.number) ?? 0;
  }

  get missing() {
    return this.#promised().filter((message) => this.times(message) === 0);
  }

  // Messages that came more than once though both ends were QoS 2 with a session.
  get repeated() {
    return this.ledger.messages.filter((message) => this.qos === 2 && message.by.qos === 2 &&
      message.by.persistent && this.times(message) > 1);
  }
}
