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

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

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

test('the README’s table has each refused key, and no other', () => {
  const rows = /\| refused \| why \|\n.*\n((?:\|.*\n)+)/.exec(README)![1]!.trim().split('\n');
  const named = new Set(rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(([, key]) => key!)));
  // The kinds of discovery that are not there yet are one row.
  const told = ({ section, key }: (typeof KNOWN_KEYS)[number]): boolean =>
    named.has(key) || (section === 'scrape_configs' && key.endsWith('_sd_configs') && named.has('*_sd_configs'));
  expect(KNOWN_KEYS.filter((known) => !told(known)).map(({ section, key }) => `${section}.${key}`)).toEqual([]);
  const sections = new Set(KNOWN_KEYS.map(({ section }) => section));
  const other = [...named].filter((key) => key !== '*_sd_configs' && !sections.has(key));
  expect(other.filter((key) => !KNOWN_KEYS.some((known) => known.key === key))).toEqual([]);
});
