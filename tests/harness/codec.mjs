// MQTT packets to bytes and back, for tests only. Independent of MQTT.js and of Gnomon's own codec,
// so that an error of either shows. `v` is the protocol level: 3 (3.1), 4 (3.1.1) or 5.

export const type = {
  reserved: 0, connect: 1, connack: 2, publish: 3, puback: 4, pubrec: 5, pubrel: 6, pubcomp: 7,
  subscribe: 8, suback: 9, unsubscribe: 10, unsuback: 11, pingreq: 12, pingresp: 13,
  disconnect: 14, auth: 15,
};
const typeName = Object.fromEntries(Object.entries(type).map(([name, n]) => [n, name]));

// ---- primitives

export const u8 = (n) => Buffer.from([n]);
export const u16 = (n) => Buffer.from([n >> 8, n & 255]);
export const u32 = (n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
export const bin = (bytes) => Buffer.concat([u16(bytes.length), bytes]);
// A string as UTF-8, or bytes as they are (for strings that are not UTF-8).
export const str = (text) => bin(Buffer.from(text));
// A variable byte integer. `width` forces a length, for the forms that are not minimal.
export function varint(n, width = 0) {
  const bytes = [];
  do {
    bytes.push(n % 128);
    n = Math.floor(n / 128);
  } while (n > 0 || bytes.length < width);
  return Buffer.from(bytes.map((byte, i) => (i + 1 < bytes.length ? byte | 128 : byte)));
}

// ---- properties

const property = {
  payloadFormat: [0x01, 'u8'], messageExpiry: [0x02, 'u32'], contentType: [0x03, 'str'],
  responseTopic: [0x08, 'str'], correlationData: [0x09, 'bin'], subscriptionId: [0x0b, 'varint'],
  sessionExpiry: [0x11, 'u32'], assignedClientId: [0x12, 'str'], serverKeepAlive: [0x13, 'u16'],
  authMethod: [0x15, 'str'], authData: [0x16, 'bin'], requestProblem: [0x17, 'u8'],
  willDelay: [0x18, 'u32'], requestResponse: [0x19, 'u8'], responseInformation: [0x1a, 'str'],
  serverReference: [0x1c, 'str'], reasonString: [0x1f, 'str'], receiveMaximum: [0x21, 'u16'],
  topicAliasMaximum: [0x22, 'u16'], topicAlias: [0x23, 'u16'], maximumQos: [0x24, 'u8'],
  retainAvailable: [0x25, 'u8'], user: [0x26, 'pair'], maximumPacketSize: [0x27, 'u32'],
  wildcardAvailable: [0x28, 'u8'], subscriptionIdsAvailable: [0x29, 'u8'],
  sharedAvailable: [0x2a, 'u8'],
};
const propertyName = Object.fromEntries(
  Object.entries(property).map(([name, [id]]) => [id, name]));

const encoders = {
  u8, u16, u32, str, bin, varint, pair: ([key, value]) => Buffer.concat([str(key), str(value)]),
};

// One property: `prop('topicAlias', 3)`.
export function prop(name, value) {
  const [id, form] = property[name];
  return Buffer.concat([u8(id), encoders[form](value)]);
}

// The property block with its length. `props`: an object, where `user` (pairs) and `subscriptionId`
// may be lists, or a Buffer with ready properties; `length` states another length than the real one.
export function properties(props = {}, length) {
  let body = props;
  if (!Buffer.isBuffer(props)) {
    const parts = [];
    for (const [name, value] of Object.entries(props)) {
      if (value === undefined) continue;
      const many = name === 'user' || Array.isArray(value);
      for (const one of many ? value : [value]) parts.push(prop(name, one));
    }
    body = Buffer.concat(parts);
  }
  return Buffer.concat([varint(length ?? body.length), body]);
}
const propertiesFor = (v, props) => (v >= 5 ? properties(props) : Buffer.alloc(0));

// ---- client packets

// A whole packet from its first byte and the rest; `remaining` states another remaining length.
export function frame(first, body = Buffer.alloc(0), remaining = body.length) {
  return Buffer.concat([u8(first), varint(remaining), body]);
}

export function connect(options = {}) {
  const {
    v = 5, id = '', clean = true, keepAlive = 60, props, will, username, password,
    protocol = v === 3 ? 'MQIsdp' : 'MQTT', level = v, flags,
  } = options;
  const computed = (clean ? 2 : 0) |
    (will ? 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0) : 0) |
    (password === undefined ? 0 : 64) | (username === undefined ? 0 : 128);
  const parts = [str(protocol), u8(level), u8(flags ?? computed), u16(keepAlive),
    propertiesFor(v, props), str(id)];
  if (will) parts.push(propertiesFor(v, will.props), str(will.topic), bin(bytesOf(will.payload)));
  if (username !== undefined) parts.push(str(username));
  if (password !== undefined) parts.push(str(password));
  return frame(0x10, Buffer.concat(parts));
}

const bytesOf = (payload) => Buffer.from(payload ?? '');

export function publish(options) {
  const { v = 5, topic, payload, qos = 0, retain = false, dup = false, packetId = 1, props } = options;
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  return frame(first, Buffer.concat([
    str(topic), qos > 0 ? u16(packetId) : Buffer.alloc(0), propertiesFor(v, props),
    bytesOf(payload)]));
}

// PUBACK, PUBREC, PUBREL or PUBCOMP.
export function ack(kind, packetId, reason, props) {
  const parts = [u16(packetId)];
  if (reason !== undefined) parts.push(u8(reason));
  if (props !== undefined) parts.push(properties(props));
  return frame((type[kind] << 4) | (kind === 'pubrel' ? 2 : 0), Buffer.concat(parts));
}

