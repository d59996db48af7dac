/**
 * `POST /api/v1/write`: a remote-write receiver, Remote Write 1.0 and 2.0 (prometheus.io/docs/specs/prw). Reads the body, has it judged
 * (accept.ts), has it appended, and answers.
 *
 * Invariant: 2xx means that all of the request is durable. 5xx and 429 mean that nothing of it was kept, so it may come again.
 * 4xx means that what the Written headers count was kept, and that the rest will never be.
 */

import type { Schema } from '../encoding/remote-write/decoded.ts';
import { readBody } from '../http/body.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import { accept, type Accepted, type Followed, type ReceivedRecord } from './accept.ts';
import type { Replica } from './ha.ts';
import type { ReceiveLimits } from './limits.ts';
import { negotiate } from './negotiate.ts';

export type { ReceivedRecord };

/** What the log answers. Expected outcomes are data: an error loses its class on the way out of an object. */
export type AppendResult = Appended | NotAppended;

export interface Appended {
  readonly ok: true;
  /** For a replica: who leads its cluster. Another one: nothing was appended. */
  readonly leader?: string;
}

/** Nothing was kept: the same request may come again. */
export interface NotAppended {
  readonly ok: false;
  readonly status: 429 | 503;
  readonly retryAfterS: number;
  readonly message: string;
}

export interface WriteDeps {
  readonly limits: ReceiveLimits;
  /** Whether the log wants to know which series come (a limit on active series). */
  readonly hashSeries: boolean;
  readonly nowMs: number;
  /** Where HA pairs are told apart: who leads a cluster, as far as this Worker was told lately; null when it was not. */
  readonly leader: ((cluster: string) => string | null) | null;
  /** Appends all records or none; resolves when they are durable. */
  append(tenant: string, records: readonly ReceivedRecord[], about: AboutRecords): Promise<AppendResult>;
  /** Keeps what is said of metrics in a request without samples; resolves when it is durable. */
  describe(tenant: string, families: readonly FamilyMetadata[]): Promise<void>;
  /** Counts an event: `requests:204`, `samples_in`, `refused_samples:too_old`, `refused_requests:snappy` … */
  count(event: string, n?: number): void;
}

/** What the log's object judges them by. */
export interface AboutRecords {
  /** Of their series, when wanted. */
  readonly hashes: Uint32Array | null;
  readonly replica: Replica | null;
}

/** How long a sender should wait when the log cannot be reached at all. */
const RETRY_AFTER_S = 5;

export interface Answer {
  readonly status: number;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is durable now. Absent is nothing. */
  readonly written?: { readonly samples: number; readonly histograms: number; readonly exemplars: number };
}

/** Never rejects because of what came in; a body that cannot be read is answered too. */
export async function handleWrite(request: Request, tenant: string, deps: WriteDeps): Promise<Response> {
  const { schema, answer } = await write(request, tenant, deps);
  deps.count(`requests:${answer.status}`);
  const headers = new Headers(answer.headers);
  if (schema === 2) {
    headers.set('X-Prometheus-Remote-Write-Samples-Written', String(answer.written?.samples ?? 0));
    headers.set('X-Prometheus-Remote-Write-Histograms-Written', String(answer.written?.histograms ?? 0));
    headers.set('X-Prometheus-Remote-Write-Exemplars-Written', String(answer.written?.exemplars ?? 0));
  }
  if (answer.message === undefined) return new Response(null, { status: answer.status, headers });
  headers.set('Content-Type', 'text/plain; charset=utf-8');
  return new Response(`${answer.message}\n`, { status: answer.status, headers });
}

