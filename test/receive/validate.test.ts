import { describe, expect, it } from 'vitest';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { DEFAULT_RECEIVE_LIMITS, type ReceiveLimits } from '../../src/receive/limits.ts';
import { type Reason, validate } from '../../src/receive/validate.ts';
import { double, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { message1, message2, NOW, series1, series2, type TestLabels } from './receiver.ts';

const limits: ReceiveLimits = { ...DEFAULT_RECEIVE_LIMITS, labelsMax: 4, nameBytesMax: 10, valueBytesMax: 12 };

function judged(schema: 1 | 2, message: Uint8Array) {
  return validate(decodeWrite(schema, message), limits, NOW);
}

const name: readonly [string, string] = ['__name__', 'up'];

describe('labels, in both schemas', () => {
  // [what, labels, reason or null, what the example says]
  const rows: [string, TestLabels, Reason | null, RegExp?][] = [
    ['a name alone', [name], null],
    ['sorted', [name, ['a', '1'], ['b', '2']], null],
    ['unsorted', [['b', '2'], name, ['a', '1']], null],
    ['names beyond ASCII', [name, ['größe', 'm²']], null],
    ['a value beyond the basic plane', [name, ['a', '🔥']], null],
    ['an empty value, which is an absent label', [name, ['a', '']], null],
    ['none', [], 'no_metric_name', /it has no label __name__/],
    ['no __name__', [['a', '1']], 'no_metric_name', /\{a="1"\}: it has no label __name__/],
    ['an empty __name__', [['__name__', '']], 'no_metric_name'],
    ['an empty name', [name, ['', 'x']], 'empty_label_name', /a label without a name/],
    ['a name twice in a row', [name, ['a', '1'], ['a', '2']], 'duplicate_label', /label "a" comes twice/],
    ['a name twice apart', [['b', '1'], name, ['b', '1']], 'duplicate_label', /label "b" comes twice/],
    ['__name__ twice', [name, name], 'duplicate_label', /label "__name__" comes twice/],
    ['four', [name, ['a', ''], ['b', ''], ['c', '']], null],
    ['five', [name, ['a', ''], ['b', ''], ['c', ''], ['d', '']], 'too_many_labels', /it has 5 labels, at most 4/],
    ['a long name', [name, ['abcdefghijk', '']], 'label_name_too_long', /"abcdefghijk" has 11 B, at most 10/],
    [
      'a long value',
      [name, ['abcdefghij', '1234567890123']],
      'label_value_too_long',
      /"abcdefghij" has 13 B, at most 12/,
    ],
    ['a value that is long in bytes only', [name, ['a', 'ööööööö']], 'label_value_too_long', /has 14 B/],
  ];
  it.each(rows)('%s', (_, labels, reason, says) => {
    const samples = [{ value: double(1), timestamp: NOW }];
    const pairs = labels.map(([name, value]) => ({ name, value }));
    for (const { keep, refused } of [
      judged(1, message1(series1('good'), { labels: pairs, samples }, series1('good'))),
      judged(2, message2(series2('good'), { labels, samples }, series2('good'))),
    ]) {
      expect([...keep]).toEqual([1, reason === null ? 1 : 0, 1]);
      expect(refused.map((row) => [row.reason, row.series, row.samples])).toEqual(
        reason === null ? [] : [[reason, 1, 1]],
      );
      if (says !== undefined) expect(refused[0]!.example).toMatch(says);
      if (reason !== null) expect(refused[0]!.example).toMatch(/^series 1 \{/);
    }
  });

  it('values of a label set whose names were seen before', () => {
    const long: TestLabels = [name, ['job', '1234567890123']];
    const unnamed: TestLabels = [
      ['__name__', ''],
      ['job', 'x'],
    ];
    const { keep, refused } = judged(
      2,
      message2(series2('a'), series2('b', { labels: long }), series2('c', { labels: unnamed }), series2('d')),
    );
    expect([...keep]).toEqual([1, 0, 0, 1]);
    expect(refused.map(({ reason }) => reason)).toEqual(['label_value_too_long', 'no_metric_name']);
  });
});

describe('text that is not UTF-8', () => {
  /** Replaces the text `XX` in a message by two bytes. */
  const damaged = (message: Uint8Array, ...bytes: number[]): Uint8Array => {
    const at = Buffer.from(message).indexOf('XX');
    expect(at).toBeGreaterThan(0);
    message.set(bytes, at);
    return message;
  };
  const pairs: [string, TestLabels][] = [
    ['in a value', [name, ['job', 'XX']]],
    ['in a name', [name, ['XX', 'job']]],
    ['in the metric name', [['__name__', 'XX']]],
  ];
  it.each(pairs)('%s', (_, labels) => {
    const samples = [{ value: double(1), timestamp: NOW }];
    const v1Labels = labels.map(([name, value]) => ({ name, value }));
    for (const bytes of [
      [0xff, 0xfe],
      [0xed, 0xa0],
      [0x41, 0xc3],
    ]) {
      for (const { keep, refused } of [
        judged(1, damaged(message1(series1('good'), { labels: v1Labels, samples }), ...bytes)),
        judged(2, damaged(message2(series2('good'), { labels, samples }), ...bytes)),
      ]) {
        expect([...keep]).toEqual([1, 0]);
        expect(refused[0]!.reason).toBe('invalid_utf8');
      }
    }
  });

  it('in a 1.0 label whose value comes before its name', () => {
    const label = (bytes: string) =>
      Buffer.from(`0a${(bytes.length / 2).toString(16).padStart(2, '0')}${bytes}`, 'hex');
    const good = label('0a085f5f6e616d655f5f12026d6d');
    const bad = label('1202ffff0a0162');
    const sample = Buffer.from(
      v1.encode({ timeseries: [{ samples: [{ value: double(1), timestamp: NOW }] }] }).subarray(2),
    );
    for (const labels of [
      [good, bad],
      [bad, good],
    ]) {
      const series = Buffer.concat([...labels, sample]);
      const { refused } = judged(1, Buffer.concat([Buffer.from([0x0a, series.length]), series]));
      expect(refused.map(({ reason }) => reason)).toEqual(['invalid_utf8']);
    }
  });
});

describe('time bounds', () => {
  const { futureMs, pastMs } = DEFAULT_RECEIVE_LIMITS;
  const rows: [string, number, Reason | null, RegExp?][] = [
    ['now', NOW, null],
    ['as far ahead as may be', NOW + futureMs, null],
    [
      'further ahead',
      NOW + futureMs + 1,
      'too_far_ahead',
      /timestamp 1795349400001 \(2026-11-22T12:10:00.001Z\) is 10 min ahead.*at most 10 min.*check the sender's clock/,
    ],
    ['in seconds instead of milliseconds', NOW / 1000, 'too_old', /1970-01-21/],
    ['in microseconds', NOW * 1000, 'too_far_ahead'],
    ['as old as may be', NOW - pastMs, null],
    ['older', NOW - pastMs - 1, 'too_old', /is 7 d old, at most 7 d/],
    ['0', 0, 'too_old'],
    ['beyond every date', Number.MAX_SAFE_INTEGER, 'too_far_ahead', /timestamp 9007199254740991 is/],
    ['before every date', Number.MIN_SAFE_INTEGER, 'too_old'],
  ];
  it.each(rows)('%s', (_, timestamp, reason, says) => {
    const { refused } = judged(2, message2(series2('m', { samples: [{ value: double(1), timestamp }] })));
    expect(refused.map((row) => row.reason)).toEqual(reason === null ? [] : [reason]);
    if (says !== undefined) expect(refused[0]!.example).toMatch(says);
  });

  it('a timestamp beyond ±2^53', () => {
    for (const [high, reason] of [
      [0x7fffffff, 'too_far_ahead'],
      [0x80000000 | 0, 'too_old'],
    ] as const) {
      const timestamp = { low: 0, high, unsigned: false };
      const { refused } = judged(1, message1(series1('m', { samples: [{ value: double(1), timestamp }] })));
      expect(refused.map((row) => row.reason)).toEqual([reason]);
    }
  });

  it('one sample out of bounds refuses its series', () => {
    const samples = [NOW - 2000, NOW - pastMs - 5, NOW].map((timestamp) => ({ value: double(1), timestamp }));
    const { keep, refused, samples: taken } = judged(1, message1(series1('m', { samples }), series1('n')));
    expect([...keep]).toEqual([0, 1]);
    expect([refused[0]!.samples, taken]).toEqual([3, 1]);
  });
});

describe('what a series holds', () => {
  const histograms = [{ countInt: 1, zeroCountInt: 1, timestamp: NOW }];
  const exemplars1 = [{ labels: [], value: double(1), timestamp: NOW }];
  const exemplars2 = [{ labelsRefs: [], value: double(1), timestamp: NOW }];

  it('native histograms are taken, and counted apart', () => {
    for (const { keep, refused, samples, histograms: taken, histogramT } of [
      judged(1, message1(series1('a', { histograms: [...histograms, ...histograms], samples: [] }), series1('b'))),
      judged(2, message2(series2('a', { histograms: [...histograms, ...histograms], samples: [] }), series2('b'))),
    ]) {
      expect([...keep]).toEqual([1, 1]);
      expect(refused).toEqual([]);
      expect([samples, taken]).toEqual([1, 2]);
      expect([...histogramT]).toEqual([NOW, NOW]);
    }
  });

  it('histograms that are not valid refuse their series, and count as samples', () => {
    const { pastMs, futureMs } = DEFAULT_RECEIVE_LIMITS;
    const wide = {
      countInt: 0,
      positiveSpans: [{ offset: 0, length: 10_001 }],
      positiveDeltas: Array.from({ length: 10_001 }, () => 0),
    };
    for (const [bad, reason, text] of [
      [
        { countInt: 2, zeroCountInt: 1, timestamp: NOW },
        'invalid_histogram',
        'a native histogram is not valid: 1 observations found in buckets, but the Count field is 2',
      ],
      [{ schema: 100, timestamp: NOW }, 'invalid_histogram', 'got schema 100'],
      [{ ...wide, timestamp: NOW }, 'too_many_buckets', 'more than 10000 buckets'],
      [{ timestamp: NOW - pastMs - 1 }, 'too_old', 'is 7 d old'],
      [{ timestamp: NOW + futureMs + 1 }, 'too_far_ahead', 'is 10 min ahead'],
      [{ timestamp: { low: 0, high: 0x7fffffff, unsigned: false } }, 'too_far_ahead', 'check the sender'],
    ] as const) {
      const series = series1('a', {
        histograms: [...histograms, bad],
        samples: [{ value: double(1), timestamp: NOW }],
      });
      const { keep, refused, histograms: taken } = judged(1, message1(series, series1('b', { histograms })));
      expect([...keep]).toEqual([0, 1]);
      expect(refused).toMatchObject([{ reason, series: 1, samples: 3 }]);
      expect(refused[0]!.example).toContain(text);
      expect(taken).toBe(1);
    }
  });

  it('exemplars alone are taken, as Prometheus sends them', () => {
    expect(judged(1, message1(series1('a', { samples: [], exemplars: exemplars1 })))).toMatchObject({
      series: 1,
      samples: 0,
      exemplars: 1,
      refused: [],
    });
    expect(judged(2, message2(series2('a', { samples: [], exemplars: exemplars2 })))).toMatchObject({
      series: 1,
      samples: 0,
      exemplars: 1,
      refused: [],
    });
  });

  it('nothing at all is refused in 2.0, which forbids it, and taken in 1.0, which does not', () => {
    expect(judged(1, message1(series1('a', { samples: [] }))).refused).toEqual([]);
    expect(judged(2, message2(series2('a', { samples: [] }))).refused).toMatchObject([
      { reason: 'no_samples', series: 1, samples: 0 },
    ]);
  });

  it('references that lead nowhere', () => {
    const timeseries = [
      { labelsRefs: [1, 2], samples: [{ value: double(1), timestamp: NOW }] },
      { labelsRefs: [1, 9] },
      { labelsRefs: [1] },
    ];
    const { keep, refused } = judged(2, v2.encode({ symbols: ['', '__name__', 'up'], timeseries }));
    expect([...keep]).toEqual([1, 0, 0]);
    expect(refused).toMatchObject([{ reason: 'bad_reference', series: 2, samples: 0 }]);
    expect(refused[0]!.example).toMatch(/^series 1 .*refers to a symbol that the request does not have/);
  });
});

it('shortens labels in examples, and shows what cannot be printed', () => {
  const labels = Array.from({ length: 12 }, (_, i): [string, string] => [`l${i}`, `${'x'.repeat(500)}\n`]);
  const { refused } = validate(decodeWrite(2, message2(series2('m', { labels }))), DEFAULT_RECEIVE_LIMITS, NOW);
  expect(refused[0]!.example).toMatch(/^series 0 \{l0="x{60}…", l1=.*\} and 6 more labels: it has no label __name__$/);
  expect(refused[0]!.example.length).toBeLessThan(600);
});
