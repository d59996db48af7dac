/**
 * Which requests the next records become. A record is a request as it is; 1.0 records join as bytes; what is more than the remote takes at
 * once is split between series, which costs decoding and encoding it again. Nothing is sent here.
 *
 * Invariant: the requests hold every series of the records they stand for that relabelling does not drop, in the order of the log.
 */

import { type Decoded, decodeWrite, type Schema } from '../encoding/remote-write/decoded.ts';
import { hasDirectBlock, toSchema, toSchemaBlock } from '../encoding/remote-write/convert.ts';
import { sliceWrite } from '../encoding/remote-write/slice.ts';
import { strip } from '../encoding/remote-write/strip.ts';
import { snappyCompress, snappyConcat, snappyUncompress } from '../encoding/snappy.ts';
import type { LogRecord } from '../log/record.ts';
import { decodeForNow } from './columns.ts';
import type { MetadataOfRun } from './metadata.ts';
import type { WriteRelabeler } from './relabel.ts';

/** A message of the log's own is at most 640 KiB; a received one at most what the receiver allowed. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** A request is at most this large, compressed. The densest block then has 11 MiB uncompressed; Prometheus takes 32. */
const BODY_BYTES_MAX = 512 * 1024;

export interface WriteRequest {
  /** Snappy block format. */
  readonly body: Uint8Array;
  readonly samples: number;
  /** Of `samples`, and besides. Of a record that relabelling changed at most so many: what it drops is not told apart. */
  readonly histograms: number;
  readonly exemplars: number;
  /** False for a single series, which is never split. */
  readonly divisible: boolean;
}

export interface Requests {
  /** How many of the records they stand for: one, or several in one request. */
  readonly records: number;
  /** None when relabelling leaves nothing of the record. */
  readonly requests: readonly WriteRequest[];
  /** Samples of the records that relabelling drops. */
  readonly samplesDropped: number;
  /** Native histograms of them that the remote is not to get. */
  readonly histogramsDropped: number;
}

/** What a remote is to get. */
export interface Terms {
  /** Its `write_relabel_configs`. */
  readonly relabeler: WriteRelabeler;
  /** Left out of what it gets; `histograms` in 1.0 only. */
  readonly without?: { readonly exemplars: boolean; readonly histograms: boolean };
  /** Gathers metadata from what is encoded as 1.0. */
  readonly metadata?: MetadataOfRun;
}

/**
 * The requests for the first of `records`, and in 1.0 for as many after it as fit into one. `samplesMax` bounds a request, but a series is never
 * split. Throws DecodeError or SnappyError when the first record cannot be read.
 */
export function nextRequests(
  records: readonly LogRecord[],
  schema: Schema,
  samplesMax: number,
  terms: Terms,
): Requests {
  const first = prepare(records[0]!, schema, terms);
  let { samplesDropped, histogramsDropped } = first;
  if (first.rest === null) return { records: 1, requests: [], samplesDropped, histogramsDropped };
  let { samples, histograms, exemplars } = first.rest;
  const body = samples > samplesMax ? null : bodyFor(first.rest, schema, terms);
  if (body === null || body.byteLength > BODY_BYTES_MAX) {
    return { records: 1, requests: split(first.rest, schema, samplesMax, terms), samplesDropped, histogramsDropped };
  }
  const bodies = [body];
  if (schema === 1) {
    let bytes = body.byteLength;
    for (const record of records.slice(1)) {
      if (samples + record.samples > samplesMax) break;
      const more = readable(record, schema, terms);
      if (more === null || bytes + more.body.byteLength > BODY_BYTES_MAX) break;
      bodies.push(more.body);
      bytes += more.body.byteLength;
      samples += more.samples;
      histograms += more.histograms;
      exemplars += more.exemplars;
      samplesDropped += more.samplesDropped;
      histogramsDropped += more.histogramsDropped;
    }
  }
  const joined = bodies.length === 1 ? body : snappyConcat(bodies);
  const requests = [{ body: joined, samples, histograms, exemplars, divisible: true }];
  return { records: bodies.length, requests, samplesDropped, histogramsDropped };
}

/** A request as several of at most `samplesMax`, between its series. */
export const divided = (request: WriteRequest, schema: Schema, samplesMax: number): readonly WriteRequest[] =>
  split({ ...request, schema, content: request }, schema, samplesMax);

/** What remains of a record, in the schema that it has: compressed as it came, or uncompressed where it was changed. */
interface Rest {
  readonly schema: Schema;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly content: { readonly body: Uint8Array } | { readonly message: Uint8Array };
}