// `filters`: strings, or {filter, qos, noLocal, retainAsPublished, retainHandling, options}.
export function subscribe({ v = 5, packetId = 1, filters, props }) {
  const parts = [u16(packetId), propertiesFor(v, props)];
  for (const entry of filters) {
    const f = typeof entry === 'string' || Buffer.isBuffer(entry) ? { filter: entry } : entry;
    const bits = (f.qos ?? 0) | (f.noLocal ? 4 : 0) | (f.retainAsPublished ? 8 : 0) |
      ((f.retainHandling ?? 0) << 4);
    parts.push(str(f.filter), u8(f.options ?? bits));
  }
  return frame(0x82, Buffer.concat(parts));
}

export function unsubscribe({ v = 5, packetId = 1, filters, props }) {
  return frame(0xa2, Buffer.concat([
    u16(packetId), propertiesFor(v, props), ...filters.map(str)]));
}

export const pingreq = () => frame(0xc0);

export function disconnect({ v = 5, reason, props } = {}) {
  const parts = [];
  if (v >= 5 && (reason !== undefined || props)) parts.push(u8(reason ?? 0));
  if (v >= 5 && props) parts.push(properties(props));
  return frame(0xe0, Buffer.concat(parts));
}

export function auth({ reason = 0x18, props = {} } = {}) {
  return frame(0xf0, Buffer.concat([u8(reason), properties(props)]));
}

// ---- server packets

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get left() {
    return this.bytes.length - this.at;
  }
  take(n) {
    if (n > this.left) throw new Error(`server packet is short by ${n - this.left} bytes`);
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }
  u8() {
    return this.take(1)[0];
  }
  u16() {
    return this.take(2).readUInt16BE();
  }
  u32() {
    return this.take(4).readUInt32BE();
  }
  bin() {
    return Buffer.from(this.take(this.u16()));
  }
  str() {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bin());
  }
  pair() {
    return [this.str(), this.str()];
  }
  varint() {
    let n = 0;
    for (let i = 0; i < 4; ++i) {
      const byte = this.u8();
      n += (byte & 127) * 128 ** i;
      if (byte < 128) {
        if (i > 0 && byte === 0) throw new Error('server sent a varint that is not minimal');
        return n;
      }
    }
    throw new Error('server sent a varint of more than four bytes');
  }
  rest() {
    return Buffer.from(this.take(this.left));
  }
  properties() {
    const block = new Reader(this.take(this.varint()));
    const props = {};
    while (block.left > 0) {
      const id = block.varint();
      const name = propertyName[id];
      if (!name) throw new Error(`server sent the unknown property ${id}`);
      const value = block[property[name][1]]();
      if (name === 'user' || name === 'subscriptionId') (props[name] ??= []).push(value);
      else if (name in props) throw new Error(`server sent ${name} twice`);
      else props[name] = value;
    }
    return props;
  }
}

const bodies = {
  connack(r, v) {
    const flags = r.u8();
    if (flags > 1) throw new Error(`CONNACK flags ${flags}`);
    const packet = { sessionPresent: flags === 1, code: r.u8() };
    return v >= 5 ? { ...packet, props: r.properties() } : packet;
  },
  publish(r, v, flags) {
    const qos = (flags >> 1) & 3;
    const packet = { qos, retain: (flags & 1) === 1, dup: (flags & 8) === 8, topic: r.str() };
    if (qos > 0) packet.packetId = r.u16();
    if (v >= 5) packet.props = r.properties();
    packet.payload = r.rest();
    packet.text = packet.payload.toString();
    return packet;
  },
  suback(r, v) {
    const packet = { packetId: r.u16() };
    if (v >= 5) packet.props = r.properties();
    return { ...packet, codes: [...r.rest()] };
  },
  disconnect(r, v) {
    if (v < 5) throw new Error('a server sends no DISCONNECT before MQTT 5');
    return { code: r.left > 0 ? r.u8() : 0, props: r.left > 0 ? r.properties() : {} };
  },
  pingresp: () => ({}),
  pubrel: (r, v, flags) => ({ ...acknowledgement(r, v), flags }),
  puback: acknowledgement,
  pubrec: acknowledgement,
  pubcomp: acknowledgement,
  unsuback: (r, v) => bodies.suback(r, v),
};
function acknowledgement(r, v) {
  const packetId = r.u16();
  if (v < 5) return { packetId, code: 0, props: {} };
  return { packetId, code: r.left > 0 ? r.u8() : 0, props: r.left > 0 ? r.properties() : {} };
}
const fixedFlags = (name, flags) => (name === 'publish' ? flags : name === 'pubrel' ? 2 : 0);

// Takes the first whole packet of a server off `bytes`: {packet, size}, or null when more must come.
// Strict: throws on whatever a server may not send.
export function decode(bytes, v) {
  let length = 0;
  let at = 1;
  for (let scale = 1; ; scale *= 128) {
    if (at >= bytes.length) return null;
    length += (bytes[at] & 127) * scale;
    if (bytes[at++] < 128) break;
    if (at > 4) throw new Error('server sent a remaining length of more than four bytes');
  }
  if (bytes.length < at + length) return null;
  const name = typeName[bytes[0] >> 4];
  const flags = bytes[0] & 15;
  const body = bodies[name];
  if (!body) throw new Error(`server sent ${name}`);
  if (flags !== fixedFlags(name, flags)) throw new Error(`${name} with flags ${flags}`);
  const reader = new Reader(bytes.subarray(at, at + length));
  const packet = { type: name, size: at + length, ...body(reader, v, flags) };
  if (reader.left > 0) throw new Error(`${name} with ${reader.left} bytes too many`);
  return { packet, size: at + length };
}
