import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TextCursor } from '../../../src/scrape/exposition/text.ts';
import { entriesOf, utf8 } from './entries-of.ts';

const read = (page: Uint8Array, expected?: readonly Uint8Array[]): ReturnType<typeof entriesOf> =>
  entriesOf(new TextCursor(page), expected);

/** Pages and what they hold. Verified against Prometheus 3.13's parser, but for what the file's header names. */
const PAGES: readonly (readonly [page: string, ...entries: string[]])[] = [
  [''],
  ['\n\n \t\n'],
  ['a 1', '["__name__","a"] 1'],
  ['a\t1\t\n', '["__name__","a"] 1'],
  ['  a 1\n', '["__name__","a"] 1'],
  [':a_9:b 1 \n', '["__name__",":a_9:b"] 1'],
  ['a{} 1\n', '["__name__","a"] 1'],
  ['a {\t} 1\n', '["__name__","a"] 1'],
  ['a{b="c"}1\n', '["__name__","a","b","c"] 1'],
  ['a+1\n', '["__name__","a"] 1'],
  ['a{b="c",} 1\n', '["__name__","a","b","c"] 1'],
  ['a { b = "c" d= "e" , } 1\n', '["__name__","a","b","c","d","e"] 1'],
  ['a{b="\\"\\\\\\n\\x"} 1\n', '["__name__","a","b","\\"\\\\\\n\\\\x"] 1'],
  ['a{b="two\nlines"} 1\n', '["__name__","a","b","two\\nlines"] 1'],
  ['a{b="x\0"} 1\n', '["__name__","a","b","x\\u0000"] 1'],
  ['a{b="é😀"} 1\n', '["__name__","a","b","é😀"] 1'],
  ['a{b=""} 1\n', '["__name__","a","b",""] 1'],
  ['{"m.x"} 1\n', '["__name__","m.x"] 1'],
  ['{ "m.x" , "l y" = "z", a="b" } 1\n', '["__name__","m.x","l y","z","a","b"] 1'],
  ['{a="b","m\\"x"} 1\n', '["__name__","m\\"x","a","b"] 1'],
  ['a 1 0\n', '["__name__","a"] 1 @0'],
  ['a 1 1700000000123  \n', '["__name__","a"] 1 @1700000000123'],
  ['a NaN\na nan\n', '["__name__","a"] NaN', '["__name__","a"] NaN'],
  [
    'a +Inf\na -inf\na iNfiNity\n',
    '["__name__","a"] Infinity',
    '["__name__","a"] -Infinity',
    '["__name__","a"] Infinity',
  ],
  [
    'a -0\na .5\na 5.\na 1e-400\n',
    '["__name__","a"] -0',
    '["__name__","a"] 0.5',
    '["__name__","a"] 5',
    '["__name__","a"] 0',
  ],
  ['#\n# HELPa b\n#HELP a b\n# TYPES\n# HELP\n# a\0b\na 1\n', '["__name__","a"] 1'],
  ['# HELP a b\\n\\\\c\\"\n', 'help a: b\n\\c\\"'],
  ['#  HELP  a  b \n# HELP a\n# HELP a \t\n# HELP a\tb', 'help a:  b ', 'help a: ', 'help a: ', 'help a: b'],
  ['# HELP "m.x" b\n# TYPE "m.x" gauge\n', 'help m.x: b', 'type m.x: 2'],
  [
    '# TYPE a counter\n# TYPE a gauge\n# TYPE a histogram\n# TYPE a summary\n# TYPE a untyped\n',
    ...['1', '2', '3', '5', '0'].map((type) => `type a: ${type}`),
  ],
  [
    '# TYPE a histogram\na{le="1",quantile="1"} 1\na{le="1e6"} 1\na{le="x"} 1\n# TYPE b summary\na{le="1",quantile="0.50"} 1\n',
    'type a: 3',
    '["__name__","a","le","1.0","quantile","1"] 1',
    '["__name__","a","le","1e+06"] 1',
    '["__name__","a","le","x"] 1',
    'type b: 5',
    '["__name__","a","le","1","quantile","0.5"] 1',
  ],
];