interface Prepared {
  /** Null when nothing remains. */
  readonly rest: Rest | null;
  readonly samplesDropped: number;
  readonly histogramsDropped: number;
}

/** A record after `write_relabel_configs`, and without what the remote is not to get. */
function prepare(record: LogRecord, schema: Schema, { relabeler, without }: Terms): Prepared {
  const { message, samplesDropped } = relabeler.relabel(record);
  if (message === null) return { rest: null, samplesDropped, histogramsDropped: 0 };
  const samples = record.samples - samplesDropped;
  const content = message === 'same' ? record : { message };
  const rest = { schema: record.schema, samples, histograms: record.histograms, exemplars: record.exemplars, content };
  const exemplars = without?.exemplars === true && record.exemplars > 0;
  const histograms = without?.histograms === true && schema === 1 && record.histograms > 0;
  if (!exemplars && !histograms) return { rest, samplesDropped, histogramsDropped: 0 };
  const { message: stripped, series, histogramsDropped } = strip(decode(rest), { exemplars, histograms });
  const left = {
    ...rest,
    samples: samples - histogramsDropped,
    ...(histograms ? { histograms: 0 } : {}),
    ...(exemplars ? { exemplars: 0 } : {}),
    content: { message: stripped },
  };
  return { rest: series === 0 ? null : left, samplesDropped, histogramsDropped };
}

const decode = ({ schema, content }: Rest): Decoded =>
  decodeForNow(schema, 'message' in content ? content.message : snappyUncompress(content.body, MESSAGE_BYTES_MAX));

/** The record's own bytes where the remote speaks its schema and nothing changed; else it is encoded again. */
function bodyFor(rest: Rest, schema: Schema, { metadata }: Terms): Uint8Array {
  if (rest.schema !== schema) {
    const decoded = decode(rest);
    const body = toSchemaBlock(decoded, schema);
    metadata?.gather(decoded);
    return body;
  }
  return 'message' in rest.content ? snappyCompress(rest.content.message) : rest.content.body;
}

/** Null for a record that cannot be read, or of which nothing remains: that is reported when it is the first. */
function readable(
  record: LogRecord,
  schema: Schema,
  terms: Terms,
): (Omit<Prepared, 'rest'> & Omit<WriteRequest, 'divisible'>) | null {
  try {
    const { rest, ...dropped } = prepare(record, schema, terms);
    if (rest === null) return null;
    const { samples, histograms, exemplars } = rest;
    return { body: bodyFor(rest, schema, terms), samples, histograms, exemplars, ...dropped };
  } catch {
    return null;
  }
}

function split(rest: Rest, schema: Schema, samplesMax: number, terms?: Terms): WriteRequest[] {
  const decoded = decode(rest);
  if (rest.schema !== schema) terms?.metadata?.gather(decoded);
  const { seriesCount } = decoded;
  const partOf = partsOf(decoded, schema);
  const requests: WriteRequest[] = [];
  const add = (from: number, to: number): void => {
    const part = partOf(from, to);
    const divisible = to - from > 1;
    if (divisible && part.byteLength > BODY_BYTES_MAX) {
      const middle = (from + to) >>> 1;
      add(from, middle);
      add(middle, to);
    } else {
      const samples = decoded.samplesBefore(to) - decoded.samplesBefore(from);
      const histograms = decoded.histogramFrom(to) - decoded.histogramFrom(from);
      const exemplars = decoded.exemplarCount.subarray(from, to).reduce((sum, n) => sum + n, 0);
      requests.push({ body: part, samples, histograms, exemplars, divisible });
    }
  };
  for (let from = 0; from < seriesCount;) {
    let to = from + 1;
    while (to < seriesCount && decoded.samplesBefore(to + 1) - decoded.samplesBefore(from) <= samplesMax) to++;
    add(from, to);
    from = to;
  }
  return requests;
}

/** Makes the requests for the series `from` up to `to` (exclusive). */
function partsOf(decoded: Decoded, schema: Schema): (from: number, to: number) => Uint8Array {
  if (hasDirectBlock(decoded, schema)) return (from, to) => toSchemaBlock(decoded, schema, from, to);
  // The columns that `decoded` has go on to say how many samples there are, so these are others.
  const whole = decoded.schema === schema ? decoded : decodeWrite(schema, toSchema(decoded, schema));
  return (from, to) => snappyCompress(sliceWrite(whole, from, to));
}
