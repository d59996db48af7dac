/**
 * The series that are written in benchmarks, as remote-write messages: pods of a cluster with a hundred metrics each, in the order
 * in which an agent sends them. Written with protobufjs by the field numbers of the specification and with nothing of Narthex; two thirds are counters with whole
 * numbers, the rest gauges.
 *
 * All messages of one slice of the series have the same bytes but for times and values, so they are made once and patched.
 */
import { Writer } from 'protobufjs/minimal.js';
import snappy from 'snappyjs';

export type Schema = 1 | 2;

const METRICS_A_POD = 100;
const COUNTER = 1;
const GAUGE = 2;
const isCounter = (series: number): boolean => series % 3 !== 0;

/** Names and values, sorted by name. */
function labels(series: number): [name: string, value: string][] {
  const metric = series % METRICS_A_POD;
  const pod = Math.floor(series / METRICS_A_POD);
  const app = `app-${pod % 23}`;
  return [
    ['__name__', `${app.replace('-', '_')}_request_stage_${metric >> 2}_${isCounter(series) ? 'total' : 'bytes'}`],
    ['cluster', 'production-eu-1'],
    ['container', app],
    ['endpoint', 'http-metrics'],
    ['instance', `10.12.${pod >> 8}.${pod & 255}:9100`],
    ['job', `monitoring/${app}`],
    ['namespace', `team-${pod % 7}`],
    ['node', `node-${pod % 31}.internal`],
    ['pod', `${app}-5d4f8c-${pod.toString(36).padStart(5, 'x')}`],
    ['stage', ['parse', 'plan', 'run', 'send'][metric & 3]!],
  ];
}

/** The bits of a series' value in a round: counters go up by whole numbers, gauges swing. Never 0, which has another length. */
function value(series: number, round: number): number {
  if (isCounter(series)) return 1 + series + round * (1 + (series % 97));
  return 1e6 + 1e3 * Math.sin(series + round) + series / 7;
}

/** Series [from, to) as a message, and where in it the sample of each is: 8 bytes of value, a tag, 6 bytes of time. */
interface Slice {
  readonly from: number;
  readonly message: Uint8Array;
  readonly places: Uint32Array;
}

function slice(schema: Schema, from: number, to: number): Slice {
  const message = schema === 1 ? messageV1(from, to) : messageV2(from, to);
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const places = new Uint32Array(to - from);
  // The value that stands for a sample here is its series' number as bits that occur nowhere else, in the order of the series.
  for (let at = 0, series = from; series < to; at++) {
    if (view.getUint32(at, true) !== series || view.getUint32(at + 4, true) !== MARK) continue;
    places[series++ - from] = at;
  }
  return { from, message, places };
}

const MARK = 0xdecade99;
const markOf = (series: number): number => {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, series, true);
  view.setUint32(4, MARK, true);
  return view.getFloat64(0, true);
};
/** Times between 2004 and 2527 take 6 bytes. */
const SOME_TIME_MS = 1.7e12;

function messageV1(from: number, to: number): Uint8Array {
  const out = Writer.create();
  for (let series = from; series < to; series++) {
    out.uint32(tag(1)).fork();
    for (const [name, text] of labels(series))
      out.uint32(tag(1)).fork().uint32(tag(1)).string(name).uint32(tag(2)).string(text).ldelim();
    sample(out, series);
    out.ldelim();
  }
  return new Uint8Array(out.finish());
}

function messageV2(from: number, to: number): Uint8Array {
  const symbols = new Map([['', 0]]);
  const symbol = (text: string): number => {
    const ref = symbols.get(text) ?? symbols.size;
    symbols.set(text, ref);
    return ref;
  };
  const out = Writer.create();
  for (let series = from; series < to; series++) {
    out.uint32(tag(5)).fork().uint32(tag(1)).fork();
    for (const [name, text] of labels(series)) out.uint32(symbol(name)).uint32(symbol(text));
    out.ldelim();
    sample(out, series);
    const help = symbol(`What the metric number ${series % METRICS_A_POD} counts.`);
    out
      .uint32(tag(5))
      .fork()
      .uint32(8)
      .uint32(isCounter(series) ? COUNTER : GAUGE)
      .uint32(24)
      .uint32(help)
      .ldelim();
    out.ldelim();
  }
  const head = Writer.create();
  for (const text of symbols.keys()) head.uint32(tag(4)).string(text);
  return new Uint8Array(Buffer.concat([head.finish(), out.finish()]));
}

function sample(out: Writer, series: number): void {
  out.uint32(tag(2)).fork().uint32(9).double(markOf(series)).uint32(16).int64(SOME_TIME_MS).ldelim();
}

/** The tag of a field that has a length. */
const tag = (field: number): number => field * 8 + 2;

/** The slice as it is in a round: its own copy. */
function patched({ from, message, places }: Slice, round: number, timeMs: number): Uint8Array {
  const bytes = new Uint8Array(message);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < places.length; i++) {
    const at = places[i]!;
    view.setFloat64(at, value(from + i, round), true);
    for (let byte = 0, rest = timeMs; byte < 6; byte++, rest = Math.floor(rest / 128)) {
      bytes[at + 9 + byte] = (rest % 128) | (byte < 5 ? 0x80 : 0);
    }
  }
  return bytes;
}

export interface WorkloadOptions {
  readonly schema: Schema;
  readonly series: number;
  readonly rounds: number;
  /** Samples of a request. */
  readonly samplesMax: number;
  /** Time of the first round, Unix ms; the others follow in steps of `stepMs`. */
  readonly startMs: number;
  readonly stepMs: number;
}

/** Uncompressed messages: by round, then by slice of the series. */
export function messages(options: WorkloadOptions): Uint8Array[][] {
  return rounds(options, (message) => message);
}

/** The same, compressed as they are sent. */
export function bodies(options: WorkloadOptions): Uint8Array[][] {
  return rounds(options, (message) => snappy.compress(message));
}

function rounds(options: WorkloadOptions, finish: (message: Uint8Array) => Uint8Array): Uint8Array[][] {
  const { schema, series, samplesMax, startMs, stepMs } = options;
  const slices: Slice[] = [];
  for (let from = 0; from < series; from += samplesMax) {
    slices.push(slice(schema, from, Math.min(series, from + samplesMax)));
  }
  return Array.from({ length: options.rounds }, (_, round) =>
    slices.map((one) => finish(patched(one, round, startMs + round * stepMs))),
  );
}
