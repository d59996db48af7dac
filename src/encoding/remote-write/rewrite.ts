/**
 * A remote-write message with other labels on some of its series, or without some of them, in the schema that it has. What else a series
 * holds is copied as it is: samples, histograms, exemplars, metadata, and fields that are not known here. In 2.0 the symbols keep their references and new
 * ones come behind them, so that a series whose labels stay is copied whole.
 *
 * Invariant: the series that are kept are in their order, with all that they held; and no text is there any more that none of them has, since a
 * rule may be there to keep it from the remote.
 */

import { uvarintSize, writeUvarint } from '../../model/label-bytes.ts';
import { BYTES, Cursor, DecodeError, tagOf, VARINT } from '../protobuf-reader.ts';
import { fieldSize, Writer } from '../protobuf-writer.ts';
import { badText } from './bad.ts';
import type { Decoded } from './decoded.ts';
import { copyMetadataV1 } from './slice.ts';
import type { SymbolTable } from './symbols.ts';

const TIMESERIES = { 1: tagOf(1, BYTES), 2: tagOf(5, BYTES) } as const;
const V2_SYMBOLS = tagOf(4, BYTES);
/** Of a series and of an exemplar: messages in 1.0, packed references in 2.0, or one by one. */
const LABELS = tagOf(1, BYTES);
const LABELS_REF = tagOf(1, VARINT);
const LABEL_NAME = tagOf(1, BYTES);
const LABEL_VALUE = tagOf(2, BYTES);
const V2_EXEMPLARS = tagOf(4, BYTES);

/** Of a 32-bit number. */
const LENGTH_BYTES_MAX = 5;

/** What becomes of a series: its labels stay, it is left out (null), or these are its labels: numbers of texts, name and value by turns, sorted by name. */
export type Outcome = 'same' | null | readonly number[];

export interface Rewritten {
  /** Uncompressed, valid until the next call. Null when it is the message that was decoded. */
  readonly message: Uint8Array | null;
  readonly series: number;
  /** Samples of the series that are not there any more. */
  readonly samplesDropped: number;
}

/** What is written, from call to call: new buffers would cost as much as writing. A message above that has its own. */
const SCRATCH_BYTES_MAX = 1024 * 1024;
const scratch = { all: new Writer(), out: new Writer() };

/**
 * `outcomes` has one for each series. `texts` numbers the texts of new labels; `numbers` are those of a 2.0 message's symbols. Throws DecodeError for
 * a series that `Decoded.bad` marks.
 */
export function rewriteLabels(
  decoded: Decoded,
  outcomes: readonly Outcome[],
  texts: SymbolTable,
  numbers: Uint32Array,
): Rewritten {
  const bad = decoded.bad.subarray(0, decoded.seriesCount).findIndex((code) => code !== 0);
  if (bad >= 0) throw new DecodeError(`series ${bad}: ${badText(decoded.bad[bad]!)}`);
  let series = 0;
  let samplesDropped = 0;
  let same = true;
  for (let s = 0; s < decoded.seriesCount; s++) {
    const outcome = outcomes[s];
    same &&= outcome === 'same';
    if (outcome === null) samplesDropped += decoded.samplesBefore(s + 1) - decoded.samplesBefore(s);
    else series++;
  }
  if (same) return { message: null, series, samplesDropped };
  const out = decoded.schema === 1 ? rewriteV1(decoded, outcomes, texts) : rewriteV2(decoded, outcomes, texts, numbers);
  return { message: out.bytes.subarray(0, out.length), series, samplesDropped };
}

/** Writers with room for a message and what labels may add to it. */
function writers({ message }: Decoded): typeof scratch {
  const { all, out } = message.length > SCRATCH_BYTES_MAX ? { all: new Writer(), out: new Writer() } : scratch;
  all.clear();
  out.clear();
  all.reserve(message.length);
  out.reserve(message.length);
  return { all, out };
}

function rewriteV1(decoded: Decoded, outcomes: readonly Outcome[], texts: SymbolTable): Writer {
  const { out } = writers(decoded);
  const labels = new Writer();
  const text = (tag: number, id: number): void =>
    labels.field(tag, texts.out.bytes, texts.startOf(id), texts.endOf(id));
  const sizeOf = (id: number): number => fieldSize(texts.endOf(id) - texts.startOf(id));
  writeSeries(decoded, outcomes, out, (ids) => {
    labels.clear();
    for (let i = 0; i < ids.length; i += 2) {
      labels.tag(LABELS);
      labels.uint32(sizeOf(ids[i]!) + sizeOf(ids[i + 1]!));
      text(LABEL_NAME, ids[i]!);
      text(LABEL_VALUE, ids[i + 1]!);
    }
    return labels;
  });
  copyMetadataV1(decoded, out);
  return out;
}

