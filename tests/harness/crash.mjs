// Servers that lose power: what they synced is recorded by tests/preload/synced.c, and what they
// did not sync is taken from their files after kill -9, which by itself loses nothing.

import fs from 'node:fs';
import path from 'node:path';
import { preloadLibrary } from './preload.mjs';
import { Server, temporaryFolder } from './server.mjs';

// A server under the library. Its `synced.on()` starts the given modes and `synced.off()` ends them:
// delayMs, failAfter (syncs), fullAfter (bytes); see synced.c.
export async function startRecorded(options = {}) {
  const { delayMs, failAfter, fullAfter, env = {}, args = [], ...others } = options;
  const folder = temporaryFolder();
  const record = path.join(folder, 'record');
  const toggle = path.join(folder, 'switch');
  const modes = Object.entries({ SYNCED_DELAY_MS: delayMs, SYNCED_FAIL_AFTER: failAfter,
    SYNCED_FULL_AFTER: fullAfter }).filter(([, value]) => value !== undefined);
  try {
    const server = await Server.start({ ...others, folder, args: ['--durability', 'disk', ...args],
      env: { ...env, LD_PRELOAD: preloadLibrary('synced'), SYNCED_RECORD: record,
        SYNCED_FOLDER: path.join(fs.realpathSync(folder), 'data'), SYNCED_SWITCH: toggle,
        ...Object.fromEntries(modes.map(([name, value]) => [name, String(value)])) } });
    server.owned = true;
    server.synced = {
      record,
      on: () => fs.writeFileSync(toggle, ''),
      off: () => fs.rmSync(toggle, { force: true }),
    };
    return server;
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

// What the library has recorded, in order: {kind, path, …}. Times are ms as performance.now() has
// them here.
export function readRecord(record) {
  const zero = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  const lines = fs.readFileSync(record, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const space = line.indexOf(' ');
    const kind = line.slice(0, space);
    const rest = line.slice(space + 1);
    if (kind === 'sync') {
      const [, length, begin, end, file] = rest.match(/^(\d+) (\d+) (\d+) (.*)$/);
      return { kind, path: file, length: Number(length), begin: Number(begin) / 1e6 - zero,
        end: Number(end) / 1e6 - zero };
    }
    const [file, to] = rest.split('\t');
    return { kind, path: file, to };
  });
}

// The length that each file was last synced at, by path.
function syncedLengths(record) {
  const lengths = new Map();
  for (const event of readRecord(record)) {
    if (event.kind === 'sync') {
      lengths.set(event.path, Math.max(event.length, lengths.get(event.path) ?? 0));
    } else if (event.kind === 'rename') {
      lengths.set(event.to, lengths.get(event.path) ?? 0);
      lengths.delete(event.path);
    } else if (event.kind === 'unlink') {
      lengths.delete(event.path);
    }
  }
  return lengths;
}

// RocksDB's own log and lock hold nothing.
const worthless = /^(LOG(\.old.*)?|LOCK)$/;

// Cuts every file of the store to what a power cut may have left of it: a length between the synced
// one and the present one, chosen by `random(below)`, or with `exact` the synced one. The server must
// have ended. Returns what was cut: [{name, was, synced, now}].
export function cutToSynced(data, record, random, { exact = false } = {}) {
  const lengths = syncedLengths(record);
  const cut = [];
  const store = path.join(fs.realpathSync(data), 'store');
  for (const name of fs.readdirSync(store).sort()) {
    const file = path.join(store, name);
    const status = fs.statSync(file);
    if (!status.isFile() || worthless.test(name)) continue;
    const synced = Math.min(lengths.get(file) ?? 0, status.size);
    const now = exact ? synced : synced + random(status.size - synced + 1);
    if (now < status.size) {
      fs.truncateSync(file, now);
      cut.push({ name, was: status.size, synced, now });
    }
    // What is there after a power cut is on the disk.
    fs.appendFileSync(record, `sync ${now} 0 0 ${file}\n`);
  }
  return cut;
}

export const showCut = (cut) => (cut.length === 0 ? 'nothing was cut' : cut.map(
  ({ name, was, synced, now }) => `${name}: ${was} bytes, ${synced} synced, cut to ${now}`)
  .join('; '));
