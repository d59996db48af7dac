import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtobufCursor } from '../../../src/scrape/exposition/protobuf/cursor.ts';
import { entriesOf } from './entries-of.ts';
import { encodeFamilies, type TestFamily } from './metric-family.ts';

const read = (families: readonly TestFamily[]): ReturnType<typeof entriesOf> =>
  entriesOf(new ProtobufCursor(encodeFamilies(families)));

const FAMILIES: readonly TestFamily[] = [
  {
    name: 'a_total',
    type: 'counter',
    help: 'A.\\n',
    unit: 'things',
    metrics: [
      { labels: { b: 'c"\\\n', 'l y': 'z' }, value: 1.5, exemplar: { labels: { t: 'x' }, value: 0.5, ms: 1234 } },
      { value: -0, ms: 1_700_000_000_123 },
      { exemplar: { labels: {}, value: 2 } },
    ],
  },
  { name: 'empty', type: 'gauge', metrics: [] },
  { name: 'm.x', type: 'gauge', metrics: [{ value: NaN }, { labels: { a: '' }, value: Infinity, ms: -5 }] },
  { name: 'u', type: 'untyped', metrics: [{ value: 3 }] },
  {
    name: 's',
    type: 'summary',
    metrics: [
      {
        count: 4,
        sum: 5,
        quantiles: [
          [0.5, 1],
          [0.99, NaN],
        ],
        labels: { a: 'b' },
        ms: 7,
      },
      { count: 2 ** 63, sum: -1 },
    ],
  },
  {
    name: 'h',
    type: 'histogram',
    metrics: [
      {
        count: 3,
        sum: 9,
        buckets: [
          [0.1, 1],
          [1, 2, { labels: { t: 'y' }, value: 0.7 }],
        ],
        native: true,
      },
      {
        countFloat: 2.5,
        count: 7,
        sum: 1,
        buckets: [
          [1e6, 1],
          [Infinity, 2],
          [7, 3],
        ],
      },
      { count: 1, sum: 1, native: true },
    ],
  },
  { name: 'g', type: 'gaugehistogram', metrics: [{ count: 1, sum: 1, buckets: [[-1, 0]] }] },
];