function rewriteV2(decoded: Decoded, outcomes: readonly Outcome[], texts: SymbolTable, numbers: Uint32Array): Writer {
  const { message, symbolCount, symbolStart, symbolEnd, labelEnd, nameRef, valueRef, helpRef, unitRef } = decoded;
  /** Reference + 1 by number; 0 is none yet. */
  const refs = new Uint32Array(texts.count);
  for (let ref = symbolCount - 1; ref >= 0; ref--) refs[numbers[ref]!] = ref + 1;
  /** By reference; new ones come behind. */
  const used = new Uint8Array(symbolCount + texts.count);
  const added: number[] = [];
  const { all, out } = writers(decoded);
  const labels = new Writer();
  writeSeries(decoded, outcomes, all, (ids) => {
    labels.clear();
    labels.reserve(2 + LENGTH_BYTES_MAX + ids.length * LENGTH_BYTES_MAX);
    const { bytes } = labels;
    // Behind a tag and a length of one byte, which nearly all have.
    let at = 2;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      let ref = refs[id]! - 1;
      if (ref < 0) refs[id] = (ref = symbolCount + added.push(id) - 1) + 1;
      used[ref] = 1;
      if (ref < 0x80) {
        bytes[at++] = ref;
      } else if (ref < 0x4000) {
        bytes[at++] = ref | 0x80;
        bytes[at++] = ref >>> 7;
      } else {
        at = writeUvarint(bytes, at, ref);
      }
    }
    const size = at - 2;
    bytes[0] = LABELS;
    if (size >= 0x80) bytes.copyWithin(1 + uvarintSize(size), 2, at);
    labels.length = writeUvarint(bytes, 1, size) + size;
    return labels;
  });
  for (let s = 0, label = 0; s < decoded.seriesCount; s++) {
    const end = labelEnd[s]!;
    if (outcomes[s] === 'same') for (; label < end; label++) used[nameRef[label]!] = used[valueRef[label]!] = 1;
    label = end;
    if (outcomes[s] === null) continue;
    used[helpRef[s]!] = used[unitRef[s]!] = 1;
    if (decoded.exemplarCount[s]! > 0) useOfExemplars(decoded, s, used);
  }
  for (let ref = 0; ref < symbolCount; ref++) {
    const end = symbolEnd[ref]!;
    out.field(V2_SYMBOLS, message, used[ref] === 1 ? symbolStart[ref]! : end, end);
  }
  for (const id of added) out.field(V2_SYMBOLS, texts.out.bytes, texts.startOf(id), texts.endOf(id));
  out.raw(all.bytes, 0, all.length);
  return out;
}

/** Writes the series that are kept; `labelsOf` gives the fields of new labels. Neighbours that stay as they are are copied at once. */
function writeSeries(
  decoded: Decoded,
  outcomes: readonly Outcome[],
  out: Writer,
  labelsOf: (ids: readonly number[]) => Writer,
): void {
  const { message, schema, seriesStart, seriesEnd } = decoded;
  const tag = TIMESERIES[schema];
  const cursor = new Cursor(message);
  let runStart = 0;
  let runEnd = 0;
  for (let s = 0; s < decoded.seriesCount; s++) {
    const outcome = outcomes[s]!;
    if (outcome === null) continue;
    const start = seriesStart[s]!;
    const end = seriesEnd[s]!;
    if (outcome === 'same') {
      // Where its tag and length begin, if its length is written as short as it can be.
      const head = start - 1 - uvarintSize(end - start);
      if (head !== runEnd) {
        out.raw(message, runStart, runEnd);
        runStart = head >= 0 && message[head] === tag ? head : start;
        if (runStart === start) {
          out.tag(tag);
          out.uint32(end - start);
        }
      }
      runEnd = end;
      continue;
    }
    out.raw(message, runStart, runEnd);
    runStart = runEnd = end;
    const labels = labelsOf(outcome);
    // Labels come first in what all write, and then the rest is one piece.
    cursor.offset = start;
    let restStart = start;
    let size = labels.length;
    let pieces: number[] | null = null;
    while (cursor.offset < end) {
      const at = cursor.offset;
      const field = cursor.tag(end);
      cursor.skip(field, end);
      if (field !== LABELS && (field !== LABELS_REF || schema === 1)) continue;
      if (at > restStart) (pieces ??= []).push(restStart, at);
      size += at - restStart;
      restStart = cursor.offset;
    }
    size += end - restStart;
    out.tag(tag);
    out.uint32(size);
    out.raw(labels.bytes, 0, labels.length);
    for (let i = 0; pieces !== null && i < pieces.length; i += 2) out.raw(message, pieces[i]!, pieces[i + 1]!);
    out.raw(message, restStart, end);
  }
  out.raw(message, runStart, runEnd);
}

/** Marks the symbols that exemplars of a series refer to. */
function useOfExemplars(decoded: Decoded, s: number, used: Uint8Array): void {
  const cursor = new Cursor(decoded.message);
  const seriesEnd = decoded.seriesEnd[s]!;
  for (cursor.offset = decoded.seriesStart[s]!; cursor.offset < seriesEnd;) {
    const field = cursor.tag(seriesEnd);
    if (field !== V2_EXEMPLARS) {
      cursor.skip(field, seriesEnd);
      continue;
    }
    for (const end = cursor.length(seriesEnd); cursor.offset < end;) {
      const tag = cursor.tag(end);
      if (tag === LABELS) for (const stop = cursor.length(end); cursor.offset < stop;) used[cursor.uint32(stop)] = 1;
      else if (tag === LABELS_REF) used[cursor.uint32(end)] = 1;
      else cursor.skip(tag, end);
    }
  }
}
