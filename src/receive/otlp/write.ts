/**
 * `POST /api/v1/otlp/v1/metrics`: metrics of OTLP over HTTP (opentelemetry.io/docs/specs/otlp), as protobuf or JSON, with or without gzip. They
 * become a Remote Write 2.0 message and take its way from there on.
 *
 * Invariant: 200 means that all data points are durable but those that `partial_success` counts, which will never be; 429 and 503 that none is.
 */

import type { OtlpConfig } from '../../config/model.ts';
import { DecodeError } from '../../encoding/protobuf-reader.ts';
import { RequestBuilder } from '../../encoding/remote-write/builder.ts';
import { Writer } from '../../encoding/protobuf-writer.ts';
import { NoRoomError, readBody, readStream, type TakeRoom } from '../../model/body.ts';
import { acceptMessage } from '../accept.ts';
import type { Held } from '../room.ts';
import { append, followed, noRoom, placed, unreached, type WriteDeps } from '../write.ts';
import { decodeOtlpJson, JSON_BYTES_MAX } from './json.ts';
import { type ResourceMetrics, TooManyObjectsError } from './model.ts';
import { decodeOtlp } from './protobuf.ts';
import { translate } from './translate.ts';

export interface OtlpDeps extends WriteDeps {
  /** The section `otlp` of the configuration in force. Asked for when the request has been read. */
  config(): Promise<OtlpConfig>;
}

type Type = 'application/x-protobuf' | 'application/json';

