import { expect, test } from 'vitest';
import { labelsFrom } from '../../../src/model/labels.ts';
import { isOfFamily } from '../../../src/scrape/page/families.ts';
import { finalLabels, PageError } from '../../../src/scrape/page/labels.ts';

const pairs = (text: string): string[] =>
  text
    .split(' ')
    .filter(Boolean)
    .flatMap((pair) => pair.split('='));
const labels = (text: string) =>
  labelsFrom(
    text
      .split(' ')
      .filter(Boolean)
      .map((pair) => pair.split('=') as [string, string]),
  );

/** Exposed, the target's, external, then the final ones, and those with honor_labels. Prometheus' scrape/scrape_test.go has most of these. */
test.each([
  ['foo=bar', 'a=1', '', 'a=1 foo=bar', 'a=1 foo=bar'],
  ['a=0', 'a=1', '', 'a=1 exported_a=0', 'a=0'],
  ['a=', 'a=1', '', 'a=1', ''],
  ['a=0 exported_a=x', 'a=1', '', 'a=1 exported_a=x exported_exported_a=0', 'a=0 exported_a=x'],
  ['a=1', 'exported_a=2', '', 'a=1 exported_a=2', 'a=1 exported_a=2'],
  [
    'exported_a=1 a=2',
    'a=3 exported_a=4',
    '',
    'a=3 exported_a=4 exported_exported_a=2 exported_exported_exported_a=1',
    'a=2 exported_a=1',
  ],
  ['x=1', 'job=j', 'x=2 y=3 job=k', 'job=j x=1 y=3', 'job=j x=1 y=3'],
  ['x=', '', 'x=2', 'x=2', 'x=2'],
  ['é=1 z=1 Z=1 _=1', '', '', 'Z=1 _=1 z=1 é=1', 'Z=1 _=1 z=1 é=1'],
])('%s at %s, external %s', (exposed, target, external, replaced, honoured) => {
  expect(finalLabels(pairs(exposed), labels(target), labels(external), false)).toEqual(pairs(replaced));
  expect(finalLabels(pairs(exposed), labels(target), labels(external), true)).toEqual(pairs(honoured));
});

test('a name that occurs twice is refused', () => {
  expect(() => finalLabels(['__name__', 'm', 'a', '1', 'a', '2'], [], [], false)).toThrow(PageError);
  expect(() => finalLabels(['__name__', 'm', '__name__', 'n'], [], [], false)).toThrow(
    '"__name__" occurs twice in a series of m',
  );
});

const [UNTYPED, COUNTER, GAUGE, HISTOGRAM, SUMMARY] = [0, 1, 2, 3, 5] as const;

test.each([
  ['a', 'a', UNTYPED, true],
  ['a_sum', 'a', UNTYPED, false],
  ['a', 'a', GAUGE, true],
  ['a_total', 'a', GAUGE, false],
  ['a_total', 'a', COUNTER, true],
  ['a_total', 'a_total', COUNTER, true],
  ['a', 'a_total', COUNTER, false],
  ['b_total', 'a', COUNTER, false],
  ['a_bucket', 'a', HISTOGRAM, true],
  ['a_sum', 'a', HISTOGRAM, true],
  ['a_count', 'a', HISTOGRAM, true],
  ['ab_count', 'a', HISTOGRAM, false],
  ['a_count', 'a', SUMMARY, true],
  ['a_bucket', 'a', SUMMARY, false],
  ['a', 'a', SUMMARY, true],
])('series %s of family %s of type %d: %s', (series, family, type, expected) => {
  expect(isOfFamily(series, family, type)).toBe(expected);
});
