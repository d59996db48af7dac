import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OpenMetricsCursor } from '../../../src/scrape/exposition/openmetrics.ts';
import { entriesOf, utf8 } from './entries-of.ts';

const read = (page: Uint8Array, expected?: readonly Uint8Array[]): ReturnType<typeof entriesOf> =>
  entriesOf(new OpenMetricsCursor(page), expected);

/** Pages, without their `# EOF`, and what they hold. */
const PAGES: readonly (readonly [page: string, ...entries: string[]])[] = [
  [''],
  ['a 1\n', '["__name__","a"] 1'],
  [':a_9:b +1e3\n', '["__name__",":a_9:b"] 1000'],
  ['a{} 1\n', '["__name__","a"] 1'],
  ['a{b="c",} 1\n', '["__name__","a","b","c"] 1'],
  ['a{b="c",d="e f{}#"} NaN\n', '["__name__","a","b","c","d","e f{}#"] NaN'],
  ['a{b="\\"\\\\\\n\\x"} -Inf\n', '["__name__","a","b","\\"\\\\\\n\\\\x"] -Infinity'],
  ['a{b="x\0"} 1\n', '["__name__","a","b","x\\u0000"] 1'],
  ['{"m.x"} 1\n', '["__name__","m.x"] 1'],
  ['{"m.x","l y"="z",a="b"} 1\n', '["__name__","m.x","l y","z","a","b"] 1'],
  ['{a="b","m.x"} 1\n', '["__name__","m.x","a","b"] 1'],
  ['a 1 1.5\na 1 -0.001\na 1 0\na 1 1e3\n', ...['1500', '-1', '0', '1000000'].map((t) => `["__name__","a"] 1 @${t}`)],
  ['a 1 1700000000.1239\n', '["__name__","a"] 1 @1700000000123'],
  ['# HELP a b\\n\\\\c\\"\n', 'help a: b\n\\c"'],
  ['# HELP a \n# HELP "m.x"  b\n', 'help a: ', 'help m.x:  b'],
  [
    '# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# UNIT b \n',
    'type a_seconds: 2',
    'unit a_seconds: seconds',
    'unit b: ',
  ],
  [
    ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset']
      .map((type) => `# TYPE a ${type}\n`)
      .join(''),
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((type) => `type a: ${type}`),
  ],
  [
    '# TYPE a histogram\na_bucket{le="1",quantile="1"} 1\n# TYPE b summary\nb{le="1",quantile="0.50"} 1\n# TYPE c gaugehistogram\nc_bucket{le="1"} 1\n',
    'type a: 3',
    '["__name__","a_bucket","le","1.0","quantile","1"] 1',
    'type b: 5',
    '["__name__","b","le","1","quantile","0.5"] 1',
    'type c: 4',
    '["__name__","c_bucket","le","1"] 1',
  ],
  ['a_total 1 # {} 0.5\n', '["__name__","a_total"] 1 # [] 0.5'],
  ['a_total 1 2 # {t="x",} 0.5 3.25\n', '["__name__","a_total"] 1 @2000 # ["t","x"] 0.5 @3250'],
  [
    'a{b="c"} 1 # {"t 1"="x # {",u="\\""} NaN -1\n',
    '["__name__","a","b","c"] 1 # ["t 1","x # {","u","\\\\\\""] NaN @-1000',
  ],
  ['a_created 1.7e9\n', '["__name__","a_created"] 1700000000'],
];