/** Pages that fail, and what the message says. */
const FAULTS: readonly (readonly [page: string, message: RegExp])[] = [
  ['a', /^line 1: expected a value, got the end of the page in "a"$/],
  ['a 1\n\n b x\n', /^line 3: expected a value \(not a number\), got "x\\n" in "b x"$/],
  ['a 1\r\n', /expected a value \(not a number\), got "1\\r\\n"/],
  ['# TYPE a gauge\r\n', /expected counter, gauge, histogram, summary or untyped, and then a line break/],
  ['# TYPE a  gauge\n', /expected counter, gauge/],
  ['# TYPE a constructor\n', /expected counter, gauge/],
  ['# TYPE a\n', /expected counter, gauge/],
  ['# TYPE \n', /a metric name after TYPE/],
  ['# HELP 1 x\n', /a metric name after HELP/],
  ['a{,} 1\n', /a label name, got ",} 1/],
  ['a{b="c",,} 1\n', /a label name/],
  ['a{b:c="d"} 1\n', /"=" after a label name, got ":c=/],
  ["a{b='c'} 1\n", /a label value in double quotes, got "'c'/],
  ['a{b="c} 1\n', /a closing quote of a label value, got the end of the page/],
  ['a{b="\\\n"} 1\n', /without a line break after a backslash/],
  ['a{b="c"\n} 1\n', /a label name, got "\\n/],
  ['{a="b"} 1\n', /a quoted metric name within the braces/],
  ['a{"m.x"} 1\n', /one metric name only/],
  ['{"m","n"} 1\n', /one metric name only/],
  ['{""} 1\n', /a metric name that is not empty/],
  ['{"a",""="b"} 1\n', /a label name that is not empty/],
  ['a 1 -5\n', /a timestamp in milliseconds or a line break, got "-5/],
  ['a 1 5 6\n', /a line break after the timestamp/],
  ['a 1 99999999999999999999\n', /a timestamp of 64 bits/],
  ['a 1_0\n', /hexadecimal floats and underscores are not taken/],
  ['a 0x1p3\n', /hexadecimal floats/],
  ['a 0x10\n', /not a number/],
  ['a +NaN\n', /not a number/],
  ['a 1e400\n', /a float64 cannot hold it/],
  ['a 1{\n', /a timestamp in milliseconds or a line break/],
  ['a{b="c"}{d="e"} 1\n', /a value, got "{d=/],
  ['\0a 1\n', /a metric name, a comment or a line break, got "\\u0000a 1/],
  ['9a 1\n', /a metric name, a comment or a line break/],
];

describe('the text format', () => {
  test.each(PAGES)('reads %j', (page, ...entries) => {
    expect(read(utf8(page))).toEqual({ entries, error: null });
  });

  test.each(FAULTS)('refuses %j', (page, message) => {
    expect(read(utf8(page)).error).toMatch(message);
  });

  test('refuses what is not UTF-8, wherever it matters', () => {
    for (const page of [
      'a{b="\xff"} 1\n',
      '{"\xff"} 1\n',
      '{"a","\xff"="b"} 1\n',
      '# HELP a \xff\n',
      '# HELP "\xff" a\n',
    ]) {
      expect(read(Buffer.from(page, 'latin1')).error).toMatch(/^line 1: expected valid UTF-8, got/);
    }
    expect(read(Buffer.from('# \xff\na 1\n', 'latin1')).entries).toHaveLength(1);
  });

  test('shortens what it shows of a line', () => {
    const { error } = read(utf8(`a 1\nb{c="${'x'.repeat(100_000)}"} y\n`));
    expect(error).toMatch(/^line 2: .*in "?…/);
    expect(error!.length).toBeLessThan(300);
  });

  // Pieces that fit together often enough to be read far, and texts that begin like others.
  const piece = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom('a', 'ab', 'a{', 'b="c"', '"m.x"', '}', ',', ' ', '\n', '1', ' 2\n', ' 3 4\n'),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        'a 1\n',
        'ab 1\n',
        'a{b="c"} 1\n',
        'a {b="c"} 1\n',
        '{"m.x",b="c"} 1\n',
        '# HELP a b\n',
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('"', '\\', '=', '#', '\t', '\r', '\0', 'NaN', '-', '.', 'e', '# TYPE a gauge'),
    },
  );
  const pages = fc.array(piece, { maxLength: 20 }).map((pieces) => utf8(pieces.join('')));

  test('whatever the bytes, it ends with entries or an error that names a line', () => {
    fc.assert(
      fc.property(fc.oneof(pages, fc.uint8Array({ maxLength: 60 })), (page) => {
        const { error } = read(page);
        if (error !== null) expect(error).toMatch(/^line \d+: expected /);
      }),
      { numRuns: 2000 },
    );
  });

  test('expecting a text changes nothing but the time it takes', () => {
    const texts = ['a', 'ab', 'a{b="c"}', 'a {b="c"}', '{"m.x",b="c"}', 'a{}'].map(utf8);
    fc.assert(
      fc.property(pages, fc.shuffledSubarray([...texts, ...texts], { minLength: 1 }), (page, expected) => {
        // One that never comes, so that none is ever expected.
        expect(read(page, expected)).toEqual(read(page, [utf8('\x01')]));
      }),
      { numRuns: 2000 },
    );
  });
});