describe('protobuf', () => {
  test('gives the entries that text would', () => {
    const n = '"__name__"';
    expect(read(FAMILIES)).toEqual({
      error: null,
      entries: [
        'help a_total: A.\\n',
        'unit a_total: things',
        'type a_total: 1',
        `[${n},"a_total","b","c\\"\\\\\\n","l y","z"] 1.5 # ["t","x"] 0.5 @1234`,
        `[${n},"a_total"] -0 @1700000000123`,
        `[${n},"a_total"] 0 # [] 2`,
        'help m.x: ',
        'type m.x: 2',
        `[${n},"m.x"] NaN`,
        `[${n},"m.x","a",""] Infinity @-5`,
        'help u: ',
        'type u: 0',
        `[${n},"u"] 3`,
        'help s: ',
        'type s: 5',
        `[${n},"s_count","a","b"] 4 @7`,
        `[${n},"s_sum","a","b"] 5 @7`,
        `[${n},"s","a","b","quantile","0.5"] 1 @7`,
        `[${n},"s","a","b","quantile","0.99"] NaN @7`,
        `[${n},"s_count"] 9223372036854776000`,
        `[${n},"s_sum"] -1`,
        'help h: ',
        'type h: 3',
        `[${n},"h_count"] 3`,
        `[${n},"h_sum"] 9`,
        `[${n},"h_bucket","le","0.1"] 1`,
        `[${n},"h_bucket","le","1.0"] 2 # ["t","y"] 0.7`,
        `[${n},"h_bucket","le","+Inf"] 3`,
        `[${n},"h_count"] 2.5`,
        `[${n},"h_sum"] 1`,
        `[${n},"h_bucket","le","1e+06"] 1`,
        `[${n},"h_bucket","le","+Inf"] 2`,
        `[${n},"h_count"] 1`,
        `[${n},"h_sum"] 1`,
        `[${n},"h_bucket","le","+Inf"] 1`,
        'help g: ',
        'type g: 4',
        `[${n},"g_count"] 1`,
        `[${n},"g_sum"] 1`,
        `[${n},"g_bucket","le","-1.0"] 0`,
        `[${n},"g_bucket","le","+Inf"] 1`,
      ],
    });
  });

  test('spells a key as the text format would', () => {
    const cursor = new ProtobufCursor(encodeFamilies([FAMILIES[5]!, { ...FAMILIES[0]!, name: 'é"' }]));
    const keys: string[] = [];
    const page = new TextDecoder();
    for (let kind = -1; kind !== 0;) {
      kind = cursor.next(new Uint8Array(0), 0, 0);
      if (kind === 1) keys.push(page.decode(cursor.keys.subarray(cursor.keyStart, cursor.keyEnd)));
    }
    expect(keys).toContain('{"h_bucket","le"="1e+06"}');
    expect(keys).toContain('{"é\\"","b"="c\\"\\\\\\n","l y"="z"}');
  });

  test('a key that is expected is found again', () => {
    const body = encodeFamilies(FAMILIES);
    const keys: Uint8Array[] = [];
    const first = new ProtobufCursor(body);
    for (let kind = -1; kind !== 0;) {
      kind = first.next(new Uint8Array(0), 0, 0);
      if (kind === 1) keys.push(first.keys.slice(first.keyStart, first.keyEnd));
    }
    const again = new ProtobufCursor(body);
    for (let kind = -1, i = 0; kind !== 0;) {
      kind = again.next(keys[i] ?? new Uint8Array(0), 0, keys[i]?.length ?? 0);
      if (kind === 1) expect([i++, again.expected]).toEqual([i - 1, true]);
    }
  });

  test.each([
    ['no name', [{ name: '', type: 'gauge', metrics: [{}] }], /a metric name that is not empty/],
    ['an empty label name', [{ name: 'a', type: 'gauge', metrics: [{ labels: { '': 'x' } }] }], /a label name that is/],
  ] as const)('refuses %s', (_, families, message) => {
    expect(read(families).error).toMatch(message);
  });

  test('refuses what is not UTF-8, and types that it does not know', () => {
    const broken = (text: string, by: number): Uint8Array => {
      const body = encodeFamilies([
        { name: 'name', type: 'gauge', metrics: [{ labels: { label: 'value' }, value: 1 }] },
      ]);
      const at = Buffer.from(body).indexOf(text);
      body[at] = by;
      return body;
    };
    for (const text of ['name', 'label', 'value']) {
      expect(entriesOf(new ProtobufCursor(broken(text, 0xff))).error).toMatch(/^byte \d+: expected valid UTF-8$/);
    }
    expect(
      entriesOf(new ProtobufCursor(broken('\x18\x01', 0x18).map((c, i, all) => (all[i - 1] === 0x18 ? 6 : c)))).error,
    ).toMatch(/a metric type from 0 to 5, got 6/);
  });

  test('a cut message is an error', () => {
    const body = encodeFamilies(FAMILIES.slice(0, 1));
    for (let end = 1; end < body.length; end++) {
      expect(entriesOf(new ProtobufCursor(body.slice(0, end))).error).toMatch(/^protobuf: /);
    }
  });

  test('whatever the bytes, it ends with entries or an error', () => {
    const body = encodeFamilies(FAMILIES);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { maxLength: 8 }), (damage) => {
        const damaged = body.slice();
        for (const [at, by] of damage) damaged[at] = by;
        const { error } = entriesOf(new ProtobufCursor(damaged));
        if (error !== null) expect(error).toMatch(/^(protobuf: |byte \d+: expected )/);
      }),
      { numRuns: 2000 },
    );
  });

  test('a metric of labels alone fails before it fills the memory', () => {
    const labels = new Uint8Array(100_000).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    const body = encodeFamilies([{ name: 'a', type: 'gauge', metrics: [{ value: 1 }] }]);
    // The family's last field is the metric: its length, and that of the family, are made longer.
    const metric = [0x22, 0xa0, 0x8d, 0x06, ...labels];
    const family = [...body.slice(1, body.indexOf(0x22)), ...metric];
    const length = [(family.length & 0x7f) | 0x80, ((family.length >>> 7) & 0x7f) | 0x80, family.length >>> 14];
    expect(entriesOf(new ProtobufCursor(Uint8Array.from([...length, ...family]))).error).toMatch(
      /at most 16384 labels/,
    );
  });
});
