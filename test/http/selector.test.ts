/** Selectors of targets; errors as Prometheus 3.15 gives them, where it has the same words. */

import { describe, expect, test } from 'vitest';
import { labelsFrom } from '../../src/model/labels.ts';
import { matchesAll, parseSelector } from '../../src/http/selector.ts';

const labels = labelsFrom([
  ['job', 'node'],
  ['instance', 'a.example:9100'],
  ['dotted.name', 'x"y'],
]);
const matches = (selector: string): boolean => matchesAll(parseSelector(selector), labels);

describe('a selector', () => {
  test.each([
    ['{}', true],
    ['{job="node"}', true],
    [` { job = 'node' , instance =~ "a\\\\..*" , } `, true],
    ['{job=`node`}', true],
    ['{job=~"no"}', false],
    ['{job!~"no", job!="other"}', true],
    ['{missing=""}', true],
    ['{missing!=""}', false],
    ['{"dotted.name"="x\\"y"}', true],
    ['{"dotted.name"=~"x\\u0022y"}', true],
    ['{job="n\\x6fd\\145"}', true],
    ['up', false],
    ['up{job="node"}', false],
    ['{"up"}', false],
    ['{__name__=""}', true],
  ])('%s', (selector, wanted) => expect(matches(selector)).toBe(wanted));
});

describe('a mistake', () => {
  test.each([
    ['', '1:1: parse error: unexpected end of input'],
    ['{job="node"', '1:12: parse error: unexpected end of input inside braces'],
    ['{job=', '1:6: parse error: unexpected end of input in label matching, expected string'],
    ['{job}', '1:5: parse error: unexpected "}" in label matching'],
    ['{job="a" x="b"}', '1:10: parse error: unexpected "x" inside braces'],
    ['{job="a"} x', '1:11: parse error: unexpected "x"'],
    ['{\njob="a', '2:5: parse error: unterminated quoted string'],
    ['{job="\\q"}', '1:7: parse error: unknown escape sequence'],
    ['{job="\\UFFFFFFFF"}', '1:7: parse error: escape sequence is an invalid Unicode code point'],
    ['{job=~"("}', '1:7: parse error: error parsing regexp: missing closing ): ('],
  ])('%j', (selector, message) => expect(() => parseSelector(selector)).toThrow(message));
});
