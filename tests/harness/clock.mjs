// Servers on a machine whose wall clock a test can set, by tests/preload/clock.c.

import fs from 'node:fs';
import path from 'node:path';
import { preloadLibrary } from './preload.mjs';
import { Server, temporaryFolder } from './server.mjs';

export const second = 1000;
export const hour = 3600 * second;
export const day = 24 * hour;
export const year = 365 * day;

// A server whose `clock.set(ms)` makes its wall clock so much wrong, and its next runs' too.
export async function startWithClock(options = {}) {
  const folder = temporaryFolder();
  const file = path.join(folder, 'clock');
  const set = (ms) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ms));
    const fd = fs.openSync(file, fs.existsSync(file) ? 'r+' : 'w');
    fs.writeSync(fd, bytes, 0, 8, 0);  // one write: the server sees the old offset or the new one
    fs.closeSync(fd);
  };
  set(options.offset ?? 0);
  try {
    const server = await Server.start({ ...options, folder,
      env: { ...options.env, LD_PRELOAD: preloadLibrary('clock'), CLOCK_OFFSET: file } });
    server.owned = true;
    server.clock = { set };
    return server;
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
