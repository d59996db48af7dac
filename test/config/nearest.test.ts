import { expect, test } from 'vitest';
import { editDistance, nearest } from '../../src/config/nearest.ts';

const KEYS = ['scrape_interval', 'scrape_timeout', 'scrape_configs', 'static_configs', 'params', 'scheme'];

test.each([
  ['scrape_intervall', 'scrape_interval'],
  ['scrapeInterval', 'scrape_interval'],
  ['scrape-timeout', 'scrape_timeout'],
  ['sheme', 'scheme'],
  ['shceme', 'scheme'],
  ['param', 'params'],
  ['x', undefined],
  ['', undefined],
  ['entirely_else', undefined],
  ['scrape_interval'.repeat(10), undefined],
])('%s means %s', (word, meant) => {
  expect(nearest(word, KEYS)).toBe(meant);
});

test.each([
  ['', 'abc', 3],
  ['abc', '', 3],
  ['abc', 'abc', 0],
  ['abc', 'acb', 1],
  ['kitten', 'sitting', 3],
])('from %j to %j are %d steps', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});
