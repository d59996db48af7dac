/**
 * From a request's body to records for the log: decompress, decode, judge, and keep what is good. Pure and synchronous, so that nothing large
 * of it is still held while the log is waited for. It knows no HTTP but the status that a refusal is answered with.
 *
 * Invariant: the records hold the series that validate() kept, each once and byte for byte as sent. A request without a fault and not
 * too large for a record is a record as it came; only a replica's label is dropped, by encoding it again.
 */

import { DecodeError, Decoded, decodeWrite, type Schema, TooManyError } from '../encoding/remote-write/decoded.ts';
import { filterWrite } from '../encoding/remote-write/filter.ts';
import { families1 } from '../encoding/remote-write/metadata.ts';
import { seriesHashes } from '../encoding/remote-write/hashes.ts';
import { snappyCompress, SnappyError, snappyLength, snappyUncompress } from '../encoding/snappy.ts';
import { owned } from '../model/bytes.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import { summary } from './explain.ts';
import { dropLabel } from '../encoding/remote-write/drop-label.ts';
import { type Replica, REPLICA, replicaOf } from './ha.ts';
import { FAMILIES_MAX, type ReceiveLimits, type RecordLimits } from './limits.ts';
import { judgePlain, type Plain } from './plain.ts';
import { placeSeries } from './shards.ts';
import { type Refused, validate, type Validated } from './validate.ts';

/** What the log is given. `minT` and `maxT` are Unix ms, both inclusive; the receiver's clock where there are exemplars only. */
export interface ReceivedRecord {
  readonly schema: Schema;
  /** Snappy block format, in a buffer of its own. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Floats and histograms. */
  readonly samples: number;
  readonly series: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly minT: number;
  readonly maxT: number;
}