interface Answer {
  readonly status: number;
  readonly message?: string;
  /** Data points that were refused, with status 200. */
  readonly rejected?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function handleOtlp(request: Request, tenant: string, deps: OtlpDeps): Promise<Response> {
  const type = typeOf(request.headers);
  const held = deps.room.enter();
  const answer = await write(request, type, tenant, deps, held).finally(() => held.leave());
  deps.count(`otlp_requests:${answer.status}`);
  if (answer.message !== undefined) deps.refused(answer.status, answer.message);
  const headers = new Headers(answer.headers);
  headers.set('Content-Type', type ?? 'text/plain; charset=utf-8');
  return new Response(bodyOf(answer, type), { status: answer.status, headers });
}

function typeOf(headers: Headers): Type | null {
  const type = (headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  return type === 'application/x-protobuf' || type === 'application/json' ? type : null;
}

async function write(request: Request, type: Type | null, tenant: string, deps: OtlpDeps, held: Held): Promise<Answer> {
  const refuse = (cause: string, status: number, message: string, headers = {}): Answer => {
    deps.count(`refused_requests:${cause}`);
    return { status, message, headers };
  };
  if (request.method !== 'POST') {
    return refuse('method', 405, `OTLP is sent with POST, not ${request.method}`, { Allow: 'POST' });
  }
  if (type === null) {
    return refuse(
      'content_type',
      415,
      'the content type is not supported; expected application/x-protobuf or application/json',
    );
  }
  const encoding = (request.headers.get('content-encoding') ?? '').trim().toLowerCase();
  if (encoding !== '' && encoding !== 'gzip' && encoding !== 'identity') {
    return refuse(
      'content_type',
      415,
      `Content-Encoding ${JSON.stringify(encoding.slice(0, 40))} is not supported; expected gzip`,
    );
  }
  const { limits, nowMs } = deps;
  const bytesMax =
    type === 'application/json' ? Math.min(JSON_BYTES_MAX, limits.messageBytesMax) : limits.messageBytesMax;
  let message: Uint8Array | null;
  try {
    message = await readBody(request, limits.bodyBytesMax, held.take);
    if (message !== null && encoding === 'gzip') message = await gunzip(message, bytesMax, held.take);
  } catch (error) {
    if (error instanceof NoRoomError) {
      const { status, message, headers } = noRoom(deps);
      return refuse('no_room', status, message!, headers);
    }
    return refuse('body', 400, `the body cannot be read: ${String(error)}`);
  }
  if (message === null || message.byteLength > bytesMax) {
    return refuse(
      'too_large',
      413,
      `the body is larger than ${limits.bodyBytesMax} B (body_size_limit in NARTHEX_LIMITS), or than ${bytesMax} B uncompressed (${bytesMax < limits.messageBytesMax ? 'what is taken as JSON; protobuf may have more' : 'uncompressed_size_limit'}); send smaller batches`,
    );
  }

  let decoded: ResourceMetrics[];
  try {
    decoded = type === 'application/json' ? decodeOtlpJson(message) : decodeOtlp(message);
  } catch (error) {
    if (error instanceof TooManyObjectsError) return refuse('too_large', 413, `${error.message}; send smaller batches`);
    if (!(error instanceof DecodeError)) throw error;
    return refuse('protobuf', 400, `not a valid ExportMetricsServiceRequest: ${error.message}`);
  }
  message = null;

  const builder = new RequestBuilder({ samplesMax: Infinity, bytesMax: Infinity });
  const { refused, exemplarsRefused, whole } = translate(decoded, await deps.config(), builder, limits, nowMs);
  const [built] = builder.finish();
  const tooMany = `the request has more than ${limits.samplesMax} samples (sample_limit in NARTHEX_LIMITS); send smaller batches`;
  if (!whole) return refuse('too_large', 413, tooMany);
  let rejected = 0;
  const reasons: string[] = [];
  for (const [reason, points] of refused) {
    rejected += points;
    reasons.push(`${reason} (${points} data ${points === 1 ? 'point' : 'points'})`);
  }
  if (built !== undefined) {
    const accepted = await placed(tenant, deps, (shards) =>
      acceptMessage(2, built.message, limits, nowMs, { ...deps, shards }),
    );
    if (accepted instanceof Error) return unreached(accepted, deps);
    if (accepted.ok === 'other replica') {
      followed(accepted, deps);
      // OTLP has one status for "all is well".
      return { status: 200 };
    }
    if (!accepted.ok) return refuse(accepted.cause, accepted.status, accepted.message);
    const answer = await append(accepted, tenant, deps);
    if (answer.status >= 500 || answer.status === 429) return { ...answer, status: answer.status };
    if (answer.status === 202) return { status: 200 };
    // A series here is a sample; a data point may be several, of which all or none are refused as a rule.
    for (const row of accepted.refused) rejected += row.samples;
    if (accepted.message !== null) reasons.push(accepted.message);
  }
  // Counted only now: after a 5xx the whole request comes again.
  for (const points of refused.values()) deps.count('refused_data_points', points);
  if (exemplarsRefused > 0) deps.count('refused_exemplars', exemplarsRefused);
  return reasons.length === 0 ? { status: 200 } : { status: 200, rejected, message: reasons.join('\n') };
}

async function gunzip(body: Uint8Array, bytesMax: number, take: TakeRoom): Promise<Uint8Array | null> {
  const stream = new Blob([body as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip'));
  return await readStream(stream, bytesMax, { take });
}

/**
 * `ExportMetricsServiceResponse { partial_success = 1 { rejected_data_points = 1, error_message = 2 } }`, and for an error `google.rpc.Status {
 * message = 2 }`, in the kind of the request.
 */
function bodyOf({ status, message, rejected = 0 }: Answer, type: Type | null): BodyInit {
  if (type === null) return `${message ?? ''}\n`;
  if (type === 'application/json') {
    if (status !== 200) return JSON.stringify({ message });
    if (message === undefined) return '{}';
    return JSON.stringify({ partialSuccess: { rejectedDataPoints: String(rejected), errorMessage: message } });
  }
  const out = new Writer();
  if (message !== undefined) {
    const text = new TextEncoder().encode(message);
    const inner = new Writer();
    if (status === 200 && rejected > 0) {
      inner.tag(0x08);
      inner.int64(rejected);
    }
    inner.field(0x12, text, 0, text.length);
    if (status === 200) out.field(0x0a, inner.bytes, 0, inner.length);
    else out.raw(inner.bytes, 0, inner.length);
  }
  return out.finish();
}
