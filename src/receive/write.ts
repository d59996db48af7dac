/**
 * `POST /api/v1/write`: a remote-write receiver, Remote Write 1.0 and 2.0 (prometheus.io/docs/specs/prw). Reads the body, has it judged
 * (accept.ts), has it appended, and answers.
 *
 * Invariant: 2xx means that all of the request is durable. 5xx and 429 mean that it is to come again, and then all of it is stored, once; nothing of it
 * was kept but what the Written headers count, which is 0 unless it went to several shards of which some took their part. Any other 4xx means that
 * what they count was kept, and that the rest will never be.
 */

import type { Schema } from '../encoding/remote-write/decoded.ts';
import { NoRoomError, readBody } from '../model/body.ts';
import type { Random } from '../model/doors.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import { accept, type Accepted, type Followed, type ReceivedRecord } from './accept.ts';
import type { Replica } from './ha.ts';
import type { ReceiveLimits } from './limits.ts';
import { negotiate } from './negotiate.ts';
import type { Hold } from './refusals.ts';
import type { Held, Room } from './room.ts';

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
  /** Until when the shard refuses more than this request; absent when that is not known. */
  readonly hold?: Hold;
  /** For a replica, as above. */
  readonly leader?: string;
}

export interface WriteDeps {
  readonly limits: ReceiveLimits;
  /** Whether the log wants to know which series come (a limit on active series). */
  readonly hashSeries: boolean;
  readonly nowMs: number;
  readonly random: Random;
  /** For the bodies that are held at once. */
  readonly room: Room;
  /** How many shards the tenant has now; null when that is not known here. */
  shards(tenant: string): number | null;
  /** The same, asked for. Only a request that has something to keep does. */
  askShards(tenant: string): Promise<number>;
  /** Who leads a replica's cluster: asked before its request goes to other shards than the first, whose log tells by itself. */
  elect(tenant: string, replica: Replica): Promise<string>;
  /** Where HA pairs are told apart: who leads a cluster, as far as this Worker was told lately; null when it was not. */
  readonly leader: ((cluster: string) => string | null) | null;
  /** Appends all records or none to one shard; resolves when they are durable. */
  append(tenant: string, records: readonly ReceivedRecord[], about: AboutRecords): Promise<AppendResult>;
  /** Keeps what is said of metrics in a request without samples; resolves when it is durable. */
  describe(tenant: string, families: readonly FamilyMetadata[]): Promise<AppendResult>;
  /** Counts an event: `requests:204`, `samples_in`, `refused_samples:too_old`, `refused_requests:snappy` … */
  count(event: string, n?: number): void;
  /** Remembers the newest answer that was not all well. */
  refused(status: number, message: string): void;
}

/** Where they go, and what the log's object judges them by. */
export interface AboutRecords {
  readonly shard: number;
  /** Of their series, when wanted. */
  readonly hashes: Uint32Array | null;
  readonly replica: Replica | null;
}

/** How long a sender should wait when the log cannot be reached at all, or there is no room: so long at least, at most twice. */
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
  const held = deps.room.enter();
  const { schema, answer } = await write(request, tenant, deps, held).finally(() => held.leave());
  deps.count(`requests:${answer.status}`);
  const headers = new Headers(answer.headers);
  if (schema === 2) {
    headers.set('X-Prometheus-Remote-Write-Samples-Written', String(answer.written?.samples ?? 0));
    headers.set('X-Prometheus-Remote-Write-Histograms-Written', String(answer.written?.histograms ?? 0));
    headers.set('X-Prometheus-Remote-Write-Exemplars-Written', String(answer.written?.exemplars ?? 0));
  }
  if (answer.message === undefined) return new Response(null, { status: answer.status, headers });
  if (answer.status >= 400) deps.refused(answer.status, answer.message);
  headers.set('Content-Type', 'text/plain; charset=utf-8');
  return new Response(`${answer.message}\n`, { status: answer.status, headers });
}

/** `schema` is null as long as it is not known. */
async function write(
  request: Request,
  tenant: string,
  deps: WriteDeps,
  held: Held,
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
    body = await readBody(request, bodyBytesMax, held.take);
  } catch (error) {
    if (error instanceof NoRoomError) return refuse(schema, 'no_room', noRoom(deps));
    return refuse(schema, 'body', { status: 400, message: `the body ended before its end: ${String(error)}` });
  }
  if (body === null) {
    const message = `the body is larger than ${bodyBytesMax} B; send smaller requests (queue_config: max_samples_per_send), or raise body_size_limit in NARTHEX_LIMITS`;
    return refuse(schema, 'too_large', { status: 413, message });
  }

  const accepted = await placed(tenant, deps, (shards) =>
    accept(schema, body!, deps.limits, deps.nowMs, { ...deps, shards }),
  );
  if (accepted instanceof Error) return { schema, answer: unreached(accepted, deps) };
  body = null;
  if (accepted.ok === 'other replica') return { schema, answer: followed(accepted, deps) };
  if (!accepted.ok) return refuse(schema, accepted.cause, accepted);
  return { schema, answer: await append(accepted, tenant, deps) };
}

