/** Where the package lies: the worker's sources and `wrangler.toml` are found from here, wherever the command was called. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

const ROOT = findRoot(fileURLToPath(import.meta.url));

/** Works for `src/cli/` and for the built `dist/narthex.js` alike: the nearest folder above that holds `package.json`. */
function findRoot(from: string): string {
  for (let dir = dirname(from); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir;
    if (dir === dirname(dir)) throw new Failure(`no package.json in any folder above ${from}: install narthex again`);
  }
}

/** `NARTHEX_WORKER_ROOT` replaces it in the tests of the command, which bring a small worker of their own. */
export function workerRoot(): string {
  return process.env['NARTHEX_WORKER_ROOT'] ?? ROOT;
}
