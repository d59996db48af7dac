import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { RelabelConfig } from '../../src/config/model.ts';
import { md5, md5Modulo } from '../../src/relabel/md5.ts';
import { canBecomeLabelName } from '../../src/relabel/names.ts';
import { regexpOf, RegexpError } from '../../src/relabel/regexp.ts';
import { relabelled, relabelSteps, rulesOf } from '../../src/relabel/relabel.ts';
import { labelsOf, recordOf, ruleFrom, type RuleText } from './rules.ts';

interface Case {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly rules: readonly RuleText[];
  readonly want: Record<string, string> | null;
}

const CASES = parse(readFileSync(join(import.meta.dirname, 'cases.yml'), 'utf8')) as readonly Case[];

test.each(CASES)('$name', ({ labels, rules, want }) => {
  const configs = rules.map(ruleFrom);
  const before = labelsOf(labels);
  expect(recordOf(relabelled(rulesOf(configs), before))).toEqual(want);
  expect(recordOf(before)).toEqual(labels);
  const steps = relabelSteps(configs, before);
  expect(recordOf(steps.at(-1)!.after)).toEqual(want);
});

test('the labels come out sorted as bytes', () => {
  const rules = rulesOf([ruleFrom({ target_label: '￿', replacement: 'x' })]);
  const names = relabelled(rules, labelsOf({ '🙂': 'a', b: 'c' }))!.map(({ name }) => name);
  expect(names).toEqual(['b', '￿', '🙂']);
});

test('steps: before and after each rule, and none behind the one that dropped', () => {
  const configs = [
    ruleFrom({ target_label: 'a', replacement: 'x' }),
    ruleFrom({ source_labels: ['a'], regex: 'x', action: 'drop' }),
    ruleFrom({ target_label: 'b', replacement: 'y' }),
  ];
  const steps = relabelSteps(configs, labelsOf({ z: '1' }));
  expect(steps.map(({ rule, before, after }) => [rule.action, recordOf(before), recordOf(after)])).toEqual([
    ['replace', { z: '1' }, { a: 'x', z: '1' }],
    ['drop', { a: 'x', z: '1' }, null],
  ]);
});

test('no pattern takes exponential time', () => {
  const regexp = regexpOf('(a+)+b|(a|aa)+c');
  const startMs = performance.now();
  expect(regexp.test('a'.repeat(20_000))).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(2_000);
});

test.each([
  ['(', 'missing closing ): ('],
  ['[a', 'missing closing ]: [a'],
  ['a**', 'invalid nested repetition operator: **'],
  ['(?=a)', 'invalid or unsupported Perl syntax: (?='],
  ['\\1', 'invalid escape sequence: \\1'],
  ['a{1001}', 'invalid repeat count: {1001}'],
  [')', 'unexpected ): )'],
])('not RE2: %s', (pattern, message) => {
  expect(() => regexpOf(pattern)).toThrow(RegexpError);
  expect(() => regexpOf(pattern)).toThrow(message);
});

test.each([
  ['-label', false],
  ['label', true],
  ['label${1}', true],
  ['${1}label', true],
  ['${1}', true],
  ['${', false],
  ['$', false],
  ['${}', false],
  ['foo${', false],
  ['$1', true],
  ['asd$2asd', true],
  ['-foo${1}bar-', false],
  ['bar.foo${1}bar', false],
  ['_${1}_', true],
  ['foo${bar}foo', true],
  ['1a', false],
  ['', false],
])('legacy: can %s become the name of a label? %s', (template, can) => {
  expect(canBecomeLabelName(template, 'legacy')).toBe(can);
});

// RFC 1321, A.5.
test.each([
  ['', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['a', '0cc175b9c0f1b6a831c399e269772661'],
  ['abc', '900150983cd24fb0d6963f7d28e17f72'],
  ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
  ['abcdefghijklmnopqrstuvwxyz', 'c3fcd3d76192e4007dfb496cca67e13b'],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', 'd174ab98d277d9f5a5611c2c9f419d9f'],
  [
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
    '57edf4a22be3c955ac49da2e2107b67a',
  ],
])('MD5 of %j', (text, digest) => {
  expect(Buffer.from(md5(Buffer.from(text))).toString('hex')).toBe(digest);
});

test('MD5 and its remainder, against another implementation', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.oneof(
        fc.integer({ min: 1, max: 2 ** 22 }),
        fc.maxSafeInteger().map((n) => Math.abs(n) + 1),
      ),
      (text, modulus) => {
        const digest = createHash('md5').update(Buffer.from(text)).digest();
        expect(Buffer.from(md5(Buffer.from(text))).equals(digest)).toBe(true);
        if (!Number.isSafeInteger(modulus)) return;
        expect(BigInt(md5Modulo(text, modulus))).toBe(digest.readBigUInt64BE(8) % BigInt(modulus));
      },
    ),
  );
});

