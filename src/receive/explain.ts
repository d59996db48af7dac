/**
 * What the receiver says to people: which series was refused, what of it, by how much, and the way out. Senders do not
 * interpret it, they log it. Not API.
 */

import { badText } from '../encoding/remote-write/bad.ts';
import type { Decoded } from '../encoding/remote-write/decoded.ts';
import { formatLabels } from '../model/labels.ts';
import type { ReceiveLimits } from './limits.ts';
import type { Found, Reason, Validated } from './validate.ts';

const LABELS_SHOWN = 6;
const TEXT_SHOWN = 60;
const UTF8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/** Why series `s` was refused, as a sentence without a full stop: `series 17 {__name__="up", …}: …`. */
export function explain(
  decoded: Decoded,
  s: number,
  reason: Reason,
  found: Found,
  limits: ReceiveLimits,
  nowMs: number,
): string {
  return `series ${s} ${labelsOf(decoded, s)}: ${detail(decoded, s, reason, found, limits, nowMs)}`;
}

/** The body of a 400 for a request that was taken in part or not at all. */
export function summary(decoded: Decoded, { series, samples, histograms, refused }: Validated): string {
  const bad = refused.reduce((sum, row) => sum + row.series, 0);
  const written =
    series === 0 ? 'nothing was written' : `the other ${counted(series, samples + histograms)} were written`;
  const lines = refused.map((row) => `- ${row.reason}, ${counted(row.series, row.samples)}; the first: ${row.example}`);
  return [`${bad} of ${decoded.seriesCount} series refused, ${written}; do not send them again`, ...lines].join('\n');
}

function counted(series: number, samples: number): string {
  return `${series} series (${samples} ${samples === 1 ? 'sample' : 'samples'})`;
}

function detail(
  decoded: Decoded,
  s: number,
  reason: Reason,
  found: Found,
  limits: ReceiveLimits,
  nowMs: number,
): string {
  const [start, end] = range(decoded.labelEnd, s);
  switch (reason) {
    case 'bad_reference':
      return badText(decoded.bad[s]!);
    case 'invalid_histogram':
      return `a native histogram is not valid: ${found.fault}`;
    case 'too_many_buckets':
      return `a native histogram has ${found.fault}; limit them where it is scraped (native_histogram_bucket_limit)`;
    case 'no_samples':
      return 'it has neither samples nor histograms nor exemplars';
    case 'mixed_samples':
      return 'it has both samples and histograms; they are two series of the request';
    case 'no_metric_name':
      return 'it has no label __name__';
    case 'too_many_labels':
      return `it has ${end - start} labels, at most ${limits.labelsMax} are taken (label_limit in NARTHEX_LIMITS)`;
    case 'empty_label_name':
      return 'it has a label without a name';
    case 'duplicate_label':
      return `the label ${quoted(repeatedName(decoded, start, end))} comes twice`;
    case 'label_name_too_long': {
      const [label, bytes] = longest(decoded.nameStart, decoded.nameEnd, start, end);
      return `the label name ${quoted(name(decoded, label))} has ${bytes} B, at most ${limits.nameBytesMax} are taken (label_name_length_limit in NARTHEX_LIMITS)`;
    }
    case 'label_value_too_long': {
      const [label, bytes] = longest(decoded.valueStart, decoded.valueEnd, start, end);
      return `the value of ${quoted(name(decoded, label))} has ${bytes} B, at most ${limits.valueBytesMax} are taken (label_value_length_limit in NARTHEX_LIMITS)`;
    }
    case 'invalid_utf8':
      return 'a label is not valid UTF-8';
    case 'too_far_ahead':
    case 'too_old':
      return outOfBounds(found.t, reason, limits, nowMs);
  }
}

function outOfBounds(t: number, reason: Reason, limits: ReceiveLimits, nowMs: number): string {
  const ahead = reason === 'too_far_ahead';
  // Dates end at 8.64e15 ms.
  const date = Math.abs(t) <= 8.64e15 ? ` (${new Date(t).toISOString()})` : '';
  return ahead
    ? `timestamp ${t}${date} is ${duration(t - nowMs)} ahead of the receiver's clock, at most ${duration(limits.futureMs)} are taken (future_limit in NARTHEX_LIMITS); check the sender's clock`
    : `timestamp ${t}${date} is ${duration(nowMs - t)} old, at most ${duration(limits.pastMs)} are taken (past_limit in NARTHEX_LIMITS)`;
}

/** The labels, shortened. */
function labelsOf(decoded: Decoded, s: number): string {
  const [start, end] = range(decoded.labelEnd, s);
  const shown = [];
  for (let i = start; i < end && shown.length < LABELS_SHOWN; i++) {
    shown.push({ name: name(decoded, i), value: text(decoded, decoded.valueStart[i]!, decoded.valueEnd[i]!) });
  }
  const rest = end - start - shown.length;
  return formatLabels(shown) + (rest > 0 ? ` and ${rest} more labels` : '');
}

const name = (decoded: Decoded, label: number): string =>
  text(decoded, decoded.nameStart[label]!, decoded.nameEnd[label]!);

function text({ message }: Decoded, start: number, end: number): string {
  const shown = UTF8.decode(message.subarray(start, Math.min(end, start + TEXT_SHOWN)));
  return end - start > TEXT_SHOWN ? `${shown}…` : shown;
}

const quoted = (text: string): string => JSON.stringify(text);

/** The name that comes twice, compared as text: a name that is not UTF-8 is shown wrong anyway. */
function repeatedName(decoded: Decoded, start: number, end: number): string {
  const names = Array.from({ length: end - start }, (_, i) =>
    UTF8.decode(decoded.message.subarray(decoded.nameStart[start + i], decoded.nameEnd[start + i])),
  );
  return names.find((one, i) => names.indexOf(one) !== i) ?? '';
}

/** The label whose range is the longest, and its length. */
function longest(starts: Uint32Array, ends: Uint32Array, from: number, to: number): [label: number, bytes: number] {
  let label = from;
  for (let i = from; i < to; i++) if (ends[i]! - starts[i]! > ends[label]! - starts[label]!) label = i;
  return [label, ends[label]! - starts[label]!];
}

const range = (ends: Uint32Array, s: number): [number, number] => [s === 0 ? 0 : ends[s - 1]!, ends[s]!];

/** A duration in the largest unit that leaves it at or above 2. */
function duration(ms: number): string {
  const units: [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ];
  const [unit, size] = units.find(([, size]) => ms >= 2 * size) ?? ['ms', 1];
  return `${Math.round((ms / size) * 10) / 10} ${unit}`;
}
