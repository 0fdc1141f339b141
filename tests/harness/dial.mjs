// Sockets to a listener of the server on this machine.

import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';

// The port of "127.0.0.1:1883".
export const portOf = (address) => Number(address.split(':').at(-1));

// Dials; sends nothing of its own. `secure`: options of node:tls, for TLS. `before`: bytes that go
// before all, before TLS too: a header of the PROXY protocol. `allowHalfOpen`: the end of what the
// server sends does not end what the client does. Returns {socket, ready}; `ready` resolves when the
// socket is connected, with TLS when the handshake is done.
export function dial(port, { secure, before, allowHalfOpen = false } = {}) {
  const plain = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen });
  if (before) plain.write(before);
  let socket = plain;
  if (secure) {
    plain.on('error', () => {});  // the TLS socket tells it, too
    socket = tls.connect({ socket: plain, servername: 'localhost', ...secure });
  }
  const ready = new Promise((resolve, reject) => {
    socket.once(secure ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before it was connected')));
  });
  ready.catch(() => {});
  return { socket, ready };
}

// The first bytes of a TLS handshake, as Node sends them. `secure`: options of node:tls.
export function clientHello(secure = {}) {
  const sent = [];
  const below = new Duplex({ read() {}, write(bytes, encoding, done) {
    sent.push(bytes);
    done();
  } });
  const socket = tls.connect({ socket: below, servername: 'localhost', ...secure });
  socket.on('error', () => {});
  const hello = Buffer.concat(sent);
  socket.destroy();
  return hello;
}
