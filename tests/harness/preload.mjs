// Libraries that are preloaded into a server under test: tests/preload/NAME.c.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

// Builds the library if it is older than its source; returns its path. Test files run side by side:
// the finished one appears under its name at once.
export function preloadLibrary(name) {
  const source = path.join(root, `tests/preload/${name}.c`);
  const library = path.join(root, `build/tests/${name}.so`);
  const built = fs.statSync(library, { throwIfNoEntry: false });
  if (built && built.mtimeMs >= fs.statSync(source).mtimeMs) return library;
  fs.mkdirSync(path.dirname(library), { recursive: true });
  const fresh = `${library}.${process.pid}`;
  execFileSync(process.env.CC ?? 'cc', ['-std=c11', '-O1', '-shared', '-fPIC', '-Wall', '-Wextra',
    '-Werror', '-o', fresh, source, '-ldl']);
  fs.renameSync(fresh, library);
  return library;
}
