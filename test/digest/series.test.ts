/** 1.0 messages as no sender known writes them: what decides a series are its labels, not where and how they stand. */

import protobuf from 'protobufjs/minimal.js';
import { expect, test } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { bits } from './messages.ts';
import { contentOf } from './segments.ts';

type Write = (out: protobuf.Writer) => protobuf.Writer;

const name =
  (text: string): Write =>
  (out) =>
    out.uint32(0x0a).string(text);
const value =
  (text: string): Write =>
  (out) =>
    out.uint32(0x12).string(text);
const unknown =
  (text: string): Write =>
  (out) =>
    out.uint32(0x7a).string(text);
const nested =
  (tag: number, ...fields: Write[]): Write =>
  (out) => {
    out.uint32(tag).fork();
    for (const field of fields) field(out);
    return out.ldelim();
  };
const label = (...fields: Write[]): Write => nested(0x0a, ...fields);
const sample = (t: number, v: number): Write => {
  const { hi, lo } = bits(v);
  return (out) => out.uint32(0x12).fork().uint32(0x09).fixed32(lo).fixed32(hi).uint32(0x10).int64(t).ldelim();
};
const message = (...series: Write[][]): Uint8Array => {
  const out = protobuf.Writer.create();
  for (const fields of series) nested(0x0a, ...fields)(out);
  return out.finish();
};

/** Series and how many samples each has, of messages that are digested twice over with other times. */
async function seriesOf(messages: (t: number) => Uint8Array[]): Promise<Record<string, number>> {
  const digest = new Digest({ samplesMax: 100, partBytesMax: 100_000 });
  for (const t of [1000, 2000, 3000]) for (const bytes of messages(t)) digest.add(1, bytes);
  const { segments, conflicts } = digest.finish();
  expect(conflicts).toBe(0);
  const { content } = await contentOf(segments.map(({ parts }) => parts));
  return Object.fromEntries([...content].map(([text, times]) => [text, times.size]));
}

test('labels in any order, fields in any order, samples before and between, unknown fields, the last of a field', async () => {
  const a = label(name('a'), value('1'));
  const b = label(name('b'), value('2'));
  const found = await seriesOf((t) => [
    message([a, b, sample(t, 1)], [b, a, sample(t + 1, 1)], [sample(t + 2, 1), a, b], [a, sample(t + 3, 1), b]),
    message([label(value('1'), name('a')), b, sample(t + 4, 1)], [a, label(value('2'), name('b')), sample(t + 5, 1)]),
    message(
      [a, label(name('b'), value('2'), unknown('x')), sample(t + 6, 1)],
      [unknown('name'), a, b, sample(t + 7, 1)],
    ),
    message(
      [a, label(name('b'), value('other'), value('2')), sample(t + 8, 1)],
      [a, label(name('x'), value('2'), name('b')), sample(t + 9, 1)],
    ),
    message([a, label(name('c')), b, sample(t + 10, 1)], [a, b, label(name('c')), sample(t + 11, 1)]),
  ]);
  expect(found).toEqual({ '[["a","1"],["b","2"]]': 36 });
});

test('labels that begin alike, or are alike but for one byte, are other series', async () => {
  const text = 'abcdefghijklmnopqrstuvw';
  const texts = Array.from(text, (_, i) => `${text.slice(0, i)}_${text.slice(i + 1)}`);
  const found = await seriesOf((t) => [
    message(
      ...texts.map((v) => [label(name('n'), value(v)), sample(t, 1)]),
      ...texts.map((v) => [label(name('n'), value(v)), label(name('o'), value('')), sample(t + 1, 1)]),
      ...texts.map((v) => [label(name('n'), value(v)), label(name('o'), value('p')), sample(t, 1)]),
      ...texts.map((v, i) => [label(name('n'), value(v.slice(0, i))), sample(t, 1)]).slice(1),
    ),
  ]);
  const expected: [string, number][] = [
    ...texts.map((v): [string, number] => [JSON.stringify([['n', v]]), 6]),
    ...texts.map((v): [string, number] => [
      JSON.stringify([
        ['n', v],
        ['o', 'p'],
      ]),
      3,
    ]),
    ...texts.slice(1).map((_, i): [string, number] => [JSON.stringify([['n', text.slice(0, i + 1)]]), 3]),
  ];
  expect(found).toEqual(Object.fromEntries(expected));
});

test('thousands that differ in three bytes are other series', async () => {
  // 1,500 of each length: wherever the three bytes stand in a word.
  const texts = Array.from({ length: 12_000 }, (_, i) => {
    const code = String.fromCharCode(48 + (i & 63), 48 + ((i >> 6) & 63), 48 + ((i >> 12) & 63));
    return `${'x'.repeat(i % 8)}${code}yyyyyyyy`;
  });
  const found = await seriesOf((t) => [message(...texts.map((v) => [label(name('n'), value(v)), sample(t, 1)]))]);
  expect(Object.values(found)).toEqual(texts.map(() => 3));
});

test('a name behind its value is its name', async () => {
  const found = await seriesOf((t) => [
    message(...['a', 'b', 'c'].map((n) => [label(value('12345678'), name(n)), sample(t, 1)])),
  ]);
  expect(found).toEqual({ '[["a","12345678"]]': 3, '[["b","12345678"]]': 3, '[["c","12345678"]]': 3 });
});

test('the length of a name tells series apart', async () => {
  const found = await seriesOf((t) => [
    message([label(name('n'), value('12345678')), sample(t, 1)]),
    message([label(value('z'), name('n\u0012\b12345678')), sample(t, 1)]),
  ]);
  expect(Object.values(found)).toEqual([3, 3]);
});

test('labels of any length are known again', async () => {
  const lengths = [
    1, 2, 3, 4, 5, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 16_370, 16_380, 16_390,
  ];
  const texts = lengths.map((length) => 'v'.repeat(length));
  const found = await seriesOf((t) => [
    message(...texts.map((v) => [label(name('n'), value(v)), label(name('o'), value('p')), sample(t, 1)])),
    message(...texts.map((v) => [label(name(v), value('n')), sample(t, 1)])),
  ]);
  expect(Object.values(found)).toEqual(Array.from({ length: 2 * texts.length }, () => 3));
});

test('a series that is expected is another when there is a label more behind it, or samples in front of it', async () => {
  const a = label(name('a'), value('1'));
  const b = label(name('b'), value('2'));
  const found = await seriesOf((t) => [
    message([a, sample(t, 1)], [b, sample(t, 1)]),
    message([a, sample(t + 1, 1), b], [b, sample(t + 1, 1), sample(t + 2, 1)], [a, b, sample(t + 2, 1)]),
    message([a, sample(t + 3, 1), unknown('x')], [b, unknown('x'), sample(t + 3, 1)]),
  ]);
  expect(found).toEqual({ '[["a","1"]]': 6, '[["a","1"],["b","2"]]': 6, '[["b","2"]]': 12 });
});
