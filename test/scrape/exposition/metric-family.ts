/** Writes delimited `io.prometheus.client.MetricFamily` messages. */
import protobuf from 'protobufjs/minimal.js';

type Labels = Readonly<Record<string, string>>;

export interface TestExemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly ms?: number;
}

export interface TestMetric {
  readonly labels?: Labels;
  readonly ms?: number;
  /** Since when it counts; of any type, though not all may have it. */
  readonly startMs?: number;
  /** Counter, gauge, untyped. */
  readonly value?: number;
  readonly exemplar?: TestExemplar;
  /** Summary, histogram. */
  readonly count?: number;
  readonly countFloat?: number;
  readonly sum?: number;
  readonly quantiles?: readonly (readonly [quantile: number, value: number])[];
  readonly buckets?: readonly (readonly [bound: number, count: number, exemplar?: TestExemplar])[];
  /** A native part; true is a small one. */
  readonly native?: boolean | TestNative;
}

/** Fields of Histogram. Buckets of integers are deltas; they are packed, or not, as most clients write them. */
export interface TestNative {
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly zeroCount?: number;
  readonly zeroCountFloat?: number;
  readonly positiveSpans?: readonly (readonly [offset: number, length: number])[];
  readonly negativeSpans?: readonly (readonly [offset: number, length: number])[];
  readonly positiveDeltas?: readonly number[];
  readonly negativeDeltas?: readonly number[];
  readonly positiveCounts?: readonly number[];
  readonly negativeCounts?: readonly number[];
  readonly packed?: boolean;
  readonly exemplars?: readonly TestExemplar[];
}

const SMALL: TestNative = {
  schema: 3,
  zeroThreshold: 0.001,
  zeroCount: 1,
  positiveSpans: [[0, 1]],
  positiveDeltas: [2],
};

export const METRIC_TYPES = ['counter', 'gauge', 'summary', 'untyped', 'histogram', 'gaugehistogram'] as const;

export interface TestFamily {
  readonly name: string;
  readonly type: (typeof METRIC_TYPES)[number];
  readonly help?: string;
  readonly unit?: string;
  readonly metrics: readonly TestMetric[];
}

type Writer = protobuf.Writer;

export function encodeFamilies(families: readonly TestFamily[]): Uint8Array<ArrayBuffer> {
  const out = protobuf.Writer.create();
  for (const family of families) {
    const message = protobuf.Writer.create();
    message.uint32(10).string(family.name);
    if (family.help !== undefined) message.uint32(18).string(family.help);
    message.uint32(24).int32(METRIC_TYPES.indexOf(family.type));
    for (const one of family.metrics) nested(message, 4, (metric) => writeMetric(metric, one, family.type));
    if (family.unit !== undefined) message.uint32(42).string(family.unit);
    out.bytes(message.finish());
  }
  return Uint8Array.from(out.finish());
}

function nested(out: Writer, field: number, write: (message: Writer) => void): void {
  out.uint32(field * 8 + 2).fork();
  write(out);
  out.ldelim();
}

function writeLabels(out: Writer, labels: Labels): void {
  for (const [name, value] of Object.entries(labels)) {
    nested(out, 1, (pair) => pair.uint32(10).string(name).uint32(18).string(value));
  }
}

function writeMetric(out: Writer, one: TestMetric, type: TestFamily['type']): void {
  writeLabels(out, one.labels ?? {});
  const { value } = one;
  if (type === 'summary') {
    nested(out, 4, (summary) => {
      if (one.count !== undefined) summary.uint32(8).uint64(one.count);
      if (one.sum !== undefined) summary.uint32(17).double(one.sum);
      for (const [quantile, at] of one.quantiles ?? []) {
        nested(summary, 3, (point) => point.uint32(9).double(quantile).uint32(17).double(at));
      }
      writeStart(summary, 4, one);
    });
  } else if (type === 'histogram' || type === 'gaugehistogram') {
    nested(out, 7, (histogram) => {
      writeHistogram(histogram, one);
      writeStart(histogram, 15, one);
    });
  } else {
    const field = type === 'gauge' ? 2 : type === 'counter' ? 3 : 5;
    nested(out, field, (scalar) => {
      if (value !== undefined) scalar.uint32(9).double(value);
      if (one.exemplar !== undefined) nested(scalar, 2, (message) => writeExemplar(message, one.exemplar!));
      writeStart(scalar, 3, one);
    });
  }
  if (one.ms !== undefined) out.uint32(48).int64(one.ms);
}

function writeHistogram(out: Writer, one: TestMetric): void {
  if (one.count !== undefined) out.uint32(8).uint64(one.count);
  if (one.sum !== undefined) out.uint32(17).double(one.sum);
  for (const [bound, count, exemplar] of one.buckets ?? []) {
    nested(out, 3, (bucket) => {
      bucket.uint32(8).uint64(count).uint32(17).double(bound);
      if (exemplar !== undefined) nested(bucket, 3, (message) => writeExemplar(message, exemplar));
    });
  }
  if (one.countFloat !== undefined) out.uint32(33).double(one.countFloat);
  if (one.native) writeNative(out, one.native === true ? SMALL : one.native);
}

function writeNative(out: Writer, native: TestNative): void {
  if (native.schema !== undefined) out.uint32(40).sint32(native.schema);
  if (native.zeroThreshold !== undefined) out.uint32(49).double(native.zeroThreshold);
  if (native.zeroCount !== undefined) out.uint32(56).uint64(native.zeroCount);
  if (native.zeroCountFloat !== undefined) out.uint32(65).double(native.zeroCountFloat);
  const numbers = (
    field: number,
    wireType: number,
    all: readonly number[] = [],
    write: (to: Writer, n: number) => void,
  ) => {
    if (native.packed && all.length > 0) nested(out, field, (message) => all.forEach((one) => write(message, one)));
    else for (const one of all) write(out.uint32(field * 8 + wireType), one);
  };
  const spans = (field: number, all: TestNative['positiveSpans'] = []) => {
    for (const [offset, length] of all) {
      nested(out, field, (span) => span.uint32(8).sint32(offset).uint32(16).uint32(length));
    }
  };
  spans(9, native.negativeSpans);
  numbers(10, 0, native.negativeDeltas, (to, n) => to.sint64(n));
  numbers(11, 1, native.negativeCounts, (to, n) => to.double(n));
  spans(12, native.positiveSpans);
  numbers(13, 0, native.positiveDeltas, (to, n) => to.sint64(n));
  numbers(14, 1, native.positiveCounts, (to, n) => to.double(n));
  for (const exemplar of native.exemplars ?? []) nested(out, 16, (message) => writeExemplar(message, exemplar));
}

function writeExemplar(out: Writer, { labels, value, ms }: TestExemplar): void {
  writeLabels(out, labels);
  out.uint32(17).double(value);
  if (ms !== undefined) writeTime(out, 3, ms);
}

function writeStart(out: Writer, field: number, { startMs }: TestMetric): void {
  if (startMs !== undefined) writeTime(out, field, startMs);
}

function writeTime(out: Writer, field: number, ms: number): void {
  nested(out, field, (time) =>
    time
      .uint32(8)
      .int64(Math.floor(ms / 1000))
      .uint32(16)
      .int32((ms % 1000) * 1e6),
  );
}
