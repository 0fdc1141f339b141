// Front: TLS and WebSocket by Node in front of a plain MQTT port, so that our clients meet the
// implementations of others.

import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { WebSocketServer } from 'ws';
import { deadline, within } from './raw.mjs';

const destroyTogether = (one, other) => {
  for (const socket of [one, other]) socket.on('error', () => {});
  one.once('close', () => other.destroy());
  other.once('close', () => one.destroy());
};

export class Front {
  // Listens on a free port. `kind`: tls, ws or wss; `to`: the plain port; `options`: of Node's TLS
  // server. What clients showed is in `seen`: {servername, alpn, subject, resumed, path}.
  static async start(kind, to, options = {}) {
    const front = new Front(kind, to, options);
    front.server.listen(0, '0.0.0.0');
    await within(deadline, `a front for ${kind}`,
      new Promise((resolve) => { front.server.once('listening', resolve); }));
    front.port = front.server.address().port;
    return front;
  }

  constructor(kind, to, options) {
    Object.assign(this, { to, seen: [], sockets: new Set() });
    if (kind === 'tls') this.server = tls.createServer(options, (socket) => this.#pipe(socket));
    else this.server = kind === 'ws' ? http.createServer() : https.createServer(options);
    if (kind !== 'tls') this.#upgrade();
    this.server.on('tlsClientError', () => {});
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  #note(socket, path) {
    const encrypted = socket instanceof tls.TLSSocket;
    this.seen.push({ path, servername: socket.servername, alpn: socket.alpnProtocol,
      subject: encrypted ? socket.getPeerCertificate()?.subject?.CN : undefined,
      resumed: encrypted && socket.isSessionReused() });
  }

  #pipe(socket) {
    this.#note(socket);
    const below = net.connect(this.to, '127.0.0.1');
    destroyTogether(socket, below);
    socket.pipe(below).pipe(socket);
  }

  #upgrade() {
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false) });
    this.server.on('upgrade', (request, socket, head) => {
      this.#note(socket, request.url);
      if (!request.url.startsWith('/mqtt')) {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nnot for you\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (above) => {
        const below = net.connect(this.to, '127.0.0.1');
        destroyTogether(socket, below);
        above.on('message', (bytes) => below.write(bytes));
        below.on('data', (bytes) => above.send(bytes));
      });
    });
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
