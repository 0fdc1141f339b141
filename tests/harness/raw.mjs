// Raw: a client that sends exactly the bytes it is told to, and says what came back.

import * as codec from './codec.mjs';
import { dial } from './dial.mjs';

export const deadline = 8000;  // ms; for what should happen at once

// Resolves when `promise` does, or rejects with `what` after `ms`.
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`);
      reject(error);
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Lets time go by, for tests of what time itself does (a message that expires, a keep-alive that is
// over). Never for waiting until something has happened.
export const pass = (ms) => new Promise((done) => { setTimeout(done, ms); });

const show = (packet) => JSON.stringify(packet, (key, value) =>
  (key === 'payload' || key === 'size' ? undefined
    : typeof value === 'string' && value.length > 80 ? `${value.slice(0, 80)}…` : value));

export class Raw {
  // Opens a connection; sends nothing, but what dial() has for `secure` and `before`.
  static open(port, { v = 5, ...how } = {}) {
    const raw = new Raw(dial(port, how), v);
    return within(deadline, 'connection', raw.opened).then(() => raw);
  }

  // A client over what dial() returns.
  constructor({ socket, ready }, v) {
    this.v = v;
    this.socket = socket;
    this.opened = ready;
    this.received = Buffer.alloc(0);
    this.packets = [];
    this.aliases = new Map();
    this.handler = null;  // given one, packets go there instead of waiting in `packets`
    this.nextId = 0;
    this.closed = false;
    this.openedAt = performance.now();
    this.socket.on('data', (bytes) => this.#take(bytes));
    this.socket.on('error', () => {});  // a reset is a close
    this.socket.on('end', () => this.#close());
    this.socket.on('close', () => this.#close());
    this.#arm();
  }

  #arm() {
    this.changed = new Promise((resolve) => { this.#wake = resolve; });
  }
  #wake;

  #notify() {
    this.#wake();
    this.#arm();
  }

  #close() {
    if (this.closed) return;
    this.closed = true;
    this.closedAfter = performance.now() - this.openedAt;
    this.#notify();
  }

  #take(bytes) {
    this.received = this.received.length ? Buffer.concat([this.received, bytes]) : bytes;
    try {
      let at = 0;
      for (let found; (found = codec.decode(this.received.subarray(at), this.v)); at += found.size) {
        const packet = this.#resolve(found.packet);
        if (this.handler) this.handler(packet);
        else this.packets.push(packet);
      }
      this.received = this.received.subarray(at);
    } catch (error) {
      this.broken ??= error;
      this.socket.destroy();
    }
    this.#notify();
  }

  // MQTT 5 §3.3.2.3.4: `topic` is what is meant, `wireTopic` what was sent.
  #resolve(packet) {
    if (packet.type !== 'publish') return packet;
    const alias = packet.props?.topicAlias;
    const resolved = { ...packet, wireTopic: packet.topic };
    if (alias === undefined) return resolved;
    if (packet.topic !== '') this.aliases.set(alias, packet.topic);
    else if (!this.aliases.has(alias)) throw new Error(`server used the unset alias ${alias}`);
    resolved.topic = this.aliases.get(alias);
    return resolved;
  }

  // Packets or bytes, in one write. Returns false once the socket is gone.
  send(...parts) {
    if (this.socket.destroyed || this.socket.writableEnded) return false;
    return this.socket.write(Buffer.concat(parts));
  }

  packetId() {
    this.nextId = (this.nextId % 65535) + 1;
    return this.nextId;
  }

  // The next packet, whatever it is; rejects if the server closes instead.
  async next(ms = deadline) {
    await this.#until(() => this.packets.length > 0 || this.closed, 'a packet', ms);
    if (this.packets.length === 0) throw new Error('the server closed instead of sending a packet');
    return this.packets.shift();
  }

  // The next packet, which has to be of this type and to have these fields.
  async expect(type, fields = {}, ms = deadline) {
    const packet = await this.next(ms);
    const wrong = packet.type !== type ||
      Object.entries(fields).some(([key, value]) => packet[key] !== value);
    if (wrong) throw new Error(`expected ${type} ${show(fields)}, got ${show(packet)}`);
    return packet;
  }

  // The first packet of this type and with these fields; those before it stay. For acknowledgements:
  // a server may send PUBLISHes of a subscription before its SUBACK (MQTT 5 §3.8.4).
  async answer(type, fields = {}, ms = deadline) {
    const fits = (packet) => packet.type === type &&
      Object.entries(fields).every(([key, value]) => packet[key] === value);
    let at = -1;
    const found = () => (at = this.packets.findIndex(fits)) >= 0;
    const what = `${type} ${show(fields)}`;
    await this.#until(() => found() || this.closed, what, ms);
    if (!found()) throw new Error(`expected ${what}, got ${this.packets.map(show)} and a close`);
    return this.packets.splice(at, 1)[0];
  }

  // The server closes; returns the packets that came before.
  async close(ms = deadline) {
    await this.#until(() => this.closed, 'the server to close', ms);
    this.socket.destroy();
    return this.packets.splice(0);
  }

  // The server closes without saying anything more.
  async expectClose(ms = deadline) {
    const packets = await this.close(ms);
    if (packets.length > 0) throw new Error(`expected a close, got ${packets.map(show).join(' ')}`);
  }

  // MQTT 5: the next packet is DISCONNECT with the code (or one of several), then the close.
  // Before MQTT 5: the close alone.
  async expectRefusal(codes, ms = deadline) {
    if (this.v < 5) return this.expectClose(ms);
    const packet = await this.expect('disconnect', {}, ms);
    if (![codes].flat().includes(packet.code)) {
      const wanted = [codes].flat().map((code) => `0x${code.toString(16)}`).join(' or ');
      throw new Error(`expected DISCONNECT ${wanted}, got 0x${packet.code.toString(16)} ` +
        `(${packet.props.reasonString})`);
    }
    await this.expectClose(ms);
    return packet;
  }

  // Takes packets until the server has handled all that was sent before, and returns them.
  async fence() {
    this.send(codec.pingreq());
    const before = [];
    for (;;) {
      const packet = await this.next();
      if (packet.type === 'pingresp') return before;
      before.push(packet);
    }
  }

  // Nothing is waiting for this client: the next packet answers its ping.
  async expectNothing() {
    const packets = await this.fence();
    if (packets.length > 0) throw new Error(`expected nothing, got ${packets.map(show).join(' ')}`);
  }

  async #until(condition, what, ms) {
    const late = () => `${what} (v${this.v}, ${this.packets.length} packets, ` +
      `${this.received.length} bytes of an unfinished one)`;
    await within(ms, late, (async () => {
      while (!condition()) await this.changed;
    })());
    if (this.broken) throw this.broken;
  }

  // ---- whole exchanges

  async connect(options = {}) {
    this.send(codec.connect({ v: this.v, ...options }));
    this.connack = await this.expect('connack');
    if (this.connack.code !== 0) throw new Error(`refused: ${show(this.connack)}`);
    return this;
  }

  // Returns the codes of the SUBACK.
  async subscribe(filters, props) {
    const packetId = this.packetId();
    this.send(codec.subscribe({ v: this.v, packetId, filters: [filters].flat(), props }));
    return (await this.answer('suback', { packetId })).codes;
  }

  async unsubscribe(filters, props) {
    const packetId = this.packetId();
    this.send(codec.unsubscribe({ v: this.v, packetId, filters: [filters].flat(), props }));
    return (await this.answer('unsuback', { packetId })).codes;
  }

  publish(topic, payload = '', options = {}) {
    const packetId = options.qos ? this.packetId() : undefined;
    this.send(codec.publish({ v: this.v, topic, payload, packetId, ...options }));
    return packetId;
  }

  // QoS 1 (or 2), until it is acknowledged; returns the PUBACK (PUBCOMP, or a PUBREC that refuses).
  async published(topic, payload = '', options = {}) {
    const packetId = options.packetId ?? this.packetId();
    this.publish(topic, payload, { qos: 1, ...options, packetId });
    if (options.qos !== 2) return this.answer('puback', { packetId });
    const pubrec = await this.answer('pubrec', { packetId });
    if (pubrec.code >= 0x80) return pubrec;
    this.send(codec.ack('pubrel', packetId));
    return this.answer('pubcomp', { packetId });
  }

  // The next packet is a PUBLISH; acknowledged to the end if it asks for it, unless `ack` is false.
  async message({ ack = true, ms = deadline } = {}) {
    const packet = await this.expect('publish', {}, ms);
    if (ack && packet.qos === 1) this.send(codec.ack('puback', packet.packetId));
    if (ack && packet.qos === 2) await this.complete(packet.packetId);
    return packet;
  }

  // PUBREC, PUBREL, PUBCOMP of a received message of QoS 2; other packets keep waiting.
  async complete(packetId) {
    this.send(codec.ack('pubrec', packetId));
    await this.answer('pubrel', { packetId });
    this.send(codec.ack('pubcomp', packetId));
  }

  async messages(count, options) {
    const all = [];
    while (all.length < count) all.push(await this.message(options));
    return all;
  }

  // DISCONNECT, then the server closes.
  async goodbye(options) {
    this.send(codec.disconnect({ v: this.v, ...options }));
    await this.expectClose();
  }

  destroy() {
    this.socket.destroy();
  }
}
