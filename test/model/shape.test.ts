/** Compiled code that works on short-lived objects outlives garbage collections: no class was forgotten where `keepShape` is said, and no field outgrows the one that is kept. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const FLAGS = ['--expose-gc', '--trace-deopt', '--no-warnings'];
const WORK = join(import.meta.dirname, 'shape-work.ts');

/** What the work forgets on purpose. */
const FORGOTTEN = ['addToForgotten', 'sumOfForgotten'];
/** Closures that are made once a scrape or record, such as `tracked`, are gone after it, and some of the code around them. A class that is forgotten is more than that. */
const OTHERS_MAX = 5;

/** Names of functions whose code was thrown away since a hidden class or something else in it was collected. V8 words it differently from version to version. */
const thrownAway = (trace: string): Set<string> => {
  const found = /SharedFunctionInfo ?([^>]*)>\) \(opt id \d+\) for deoptimization, reason: [a-z ]*weak objects/g;
  return new Set([...trace.matchAll(found)].map(([, name]) => name!));
};

test('a garbage collection throws no code of kept classes away', { timeout: 120_000 }, async () => {
  const { stdout } = await run(process.execPath, [...FLAGS, WORK], { maxBuffer: 64 * 1024 * 1024 });
  const names = thrownAway(stdout);
  expect(names).toContain('addToForgotten');
  const others = [...names].filter((name) => !FORGOTTEN.includes(name));
  expect(others.length, others.join(', ')).toBeLessThanOrEqual(OTHERS_MAX);
});
