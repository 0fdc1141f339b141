// Hole: a way to a port through which nothing goes any more once its cable is pulled: no bytes, no end
// and no reset, in either direction, as from a client whose power or radio is gone.

import { once } from 'node:events';
import net from 'node:net';

export class Hole {
  // In front of `to`; its own port is `port`.
  static async open(to) {
    const hole = new Hole();
    hole.pairs = [];
    hole.pulled = false;
    hole.server = net.createServer({ allowHalfOpen: true }, (near) => {
      const far = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
      for (const socket of [near, far]) socket.setNoDelay(true).on('error', () => {});
      hole.pairs.push([near, far]);
      near.pipe(far);
      far.pipe(near);
      if (hole.pulled) hole.pull();
    });
    hole.server.listen(0, '127.0.0.1');
    await once(hole.server, 'listening');
    hole.port = hole.server.address().port;
    return hole;
  }

  pull() {
    this.pulled = true;
    for (const [near, far] of this.pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  // Everything goes, which the server then sees.
  close() {
    this.server.close();
    for (const socket of this.pairs.flat()) socket.destroy();
  }
}