/** Relabelling said as plainly as it can be, on patterns that mean the same in JavaScript (which forgets groups of an earlier repetition). */
function naive(rules: readonly RelabelConfig[], labels: Record<string, string>): Record<string, string> | null {
  let now: [string, string][] = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const set = new Set<string>();
  const get = (name: string): string => now.find(([held]) => held === name)?.[1] ?? '';
  const put = (name: string, value: string): void => {
    const i = now.findIndex(([held]) => held === name);
    if (value === '' || i < 0 || !set.has(name)) now = now.filter(([held]) => held !== name);
    if (value === '') set.delete(name);
    else if (i >= 0 && set.has(name)) now[i] = [name, value];
    else {
      now.push([name, value]);
      set.add(name);
    }
  };
  for (const rule of rules) {
    const value = rule.sourceLabels.map(get).join(rule.separator);
    const pattern = new RegExp(`^(?:${rule.regex})$`, 'su');
    const fill = (text: string, match: RegExpExecArray): string =>
      text.replaceAll(/\$\{?([0-9])\}?/g, (_, group: string) => match[Number(group)] ?? '');
    const match = pattern.exec(value);
    if (rule.action === 'keep' && match === null) return null;
    if (rule.action === 'drop' && match !== null) return null;
    if (rule.action === 'keepequal' && value !== get(rule.targetLabel)) return null;
    if (rule.action === 'dropequal' && value === get(rule.targetLabel)) return null;
    if (rule.action === 'replace' && match !== null) {
      const name = fill(rule.targetLabel, match);
      if (name !== '') put(name, fill(rule.replacement, match));
    }
    if (rule.action === 'lowercase') put(rule.targetLabel, value.toLowerCase());
    if (rule.action === 'uppercase') put(rule.targetLabel, value.toUpperCase());
    if (rule.action === 'hashmod') {
      const hash = createHash('md5').update(value).digest().readBigUInt64BE(8);
      put(rule.targetLabel, String(hash % BigInt(rule.modulus)));
    }
    for (const [name, held] of now.slice()) {
      const nameMatch = pattern.exec(name);
      if (rule.action === 'labeldrop' && nameMatch !== null) put(name, '');
      if (rule.action === 'labelkeep' && nameMatch === null) put(name, '');
      if (rule.action === 'labelmap' && nameMatch !== null) {
        const mapped = fill(rule.replacement, nameMatch);
        if (mapped !== '') put(mapped, held);
      }
    }
  }
  return Object.fromEntries(now);
}

test('as the naive model, whatever the rules', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'ab', '__x', 'job');
  const value = fc.string({ unit: fc.constantFrom('a', 'b', 'B', ';', '1', '\n', '-'), maxLength: 5 });
  const rule: fc.Arbitrary<RuleText> = fc.record({
    action: fc.constantFrom(
      ...(['replace', 'replace', 'keep', 'drop', 'keepequal', 'dropequal', 'hashmod'] as const),
      ...(['labelmap', 'labeldrop', 'labelkeep', 'lowercase', 'uppercase'] as const),
    ),
    source_labels: fc.array(name, { maxLength: 3 }),
    separator: fc.constantFrom(';', '', '-'),
    regex: fc.constantFrom('(.*)', '.*', '(a)(.*)', 'a|b', '[^a]*', '', '(.+);(.*)', '(a*?)(a*)', '_*(.)'),
    modulus: fc.integer({ min: 1, max: 9 }),
    target_label: name,
    replacement: fc.constantFrom('$1', 'x', '${2}${1}', 'a$1', '$0', ''),
  });
  const labels = fc.dictionary(
    name,
    value.filter((text) => text !== ''),
    { maxKeys: 5, noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 5 }), labels, (texts, held) => {
      const rules = texts.map(ruleFrom);
      expect(recordOf(relabelled(rulesOf(rules), labelsOf(held)))).toEqual(naive(rules, held));
    }),
    { numRuns: 5_000 },
  );
});
