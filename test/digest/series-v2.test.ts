/** 2.0 messages with the same series again and again, as many senders might write them: what decides a series are its labels, whatever their symbols. */

import protobuf from 'protobufjs/minimal.js';
import { expect, test } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { contentOf } from './segments.ts';

/** Numbers below `n`, the same for a seed. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

type Labels = readonly (readonly [name: string, value: string])[];

/** Label sets that share names and values, and values that are names; some are the beginning of others. */
const SETS: readonly Labels[] = Array.from({ length: 60 }, (_, i): Labels => {
  const labels: (readonly [string, string])[] = [
    ['__name__', `metric_${i % 7}`],
    ['a', `v${i % 5}`],
    ['b', i % 3 === 0 ? 'a' : `v${i % 4}`],
    ['b'.repeat(140), 'x'.repeat(i)],
    ['c', `${i}`],
  ];
  return i % 6 === 5 ? labels.slice(0, 3).concat([['z', `${i}`]]) : labels;
});

/** How a series is written. */
const SHAPES = ['plain', 'plain', 'plain', 'plain', 'torn', 'unpacked', 'long', 'sample first', 'exemplar', 'turned'];

function message(series: readonly Labels[], t: number, roll: (n: number) => number): Uint8Array {
  // Symbols in any order, more of them than are used, so that most take two bytes.
  const texts = [...new Set(series.flat(2))];
  for (let i = 0; i < roll(300); i++) texts.push(`unused ${i}`);
  for (let i = texts.length - 1; i > 0; i--) {
    const j = roll(i + 1);
    [texts[i], texts[j]] = [texts[j]!, texts[i]!];
  }
  // A text may stand twice.
  const symbols = ['', ...texts, ...texts.slice(0, 3)];
  const ref = (text: string): number => (roll(2) === 0 ? symbols.indexOf(text) : symbols.lastIndexOf(text));
  const out = protobuf.Writer.create();
  for (const symbol of symbols) out.uint32(0x22).string(symbol);
  for (const labels of series) {
    const shape = SHAPES[roll(SHAPES.length)]!;
    const refs = (shape === 'turned' ? labels.toReversed() : labels).flatMap(([n, v]) => [ref(n), ref(v)]);
    const packed = (some: readonly number[]): void => {
      out.uint32(0x0a).fork();
      for (const one of some) out.uint32(one);
      out.ldelim();
    };
    const sample = (): void => void out.uint32(0x12).fork().uint32(0x09).double(t).uint32(0x10).int64(t).ldelim();
    out.uint32(0x2a).fork();
    if (shape === 'sample first') sample();
    if (shape === 'torn') {
      packed(refs.slice(0, 3));
      packed(refs.slice(3));
    } else if (shape === 'unpacked') {
      for (const one of refs) out.uint32(0x08).uint32(one);
    } else if (shape === 'long') {
      // Three bytes where one or two would do.
      out.uint32(0x0a).bytes(Uint8Array.from(refs.flatMap((one) => [(one & 0x7f) | 0x80, (one >> 7) | 0x80, 0])));
    } else packed(refs);
    if (shape !== 'sample first') sample();
    if (shape === 'exemplar') {
      out.uint32(0x22).fork().uint32(0x0a).fork().uint32(1).uint32(1).ldelim().uint32(0x11).double(1).ldelim();
    }
    out.ldelim();
  }
  return out.finish();
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: every sample is of its labels, however they were written',
  async (seed) => {
    const roll = dice(seed);
    const digest = new Digest({ samplesMax: 10_000, partBytesMax: 100_000 });
    const expected = new Map<string, Set<number>>();
    for (let round = 0; round < 40; round++) {
      const t = 1_700_000_000_000 + round * 1000;
      // Mostly the same series in the same order; at times fewer, or in another order.
      let series = SETS.filter(() => roll(20) > 0);
      if (roll(6) === 0) series = series.toSorted((a, b) => b.length - a.length);
      digest.add(2, message(series, t, roll));
      for (const labels of series) {
        const key = JSON.stringify(labels.filter(([, v]) => v !== '').toSorted(([a], [b]) => (a < b ? -1 : 1)));
        expected.set(key, (expected.get(key) ?? new Set()).add(t));
      }
    }
    const { segments, conflicts, duplicates } = digest.finish();
    expect([conflicts, duplicates]).toEqual([0, 0]);
    const { content } = await contentOf(segments.map(({ parts }) => parts));
    expect(new Map([...content].map(([key, times]) => [key, new Set(times.keys())]))).toEqual(expected);
  },
);
