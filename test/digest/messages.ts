/** Remote Write messages from plain series, and what a digest must make of them, in the plainest way there is. */

import protobuf from 'protobufjs/minimal.js';
import type { Schema } from '../../src/encoding/remote-write/decoded.ts';
import { bytesFromLabels, labelsFromBytes } from '../../src/model/label-bytes.ts';
import { compareUtf8 } from '../../src/model/labels.ts';
import { rangeStart } from '../../src/model/sample.ts';

export interface TestSample {
  t: number;
  hi: number;
  lo: number;
}

/** Labels in any order, empty values allowed. */
export interface TestSeries {
  labels: readonly (readonly [name: string, value: string])[];
  samples: readonly TestSample[];
}

export interface TestMessage {
  schema: Schema;
  series: readonly TestSeries[];
}

/** A series as text → time → `hi:lo`. */
export type Content = Map<string, Map<number, string>>;

export const bits = (value: number): { hi: number; lo: number } => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return { hi: view.getUint32(0), lo: view.getUint32(4) };
};

export const sample = (t: number, value: number): TestSample => ({ t, ...bits(value) });

export const labelBytes = (...labels: readonly (readonly [string, string])[]): Uint8Array<ArrayBuffer> =>
  bytesFromLabels(labels.map(([name, value]) => ({ name, value })));

export function encode({ schema, series }: TestMessage): Uint8Array {
  return schema === 1 ? encodeV1(series) : encodeV2(series);
}

function encodeV1(series: readonly TestSeries[]): Uint8Array {
  const out = protobuf.Writer.create();
  for (const { labels, samples } of series) {
    out.uint32(0x0a).fork();
    for (const [name, value] of labels) {
      out.uint32(0x0a).fork().uint32(0x0a).string(name);
      if (value !== '') out.uint32(0x12).string(value);
      out.ldelim();
    }
    samples.forEach((s) => encodeSample(out, s));
    out.ldelim();
  }
  return out.finish();
}

function encodeV2(series: readonly TestSeries[]): Uint8Array {
  const symbols = new Map([['', 0]]);
  const ref = (text: string): number => {
    if (!symbols.has(text)) symbols.set(text, symbols.size);
    return symbols.get(text)!;
  };
  const body = protobuf.Writer.create();
  for (const { labels, samples } of series) {
    body.uint32(0x2a).fork().uint32(0x0a).fork();
    for (const [name, value] of labels) body.uint32(ref(name)).uint32(ref(value));
    body.ldelim();
    samples.forEach((s) => encodeSample(body, s));
    body.ldelim();
  }
  const out = protobuf.Writer.create();
  for (const symbol of symbols.keys()) out.uint32(0x22).string(symbol);
  const head = out.finish();
  const rest = body.finish();
  const message = new Uint8Array(head.length + rest.length);
  message.set(head);
  message.set(rest, head.length);
  return message;
}

function encodeSample(out: protobuf.Writer, { t, hi, lo }: TestSample): void {
  out.uint32(0x12).fork().uint32(0x09).fixed32(lo).fixed32(hi).uint32(0x10).int64(t).ldelim();
}

/** The name of a series in a Content: its labels sorted, without the empty ones. */
export function seriesText(labels: TestSeries['labels']): string {
  const kept = labels.filter(([, value]) => value !== '');
  return JSON.stringify(kept.toSorted(([a], [b]) => compareUtf8(a, b)));
}

export const textOfBytes = (labels: Uint8Array): string =>
  JSON.stringify(labelsFromBytes(labels).map(({ name, value }) => [name, value]));

/** What messages hold by the rule: the first value of a series and timestamp; and how many repeats there were. */
export function expected(messages: readonly TestMessage[]): {
  ranges: Map<number, Content>;
  samples: number;
  duplicates: number;
  conflicts: number;
} {
  const ranges = new Map<number, Content>();
  const found = { ranges, samples: 0, duplicates: 0, conflicts: 0 };
  for (const { labels, samples } of messages.flatMap(({ series }) => series)) {
    for (const { t, hi, lo } of samples) {
      const content: Content = ranges.get(rangeStart(t)) ?? new Map();
      ranges.set(rangeStart(t), content);
      const times = content.get(seriesText(labels)) ?? new Map<number, string>();
      content.set(seriesText(labels), times);
      const kept = times.get(t);
      if (kept === undefined) {
        times.set(t, `${hi}:${lo}`);
        found.samples++;
      } else if (kept === `${hi}:${lo}`) found.duplicates++;
      else found.conflicts++;
    }
  }
  return found;
}
