/** Every key that Prometheus knows is either in the schema or in the table of refused keys with its reason, and never in both. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KNOWN_KEYS, knownKeys } from '../../src/config/known-keys.ts';
import { SUPPORTED_KEYS } from '../../src/config/schema.ts';

/** `section.key` a line. */
const PROMETHEUS = readFileSync(join(import.meta.dirname, 'prometheus-keys.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

const supported = Object.entries(SUPPORTED_KEYS).flatMap(([section, keys]) => keys.map((key) => `${section}.${key}`));
const refused = KNOWN_KEYS.map(({ section, key }) => `${section}.${key}`);

test('supported and refused keys together are all keys of Prometheus', () => {
  expect(new Set([...supported, ...refused])).toEqual(new Set(PROMETHEUS));
});

test('no key is there twice', () => {
  expect(new Set([...supported, ...refused]).size).toBe(supported.length + refused.length);
});

test('each refused key has a reason', () => {
  for (const { section, key, why } of KNOWN_KEYS) {
    expect(why).toMatch(/^[^.]{10,}[^.]$/);
    expect(knownKeys(section).get(key)?.why).toBe(why);
  }
});
