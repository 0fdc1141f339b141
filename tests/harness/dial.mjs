// Sockets to a listener of the server on this machine.

import net from 'node:net';
import tls from 'node:tls';

// The port of "127.0.0.1:1883".
export const portOf = (address) => Number(address.split(':').at(-1));

// Dials; sends nothing of its own. `secure`: options of node:tls, for TLS. `before`: bytes that go
// before all, before TLS too: a header of the PROXY protocol. Returns {socket, ready}; `ready`
// resolves when the socket is connected, with TLS when the handshake is done.
export function dial(port, { secure, before } = {}) {
  const plain = net.connect({ port, host: '127.0.0.1', noDelay: true });
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
