/**
 * An independent reader and writer of both remote-write messages: protobufjs over the schemas as the specifications give them (field numbers
 * from prometheus/prometheus, prompb). Doubles are declared as fixed64, which is the same on the wire and keeps every bit of a NaN. Each
 * message also has fields of every wire type that no version knows, which a reader must pass over.
 */

import protobuf from 'protobufjs';

const UNKNOWN = 'fixed32 u32 = 100; fixed64 u64 = 101; bytes blob = 102; uint64 number = 536870911;';

const SCHEMAS = `
  syntax = "proto3";
  message Sample { fixed64 value = 1; int64 timestamp = 2; ${UNKNOWN} }

  message V1 { repeated Series1 timeseries = 1; repeated Family metadata = 3; ${UNKNOWN} }
  message Family { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
  message Series1 { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar1 exemplars = 3; repeated Histogram histograms = 4; ${UNKNOWN} }
  message Label { string name = 1; string value = 2; ${UNKNOWN} }
  message Exemplar1 { repeated Label labels = 1; fixed64 value = 2; int64 timestamp = 3; }
  message Histogram {
    optional uint64 count_int = 1; optional fixed64 count_float = 2; fixed64 sum = 3; sint32 schema = 4; fixed64 zero_threshold = 5;
    uint64 zero_count_int = 6; fixed64 zero_count_float = 7;
    repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated fixed64 negative_counts = 10;
    repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated fixed64 positive_counts = 13;
    uint32 reset_hint = 14; int64 timestamp = 15; repeated fixed64 custom_values = 16; int64 start_timestamp = 17; ${UNKNOWN}
  }
  message UnpackedHistogram {
    uint64 count_int = 1; repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12 [packed = false];
    repeated fixed64 custom_values = 16 [packed = false]; sint32 schema = 4;
  }
  message BucketSpan { sint32 offset = 1; uint32 length = 2; ${UNKNOWN} }

  message V2 { repeated string symbols = 4; repeated Series2 timeseries = 5; ${UNKNOWN} }
  message Series2 { repeated uint32 labels_refs = 1; repeated Sample2 samples = 2; repeated Histogram histograms = 3; repeated Exemplar2 exemplars = 4; Metadata metadata = 5; int64 created_timestamp = 6; ${UNKNOWN} }
  message Sample2 { fixed64 value = 1; int64 timestamp = 2; int64 start_timestamp = 3; ${UNKNOWN} }
  message Exemplar2 { repeated uint32 labels_refs = 1; fixed64 value = 2; int64 timestamp = 3; }
  message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }

  message Unpacked2 { repeated string symbols = 4; repeated UnpackedSeries2 timeseries = 5; }
  message UnpackedSeries2 { repeated uint32 labels_refs = 1 [packed = false]; repeated Sample2 samples = 2; repeated Exemplar2 exemplars = 4; }
`;
const { root } = protobuf.parse(SCHEMAS);

/** Seen through the oracle: every field optional, 64-bit numbers as {low, high} or, where exact, as number. */
export interface Bits {
  low: number;
  high: number;
  unsigned: boolean;
}
export interface Sample {
  value: Bits;
  timestamp: number | Bits;
  startTimestamp?: number;
}
export interface Exemplar1 {
  labels: { name: string; value: string }[];
  value: Bits;
  timestamp: number;
}
/** Counts are of one kind or of the other; which is told by what is there. */
export interface HistogramMessage {
  countInt?: number | Bits;
  countFloat?: Bits;
  sum?: Bits;
  schema?: number;
  zeroThreshold?: Bits;
  zeroCountInt?: number;
  zeroCountFloat?: Bits;
  negativeSpans?: { offset?: number; length?: number }[];
  negativeDeltas?: number[];
  negativeCounts?: Bits[];
  positiveSpans?: { offset?: number; length?: number }[];
  positiveDeltas?: (number | Bits)[];
  positiveCounts?: Bits[];
  resetHint?: number;
  timestamp?: number | Bits;
  customValues?: Bits[];
  startTimestamp?: number;
}
export interface Series1 {
  labels?: { name?: string; value?: string }[];
  samples?: Partial<Sample>[];
  exemplars?: Exemplar1[];
  histograms?: HistogramMessage[];
}
export interface V1 {
  timeseries?: Series1[];
  metadata?: object[];
}
export interface Exemplar2 {
  labelsRefs: number[];
  value: Bits;
  timestamp: number;
}
export interface Series2 {
  labelsRefs?: number[];
  samples?: Partial<Sample>[];
  histograms?: HistogramMessage[];
  exemplars?: Exemplar2[];
  metadata?: { type?: number; helpRef?: number; unitRef?: number };
  createdTimestamp?: number;
}
export interface V2 {
  symbols?: string[];
  timeseries?: Series2[];
}

function codec<T extends object>(name: string, schemas = root) {
  const type = schemas.lookupType(name);
  return {
    encode: (message: T): Uint8Array => new Uint8Array(type.encode(type.create(message)).finish()),
    decode: (bytes: Uint8Array): T =>
      type.toObject(type.decode(bytes), { defaults: true, longs: Number, arrays: true }) as T,
    /** As decode, with 64-bit numbers as halves. */
    decodeBits: (bytes: Uint8Array): T => type.toObject(type.decode(bytes), { defaults: true, arrays: true }) as T,
  };
}

export const v1 = codec<V1>('V1');
export const v2 = codec<V2>('V2');
/** With text as bytes: it is for others to say what is UTF-8. */
const raw = protobuf.parse(SCHEMAS.replaceAll('string ', 'bytes ')).root;
type Raw<T> = T extends string ? Uint8Array : T extends Bits | number ? T : { [key in keyof T]: Raw<T[key]> };
export const raw1 = codec<Raw<V1>>('V1', raw);
export const raw2 = codec<Raw<V2>>('V2', raw);
export const histogramMessage = codec<HistogramMessage>('Histogram');
export const unpackedHistogram = codec<HistogramMessage>('UnpackedHistogram');
export const unpacked2 = codec<V2>('Unpacked2');

export const bits = (high: number, low: number): Bits => ({ low: low | 0, high: high | 0, unsigned: true });

/** A double's bits. */
export function double(value: number): Bits {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return bits(view.getUint32(0), view.getUint32(4));
}

/** Fields that no version knows, of every wire type. */
export const unknown = { u32: 7, u64: bits(1, 2), blob: Uint8Array.of(1, 2, 3), number: bits(0xffffffff, 0xffffffff) };
