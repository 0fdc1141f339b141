// HTTP and WebSocket as bytes: requests, heads and frames exactly as a test writes them.

import { createHash, randomBytes } from 'node:crypto';
import * as codec from './codec.mjs';
import { dial } from './dial.mjs';
import { deadline, within } from './raw.mjs';

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// A frame of a client. `fin`, `rsv` (3 bits), `masked`, `length` (stated instead of the real one).
export function frame(op, payload = Buffer.alloc(0), options = {}) {
  const { fin = true, rsv = 0, masked = true, length = payload.length } = options;
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const size = length < 126 ? Buffer.from([length])
    : length < 65536 ? Buffer.concat([Buffer.from([126]), codec.u16(length)])
      : Buffer.concat([Buffer.from([127]), codec.u32(0), codec.u32(length)]);
  size[0] |= masked ? 0x80 : 0;
  const body = masked ? Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4])) : payload;
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | op]), size, mask, body]);
}
export const binary = (payload, options) => frame(opcode.binary, payload, options);

// Wire: a connection whose bytes are read as HTTP answers, then as frames of a server.
export class Wire {
  static async open(port, how) {
    const wire = new Wire(dial(port, how));
    await within(deadline, 'connection', wire.ready);
    return wire;
  }

  constructor({ socket, ready }) {
    this.socket = socket;
    this.ready = ready;
    this.received = Buffer.alloc(0);
    this.closed = false;
    this.openedAt = performance.now();
    this.changed = () => {};
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.changed();
    });
    socket.on('error', () => {});  // a reset is a close
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        if (!this.closed) this.closedAfter = performance.now() - this.openedAt;
        this.closed = true;
        this.changed();
      });
    }
  }

  send(...parts) {
    if (this.socket.destroyed || this.socket.writableEnded) return false;
    return this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  }

  // What `look` makes of the bytes: {size, …} is taken off them, null is more to come.
  async take(look, what, ms = deadline) {
    let found = null;
    await within(ms, () => `${what}; ${this.received.length} bytes are here`, new Promise((resolve) => {
      this.changed = () => {
        if ((found = look(this.received)) || this.closed) resolve();
      };
      this.changed();
    }));
    if (!found) throw new Error(`closed instead of ${what}: ${this.received.toString('latin1')}`);
    this.received = this.received.subarray(found.size);
    return found;
  }

  // The server closes; returns what came before.
  async close(ms = deadline) {
    await within(ms, 'the server to close', new Promise((resolve) => {
      this.changed = () => { if (this.closed) resolve(); };
      this.changed();
    }));
    this.socket.destroy();
    return this.received;
  }

  // The next HTTP answer: {status, headers (lower case), body}.
  answer(ms) {
    return this.take((bytes) => {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return null;
      const [line, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(lines.map((text) => {
        const colon = text.indexOf(':');
        return [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim()];
      }));
      const size = end + 4 + Number(headers['content-length'] ?? 0);
      if (bytes.length < size) return null;
      return { size, status: Number(line.split(' ')[1]), headers,
        body: bytes.subarray(end + 4, size).toString() };
    }, 'an HTTP answer', ms);
  }

  // The next frame: {op, fin, payload; of a close also code and reason}.
  frame(ms) {
    return this.take((bytes) => {
      if (bytes.length < 2) return null;
      if (bytes[1] & 0x80) throw new Error('a server masked a frame');
      if (bytes[0] & 0x70) throw new Error('a server set a reserved bit');
      const short = bytes[1];
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < head) return null;
      const length = short < 126 ? short
        : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
      if (bytes.length < head + length) return null;
      const payload = Buffer.from(bytes.subarray(head, head + length));
      const found = { size: head + length, op: bytes[0] & 15, fin: bytes[0] >> 7 === 1, payload };
      if (found.op !== opcode.close) return found;
      return { ...found, code: length < 2 ? 1005 : payload.readUInt16BE(0),
        reason: payload.subarray(2).toString() };
    }, 'a frame', ms);
  }

  // The next MQTT packet out of binary frames, which may hold several and parts of them.
  async packet(v = 5, ms = deadline) {
    this.mqtt ??= Buffer.alloc(0);
    for (;;) {
      const found = codec.decode(this.mqtt, v);
      if (found) {
        this.mqtt = this.mqtt.subarray(found.size);
        return found.packet;
      }
      const { op, payload } = await this.frame(ms);
      if (op !== opcode.binary) throw new Error(`a frame of ${op} instead of MQTT`);
      this.mqtt = Buffer.concat([this.mqtt, payload]);
    }
  }

  // The close of this code comes, then the end.
  async expectCloseFrame(...codes) {
    const got = await this.frame();
    if (got.op !== opcode.close || !codes.includes(got.code)) {
      throw new Error(`expected close ${codes}, got ${JSON.stringify(got)}`);
    }
    await this.close();
    return got;
  }
}

// A request head; headers of null are left out.
export function request(target = '/mqtt', headers = {}, method = 'GET') {
  const all = { Host: 'localhost', ...headers };
  const lines = Object.entries(all).filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
export const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64');
export const upgrade = (headers = {}, target = '/mqtt') => request(target, { Upgrade: 'websocket',
  Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key,
  'Sec-WebSocket-Protocol': 'mqtt', ...headers });

// A WebSocket that was agreed to.
export async function openWebSocket(port, { headers, ...how } = {}) {
  const wire = await Wire.open(port, how);
  wire.send(upgrade(headers));
  const answer = await wire.answer();
  if (answer.status !== 101 || answer.headers['sec-websocket-accept'] !== accept) {
    throw new Error(`no WebSocket: ${JSON.stringify(answer)}`);
  }
  return wire;
}