/**
 * Accepts a request for as many shards as the tenant has. When that is not known here, it is judged for one first: a request of which nothing is
 * kept, as most that are refused, costs no call of an object. An Error is that nobody answered.
 */
export async function placed<T extends { readonly ok: unknown }>(
  tenant: string,
  deps: WriteDeps,
  accept: (shards: number) => T,
): Promise<T | Error> {
  const known = deps.shards(tenant);
  if (known !== null) return accept(known);
  const judged = accept(1) as T & { readonly parts?: readonly unknown[] };
  if (judged.ok !== true || judged.parts?.length === 0) return judged;
  try {
    const shards = await deps.askShards(tenant);
    return shards === 1 ? judged : accept(shards);
  } catch (error) {
    return error as Error;
  }
}

const NOTHING = { samples: 0, histograms: 0, exemplars: 0 };

/** Appends what was accepted, counts what became of all of it, and says so. */
export async function append(accepted: Accepted, tenant: string, deps: WriteDeps): Promise<Answer> {
  const { parts, refused, message, replica } = accepted;
  let ofReplica = replica;
  if (replica !== null && parts.some(({ shard }) => shard > 0)) {
    const leader = await deps.elect(tenant, replica).catch((error: unknown) => error as Error);
    if (typeof leader !== 'string') return unreached(leader, deps);
    if (leader !== replica.replica) return followed({ ...accepted, replica, leader }, deps);
    ofReplica = null;
  }
  const results = await Promise.all(
    parts.map(({ shard, records, hashes }) =>
      settled(deps, () => deps.append(tenant, records, { shard, hashes, replica: ofReplica })),
    ),
  );
  const written = parts.reduce(
    (sum, part, i) =>
      results[i]!.ok
        ? {
            samples: sum.samples + part.samples,
            histograms: sum.histograms + part.histograms,
            exemplars: sum.exemplars + part.exemplars,
          }
        : sum,
    NOTHING,
  );
  const leader = results.find((result) => result.ok && result.leader !== undefined) as Appended | undefined;
  if (ofReplica !== null && leader?.leader !== undefined && leader.leader !== ofReplica.replica) {
    return followed({ ...accepted, replica: ofReplica, leader: leader.leader }, deps);
  }
  if (written.samples + written.histograms > 0) deps.count('samples_in', written.samples + written.histograms);
  if (written.exemplars > 0) deps.count('exemplars_in', written.exemplars);
  const failed = results.filter((result) => !result.ok);
  if (failed.length > 0) {
    const left = accepted.samples + accepted.histograms - written.samples - written.histograms;
    const answer = comeAgain(failed, parts.length);
    deps.count(`unwritten_samples:${answer.status}`, left);
    return { ...answer, written };
  }
  if (accepted.families.length > 0) {
    const result = await settled(deps, () => deps.describe(tenant, accepted.families));
    if (!result.ok) {
      deps.count(`unwritten_metadata:${result.status}`, accepted.families.length);
      return comeAgain([result], 1);
    }
    deps.count('metadata_in', accepted.families.length);
  }
  // Counted only now: after a 5xx the whole request comes again.
  for (const row of refused) {
    deps.count(`refused_samples:${row.reason}`, row.samples);
    deps.count(`refused_series:${row.reason}`, row.series);
  }
  if (accepted.familiesLeftOut > 0) deps.count('metadata_left_out', accepted.familiesLeftOut);
  return message === null ? { status: 204, written } : { status: 400, message, written };
}

/** The answer when some of `parts` shards did not take what was theirs: after the longest wait that one of them asked for. */
function comeAgain(failed: readonly NotAppended[], parts: number): Answer {
  const status = failed.some((result) => result.status === 503) ? 503 : 429;
  const retryAfterS = Math.max(...failed.map((result) => result.retryAfterS));
  const reasons = [...new Set(failed.map((result) => result.message))].join('\n');
  const message =
    failed.length < parts
      ? `${reasons}\n${failed.length} of the ${parts} shards that the request goes to did not take their part of it; send it again, what the others took is stored once`
      : reasons;
  return { status, message, headers: { 'Retry-After': String(retryAfterS) } };
}

/** The answer when nobody could say where it goes. */
export function unreached(error: unknown, deps: WriteDeps): Answer {
  deps.count('append_failed');
  return comeAgain([notReached(error, deps)], 1);
}

/** The answer when as many bodies are held as may be. */
export function noRoom(deps: WriteDeps): Answer {
  const message = 'the receiver holds as many bytes of requests as it may at once; send it again';
  return comeAgain([{ ok: false, status: 503, retryAfterS: retryAfterS(deps), message }], 1);
}

const retryAfterS = ({ random }: WriteDeps): number => RETRY_AFTER_S + Math.floor(random() * (RETRY_AFTER_S + 1));

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
    return notReached(error, deps);
  }
}

const notReached = (error: unknown, deps: WriteDeps): NotAppended => ({
  ok: false,
  status: 503,
  retryAfterS: retryAfterS(deps),
  message: `the log did not take it: ${String(error)}`,
});