/** What of a request goes to one shard. */
export interface Part {
  readonly shard: number;
  /** At least one. To be appended all or none. */
  readonly records: readonly ReceivedRecord[];
  /** Of the series in the records, in a buffer of their own; null when they were not asked for. */
  readonly hashes: Uint32Array | null;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

export interface Accepted {
  readonly ok: true;
  /** Ascending by shard; none when nothing is kept. */
  readonly parts: readonly Part[];
  /** Whose the request is when it is of an HA pair; its label is dropped then. */
  readonly replica: Replica | null;
  /** Floats. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** What a 1.0 request without series to keep says of metrics. Of others the records hold it. */
  readonly families: readonly FamilyMetadata[];
  /** Families beyond those. */
  readonly familiesLeftOut: number;
  readonly refused: readonly Refused[];
  /** For people, when something was refused; else null. */
  readonly message: string | null;
}

/** Another replica of its cluster leads: nothing of it is stored, and nothing is wrong. */
export interface Followed {
  readonly ok: 'other replica';
  readonly leader: string;
  readonly replica: Replica;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

/** What is asked of a request besides its limits. */
export interface AcceptOptions {
  /** Whether the series are to be told apart, for a limit on active ones. */
  readonly hashSeries?: boolean;
  /** How many shards the series go to. */
  readonly shards?: number;
  /** Where HA pairs are told apart: who leads a cluster, as far as is known here; null when it is not. */
  readonly leader?: ((cluster: string) => string | null) | null;
}

export interface NotAccepted {
  readonly ok: false;
  readonly status: 400 | 413;
  /** For the metrics. */
  readonly cause: 'snappy' | 'protobuf' | 'too_large';
  readonly message: string;
}

export function accept(
  schema: Schema,
  body: Uint8Array,
  limits: ReceiveLimits,
  nowMs: number,
  options: AcceptOptions = {},
): Accepted | Followed | NotAccepted {
  const message = uncompress(body, limits);
  if ('ok' in message) return message;
  const { hashSeries = false, shards = 1, leader = null } = options;
  if (!hashSeries && shards === 1 && leader === null) {
    const plain = judgePlain(schema, message, limits, nowMs);
    if (plain !== null && plain.series > 0) {
      const size = { bytes: message.length, samples: plain.samples + plain.histograms };
      if (size.samples <= limits.samplesMax && fits(size, body, limits.record))
        return asItCame(schema, body, plain, nowMs);
    }
  }
  const decoded = decode(schema, message, limits);
  return 'ok' in decoded ? decoded : elected(decoded, body, limits, nowMs, options);
}

function asItCame(schema: Schema, body: Uint8Array, plain: Plain, nowMs: number): Accepted {
  const { series, samples, histograms, exemplars } = plain;
  const all = samples + histograms;
  const times = all > 0 ? { minT: plain.minT, maxT: plain.maxT } : { minT: nowMs, maxT: nowMs };
  const record = { schema, body: owned(body), samples: all, series, histograms, exemplars, ...times };
  return {
    ok: true,
    parts: [{ shard: 0, records: [record], hashes: null, samples, histograms, exemplars }],
    replica: null,
    samples,
    histograms,
    exemplars,
    families: [],
    familiesLeftOut: 0,
    refused: [],
    message: null,
  };
}

/** As `accept`, for a message that was made here: it was never compressed. */
export function acceptMessage(
  schema: Schema,
  message: Uint8Array,
  limits: ReceiveLimits,
  nowMs: number,
  options: AcceptOptions = {},
): Accepted | Followed | NotAccepted {
  try {
    return elected(decodeWrite(schema, message), null, limits, nowMs, options);
  } catch (error) {
    if (error instanceof TooManyError) return tooLarge(error.message);
    throw error;
  }
}

/** Of an HA pair only the replica that leads is judged, without the label that tells it from the other. */
function elected(
  decoded: Decoded,
  body: Uint8Array | null,
  limits: ReceiveLimits,
  nowMs: number,
  options: AcceptOptions,
): Accepted | Followed | NotAccepted {
  const { leader = null } = options;
  const replica = leader === null ? null : replicaOf(decoded);
  if (replica === null) return judge(decoded, body, null, limits, nowMs, options);
  const leads = leader!(replica.cluster) ?? replica.replica;
  if (leads === replica.replica) {
    const without = decodeWrite(decoded.schema, dropLabel(decoded, REPLICA));
    return judge(without, null, replica, limits, nowMs, options);
  }
  const exemplars = decoded.exemplarCount.subarray(0, decoded.seriesCount).reduce((sum, n) => sum + n, 0);
  return {
    ok: 'other replica',
    leader: leads,
    replica,
    samples: decoded.sampleCount,
    histograms: decoded.histogramCount,
    exemplars,
  };
}

/** `body` is the compressed message when it may become a record as it is, else null. */
function judge(
  decoded: Decoded,
  body: Uint8Array | null,
  replica: Replica | null,
  limits: ReceiveLimits,
  nowMs: number,
  { hashSeries = false, shards = 1 }: AcceptOptions,
): Accepted | NotAccepted {
  const judged = validate(decoded, limits, nowMs);
  const places = shards === 1 ? null : placeSeries(decoded, judged.keep, shards);
  const used = shardsUsed(judged, places);
  const parts: Part[] = [];
  let bytes = 0;
  for (const shard of used) {
    // What goes whole to one shard needs no other choice than what is kept.
    const keep = used.length === 1 ? judged.keep : judged.keep.map((kept, s) => (places![s] === shard ? kept : 0));
    const packer: Packer = { decoded, keep, judged, limits: limits.record, nowMs, records: [], bytes };
    const all = spanOf(packer, 0, decoded.seriesCount);
    const whole = used.length === 1 && judged.refused.length === 0 ? body : null;
    if (whole !== null && fits({ bytes: decoded.message.length, samples: all.samples }, whole, limits.record)) {
      packer.records.push({ schema: decoded.schema, body: owned(whole), ...all });
    } else if (!pack(packer, 0, decoded.seriesCount)) {
      const { bodyBytesMax, messageBytesMax, samplesMax } = limits.record;
      return tooLarge(
        `the request cannot be cut into records of at most ${bodyBytesMax} B compressed, ${messageBytesMax} B uncompressed and ${samplesMax} samples; ${SMALLER}`,
      );
    }
    ({ bytes } = packer);
    const { samples, histograms, exemplars } = all;
    const hashes = hashSeries ? seriesHashes(decoded, keep) : null;
    parts.push({ shard, records: packer.records, hashes, samples: samples - histograms, histograms, exemplars });
  }
  return {
    ok: true,
    parts,
    replica,
    samples: judged.samples,
    histograms: judged.histograms,
    exemplars: judged.exemplars,
    families: parts.length > 0 ? [] : families1(decoded, FAMILIES_MAX),
    familiesLeftOut: parts.length > 0 ? 0 : Math.max(0, decoded.metadataCount - FAMILIES_MAX),
    refused: judged.refused,
    message: judged.refused.length > 0 ? summary(decoded, judged) : null,
  };
}

/** The shards that what is kept goes to, ascending. */
function shardsUsed({ series, keep }: Validated, places: Uint8Array | null): number[] {
  if (series === 0) return [];
  if (places === null) return [0];
  return [...new Set(places.filter((_, s) => keep[s] !== 0))].sort((a, b) => a - b);
}

/**
 * Columns that every request of usual size is decoded into, one after the other: to grow new ones took a quarter of the decoding of 1.0, a third of 2.0.
 * And the message itself, whose memory took as long to get, clear and give back as half of its decompression. Nothing of them is in a result. Larger
 * requests have their own, so that what stays behind is bounded: two references of one byte are a label of 24 bytes in the columns.
 */
const columns = new Decoded();
const COLUMNS_MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
let scratch = new Uint8Array(0);

/** The message; it is overwritten by the next. */
function uncompress(body: Uint8Array, limits: ReceiveLimits): Uint8Array | NotAccepted {
  try {
    const length = snappyLength(body);
    if (length > limits.messageBytesMax) {
      return tooLarge(
        `the request has ${length} B uncompressed, at most ${limits.messageBytesMax} B are taken; ${SMALLER}, or raise uncompressed_size_limit in NARTHEX_LIMITS`,
      );
    }
    if (length > COLUMNS_MESSAGE_BYTES_MAX) return snappyUncompress(body, limits.messageBytesMax);
    const message = snappyUncompress(body, limits.messageBytesMax, scratch);
    if (message.length > scratch.length) scratch = new Uint8Array(message.buffer);
    return message;
  } catch (error) {
    if (!(error instanceof SnappyError)) throw error;
    const message = isFramed(body)
      ? `the body is in snappy's framed format; remote write has the block format`
      : error.message;
    return { ok: false, status: 400, cause: 'snappy', message };
  }
}

/** How a stream in the framed format begins: a chunk of type 0xff with this text. */
const FRAMED = '\xff\x06\x00\x00sNaPpY';
const isFramed = (body: Uint8Array): boolean => String.fromCharCode(...body.subarray(0, FRAMED.length)) === FRAMED;

function decode(schema: Schema, message: Uint8Array, limits: ReceiveLimits): Decoded | NotAccepted {
  try {
    const into = message.length <= COLUMNS_MESSAGE_BYTES_MAX ? columns : new Decoded();
    const decoded = decodeWrite(schema, message, into);
    const samples = decoded.sampleCount + decoded.histogramCount;
    if (samples > limits.samplesMax) {
      return tooLarge(
        `the request has ${samples} samples, at most ${limits.samplesMax} are taken; ${SMALLER}, or raise sample_limit in NARTHEX_LIMITS`,
      );
    }
    return decoded;
  } catch (error) {
    if (error instanceof TooManyError) return tooLarge(error.message);
    if (!(error instanceof DecodeError)) throw error;
    const name = schema === 1 ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
    return { ok: false, status: 400, cause: 'protobuf', message: `not a valid ${name}: ${error.message}` };
  }
}

const SMALLER = 'send smaller requests (queue_config: max_samples_per_send)';

const tooLarge = (message: string): NotAccepted => ({ ok: false, status: 413, cause: 'too_large', message });

function fits(message: { bytes: number; samples: number }, body: Uint8Array, limits: RecordLimits): boolean {
  return (
    message.bytes <= limits.messageBytesMax &&
    message.samples <= limits.samplesMax &&
    body.length <= limits.bodyBytesMax
  );
}

interface Packer {
  readonly decoded: Decoded;
  /** Per series: 1 goes into the records. */
  readonly keep: Uint8Array;
  readonly judged: Validated;
  readonly limits: RecordLimits;
  readonly nowMs: number;
  readonly records: ReceivedRecord[];
  /** Of the records' bodies. */
  bytes: number;
}

/**
 * Makes records of the kept series in [first, last): one, or the two halves' when that would be too large. False when a single
 * series is, or when all records together are: in 2.0 each of them carries all symbols, however few series are in it.
 */
function pack(packer: Packer, first: number, last: number): boolean {
  const { decoded, keep, limits, records } = packer;
  const span = spanOf(packer, first, last);
  if (span.series === 0) return true;
  const only = new Uint8Array(decoded.seriesCount);
  only.set(keep.subarray(first, last), first);
  // The number of samples is known without making the message.
  const message = span.samples <= limits.samplesMax ? filterWrite(decoded, only) : null;
  if (message !== null && message.length <= limits.messageBytesMax) {
    const body = snappyCompress(message);
    if (fits({ bytes: message.length, samples: span.samples }, body, limits)) {
      records.push({ schema: decoded.schema, body, ...span });
      packer.bytes += body.length;
      return packer.bytes <= limits.allBytesMax;
    }
  }
  if (span.series === 1) return false;
  const middle = (first + last) >>> 1;
  return pack(packer, first, middle) && pack(packer, middle, last);
}

function spanOf({ decoded, keep, judged, nowMs }: Packer, first: number, last: number) {
  let series = 0;
  let samples = 0;
  let histograms = 0;
  let exemplars = 0;
  let minT = Infinity;
  let maxT = -Infinity;
  let sample = first === 0 ? 0 : decoded.sampleEnd[first - 1]!;
  let histogram = decoded.histogramFrom(first);
  for (let s = first; s < last; s++) {
    const end = decoded.sampleEnd[s]!;
    const histogramEnd = decoded.histogramEnd[s]!;
    if (keep[s] !== 0) {
      series++;
      samples += end - sample + histogramEnd - histogram;
      histograms += histogramEnd - histogram;
      exemplars += decoded.exemplarCount[s]!;
      for (let i = sample; i < end; i++) {
        const t = decoded.t[i]!;
        if (t < minT) minT = t;
        if (t > maxT) maxT = t;
      }
      for (let i = histogram; i < histogramEnd; i++) {
        const t = judged.histogramT[i]!;
        if (t < minT) minT = t;
        if (t > maxT) maxT = t;
      }
    }
    sample = end;
    histogram = histogramEnd;
  }
  const counts = { series, samples, histograms, exemplars };
  return samples > 0 ? { ...counts, minT, maxT } : { ...counts, minT: nowMs, maxT: nowMs };
}