/** `schema` is null as long as it is not known. */
async function write(
  request: Request,
  tenant: string,
  deps: WriteDeps,
): Promise<{ readonly schema: Schema | null; readonly answer: Answer }> {
  const refuse = (schema: Schema | null, cause: string, answer: Answer) => {
    deps.count(`refused_requests:${cause}`);
    return { schema, answer };
  };
  if (request.method !== 'POST') {
    const message = `remote write is sent with POST, not ${request.method}`;
    return refuse(null, 'method', { status: 405, message, headers: { Allow: 'POST' } });
  }
  const negotiated = negotiate(request.headers);
  if ('status' in negotiated) return refuse(null, 'content_type', negotiated);
  const { schema } = negotiated;
  const { bodyBytesMax } = deps.limits;

  let body: Uint8Array | null;
  try {
    body = await readBody(request, bodyBytesMax);
  } catch (error) {
    return refuse(schema, 'body', { status: 400, message: `the body ended before its end: ${String(error)}` });
  }
  if (body === null) {
    const message = `the body is larger than ${bodyBytesMax} B; send smaller requests (queue_config: max_samples_per_send), or raise body_size_limit in NARTHEX_LIMITS`;
    return refuse(schema, 'too_large', { status: 413, message });
  }

  const accepted = accept(schema, body, deps.limits, deps.nowMs, deps);
  body = null;
  if (accepted.ok === 'other replica') return { schema, answer: followed(accepted, deps) };
  if (!accepted.ok) return refuse(schema, accepted.cause, accepted);
  return { schema, answer: await append(accepted, tenant, deps) };
}

/** Appends what was accepted, counts what became of all of it, and says so. */
export async function append(accepted: Accepted, tenant: string, deps: WriteDeps): Promise<Answer> {
  const { samples, histograms, exemplars, refused, message } = accepted;
  if (accepted.records.length > 0) {
    const { records, hashes, replica } = accepted;
    const result = await settled(deps, () => deps.append(tenant, records, { hashes, replica }));
    if (!result.ok) {
      deps.count(`unwritten_samples:${result.status}`, samples + histograms);
      return { ...result, headers: { 'Retry-After': String(result.retryAfterS) } };
    }
    if (accepted.replica !== null && result.leader !== undefined && result.leader !== accepted.replica.replica) {
      return followed({ ...accepted, replica: accepted.replica, leader: result.leader }, deps);
    }
    deps.count('samples_in', samples + histograms);
    if (exemplars > 0) deps.count('exemplars_in', exemplars);
  }
  if (accepted.families.length > 0) {
    const result = await settled(deps, async () => {
      await deps.describe(tenant, accepted.families);
      return { ok: true };
    });
    if (!result.ok) return { ...result, headers: { 'Retry-After': String(result.retryAfterS) } };
    deps.count('metadata_in', accepted.families.length);
  }
  // Counted only now: after a 5xx the whole request comes again.
  for (const row of refused) {
    deps.count(`refused_samples:${row.reason}`, row.samples);
    deps.count(`refused_series:${row.reason}`, row.series);
  }
  if (accepted.familiesLeftOut > 0) deps.count('metadata_left_out', accepted.familiesLeftOut);
  const written = { samples, histograms, exemplars };
  return message === null ? { status: 204, written } : { status: 400, message, written };
}

/**
 * 202, as Mimir answers the replica that is not taken. Its samples count as written: they are there, from the other one, and a sender that is told of
 * fewer takes the rest for lost.
 */
export function followed(
  { samples, histograms, exemplars, replica: { cluster, replica }, leader }: Omit<Followed, 'ok'>,
  deps: WriteDeps,
): Answer {
  deps.count('deduplicated_samples', samples + histograms);
  const message = `replica ${replica} of cluster ${cluster} is not taken while ${leader} sends`;
  return { status: 202, message, written: { samples, histograms, exemplars } };
}

/** A log that fails, or cannot be reached, may have kept what it was given: it is sent again, and the same sample twice is one. */
async function settled(deps: WriteDeps, call: () => Promise<AppendResult>): Promise<AppendResult> {
  try {
    return await call();
  } catch (error) {
    deps.count('append_failed');
    return { ok: false, status: 503, retryAfterS: RETRY_AFTER_S, message: `the log did not take it: ${String(error)}` };
  }
}