/** Pages that fail as they are, and what the message says. */
const FAULTS: readonly (readonly [page: string, message: RegExp])[] = [
  ['', /^line 1: expected the page to end with "# EOF" and a line break, got the end of the page/],
  ['a 1\n', /^line 2: expected the page to end with "# EOF"/],
  ['a 1', /the page to end with "# EOF"/],
  ['a 1\n# EOF\n\n', /^line 2: expected nothing after "# EOF", got "\\n"/],
  ['# EOF\na 1\n', /nothing after "# EOF"/],
  ['# EOF \n', /nothing after "# EOF"/],
  ['# EOF\r\n', /nothing after "# EOF"/],
  ['#EOF\n', /^line 1: expected "# ", got "#EOF/],
  ['# EO', /HELP, TYPE, UNIT or EOF/],
  ['# comment\n# EOF\n', /HELP, TYPE, UNIT or EOF, got "comment/],
  ['\na 1\n# EOF\n', /a metric name, or HELP/],
  [' a 1\n# EOF\n', /a metric name, or HELP/],
  ['a  1\n# EOF\n', /a value, got " 1/],
  ['a\t1\n# EOF\n', /a blank and a value, got "\\t1/],
  ['a 1 \n# EOF\n', /a timestamp in seconds, got "\\n/],
  ['a 1\t\n# EOF\n', /a value \(not a number\)/],
  ['a 1\r\n# EOF\n', /a value \(not a number\)/],
  ['a {b="c"} 1\n# EOF\n', /a value \(not a number\), got "{b=/],
  ['a{ b="c"} 1\n# EOF\n', /a label name, got " b=/],
  ['a{b ="c"} 1\n# EOF\n', /"=" after a label name/],
  ['a{b= "c"} 1\n# EOF\n', /a label value in double quotes/],
  ['a{b="c" } 1\n# EOF\n', /a comma or a closing brace, got " } 1/],
  ['a{b="c"d="e"} 1\n# EOF\n', /a comma or a closing brace/],
  ['a{,} 1\n# EOF\n', /a label name, got ",}/],
  ['a{b="c",,} 1\n# EOF\n', /a label name/],
  ['a{b="c}\n# EOF\n', /a closing quote of a label value, got the end/],
  ['a{b="c\nd"} 1\n# EOF\n', /a closing quote in the same line/],
  ['a{b="c"}1\n# EOF\n', /a blank and a value/],
  ['{a="b"} 1\n# EOF\n', /a quoted metric name within the braces/],
  ['a{"m.x"} 1\n# EOF\n', /one metric name only/],
  ['{""} 1\n# EOF\n', /a metric name that is not empty/],
  ['a 1 x\n# EOF\n', /a timestamp in seconds \(not a number\)/],
  ['a 1 NaN\n# EOF\n', /a timestamp of 64 bits/],
  ['a 1 Inf\n# EOF\n', /a timestamp of 64 bits/],
  ['a 1 1e30\n# EOF\n', /a timestamp of 64 bits/],
  ['a 1 1 1\n# EOF\n', /a line break or " # {", got " 1/],
  ['a 1_0\n# EOF\n', /hexadecimal floats and underscores/],
  ['# TYPE a untyped\n# EOF\n', /one of unknown, counter/],
  ['# TYPE a gauge \n# EOF\n', /one of unknown, counter/],
  ['# TYPE a\n# EOF\n', /a blank after the metric name/],
  ['# HELP a x', /a line break, got the end/],
  ['# HELP  a x\n# EOF\n', /a metric name, got " a x/],
  ['# UNIT a_seconds bytes\n# EOF\n', /a unit that the metric name ends with, got "bytes/],
  ['# UNIT seconds seconds\n# EOF\n', /a unit that the metric name ends with/],
  ['# UNIT aseconds seconds\n# EOF\n', /a unit that the metric name ends with/],
  ['a 1 # {b="c"}\n# EOF\n', /a blank and an exemplar's value/],
  ['a 1 # {b="c"} x\n# EOF\n', /an exemplar's value \(not a number\)/],
  ['a 1 # {b="c"} 1 x\n# EOF\n', /an exemplar's timestamp in seconds/],
  ['a 1 # {b="c"} 1 1 1\n# EOF\n', /a line break or/],
  ['a 1 # {"m.x"} 1\n# EOF\n', /"=" after a label name/],
  ['a 1 # {b="c\n"} 1\n# EOF\n', /a closing quote in the same line/],
  ['a 1 # {b="c" 1\n# EOF\n', /a comma or a closing brace/],
  ['a 1 # {b="c"} 1', /the page to end with "# EOF"/],
  ['a 1 # b\n# EOF\n', /a timestamp in seconds \(not a number\), got "# b/],
];

describe('OpenMetrics', () => {
  test.each(PAGES)('reads %j', (page, ...entries) => {
    expect(read(utf8(`${page}# EOF\n`))).toEqual({ entries, error: null });
    // The last line break may be missing.
    expect(read(utf8(`${page}# EOF`))).toEqual({ entries, error: null });
  });

  test.each(FAULTS)('refuses %j', (page, message) => {
    expect(read(utf8(page)).error).toMatch(message);
  });

  test('refuses what is not UTF-8', () => {
    for (const line of [
      'a{b="\xff"} 1',
      '{"\xff"} 1',
      '{"a","\xff"="b"} 1',
      '# HELP a \xff',
      '# UNIT a_\xff \xff',
      'a 1 # {b="\xff"} 1',
    ]) {
      expect(read(Buffer.from(`${line}\n# EOF\n`, 'latin1')).error).toMatch(/^line 1: expected /);
    }
  });

  test('no part of a page is taken for a whole one', () => {
    const page = '# TYPE a counter\na_total{b="c"} 1 2 # {d="e"} 3 4\n# EOF';
    for (let end = 0; end < page.length; end++) expect(read(utf8(page.slice(0, end))).error).toMatch(/^line \d+: /);
    expect(read(utf8(page)).error).toBeNull();
  });

  const pages = fc
    .array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.constantFrom(
            'a',
            'ab',
            'a{',
            'b="c"',
            '"m.x"',
            '}',
            ',',
            ' ',
            '\n',
            '1',
            ' 2\n',
            ' # {',
            ' 3 4\n',
          ),
        },
        {
          weight: 4,
          arbitrary: fc.constantFrom(
            'a 1\n',
            'ab 1\n',
            'a{b="c"} 1\n',
            '{"m.x",b="c"} 1 2\n',
            '# HELP a b\n',
            '# UNIT a_b b\n',
            '# EOF\n',
            'a{b="c"} 1 # {t="x"} 1\n',
          ),
        },
        { weight: 1, arbitrary: fc.constantFrom('"', '\\', '=', '#', '\t', '\r', '\0', 'NaN', '# TYPE a gauge') },
      ),
      { maxLength: 20 },
    )
    .map((pieces) => utf8(pieces.join('')));

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
    const texts = ['a', 'ab', 'a{b="c"}', '{"m.x",b="c"}'].map(utf8);
    fc.assert(
      fc.property(pages, fc.shuffledSubarray([...texts, ...texts], { minLength: 1 }), (page, expected) => {
        expect(read(page, expected)).toEqual(read(page, [utf8('\x01')]));
      }),
      { numRuns: 2000 },
    );
  });
});
