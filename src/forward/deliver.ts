/**
 * One group of records on its way: encoded as the remote takes it, posted until the remote took or refused it. What the run knows of the remote
 * (`Sender`) is shared by all groups that are under way.
 *
 * The one invariant: whatever comes of it is an outcome that accounts for every sample of the group, or the group is still to be sent.
 */

import type { RemoteWriteConfig } from '../config/model.ts';
import { DecodeError, type Schema } from '../encoding/remote-write/decoded.ts';
import { snappyCompress, SnappyError, snappyLength } from '../encoding/snappy.ts';
import type { Outcome } from '../log/consumer.ts';
import type { LogRecord } from '../log/record.ts';
import type { Fetch, Random } from '../model/doors.ts';
import { REQUEST_LIMITS } from '../model/request.ts';
import type { Connections, Turn } from '../scrape/reach/connections.ts';
import type { LogDoor } from './door.ts';
import { divided, nextRequests, type Requests, type Terms, type WriteRequest } from './requests.ts';
import { type Answer, decide, type Decision } from './retry.ts';
import { send, type SendDoors } from './send.ts';

export interface ForwardDoors extends SendDoors {
  /** The deployment itself, in process; only for a remote whose configured host is `self`. */
  readonly self: Fetch;
  /** The network, with the client certificate of that binding. */
  readonly certificate: (binding: string) => Fetch;
  /** Shared by all that the invocation sends, whichever log it is from. */
  readonly connections: Connections;
  /** The remotes that have something under way: connections are shared fairly among them. */
  readonly senders: Set<Sender>;
  readonly random: Random;
  readonly warn: (message: string) => void;
}

export interface Run {
  readonly epoch: number;
  readonly endMs: number;
  readonly configVersion: number;
  /** A newer configuration is wanted: all senders end. */
  reload: boolean;
}

/** What a remote taught, and how many shards it had: kept in its consumer's state. */
export type Memo = Readonly<Record<string, number>>;

/** A remote in a run. */
export interface Sender {
  readonly remote: RemoteWriteConfig;
  readonly isSelf: boolean;
  readonly terms: Terms;
  readonly run: Run;
  readonly log: LogDoor;
  readonly doors: ForwardDoors;
  memo: Memo;
  /** Its last answer was no failure. While it is one, nothing new is begun. */
  healthy: boolean;
  /** The last request had no answer for as long as it could wait. */
  hung: boolean;
  /** When it was last tried, with a connection for as long as it wanted, and at all, Unix ms. */
  triedMs: number;
  lookedMs: number;
  /** When failures are written down again, Unix ms: each time costs a row. */
  reportAtMs: number;
}

/** How long a run may hold records of a remote that says nothing. */
export const leaseMs = ({ remoteTimeoutMs }: RemoteWriteConfig): number => remoteTimeoutMs + 2_500;
/** A remote that fails is written down at the first failure and then this often: each costs a row. */
const REPORT_MS = 30_000;
/** What a remote taught (that it does not speak 2.0, or takes less at once) is tried again a day later. */
const MEMORY_MS = 24 * 60 * 60 * 1000;
/** A request that waits for an answer for longer gives way when others wait for its connection, ms. */
const PATIENCE_MS = 5_000;
/** So many requests may: one that gives way may have arrived, and is sent again. */
export const REMOTES_SPARED = 2;

export function outdated(run: Run, wantedVersion: number): boolean {
  run.reload ||= wantedVersion > run.configVersion;
  return run.reload;
}

/** What to do with the first of some records: nothing but to drop them, or requests to make of them. */
export type Plan =
  | { readonly records: number; readonly outcome: Outcome }
  | { readonly records: number; readonly requests: Requests; readonly schema: Schema };

export async function planFor(records: readonly LogRecord[], sender: Sender): Promise<Plan> {
  const { remote, terms, log, doors, memo } = sender;
  const nowMs = doors.clock.now();
  const old = tooOld(remote, records, nowMs);
  if (old !== null) return old;
  const schema = schemaFor(remote, memo, nowMs);
  const samplesMax = Math.min(
    REQUEST_LIMITS.samplesMax,
    remote.maxSamplesPerSend,
    (memo['samplesMaxUntilMs'] ?? 0) > nowMs ? memo['samplesMax']! : Infinity,
  );
  try {
    const requests = nextRequests(records, schema, samplesMax, terms);
    return { records: requests.records, requests, schema };
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof SnappyError)) throw error;
    const [{ seq, samples }] = records as [LogRecord];
    await log.setAside(seq, error.message);
    return { records: 1, outcome: { sent: 0, dropped: { unreadable: samples }, error: error.message } };
  }
}

function schemaFor({ protobufMessage }: RemoteWriteConfig, memo: Memo, nowMs: number): Schema {
  if (protobufMessage === 'io.prometheus.write.v2.Request') return 2;
  return protobufMessage === 'prometheus.WriteRequest' || (memo['schema1UntilMs'] ?? 0) > nowMs ? 1 : 2;
}

/** The records in front that sample_age_limit does not allow any more, dropped; null when there is none. */
function tooOld(
  remote: RemoteWriteConfig,
  records: readonly LogRecord[],
  nowMs: number,
): { readonly records: number; readonly outcome: Outcome } | null {
  if (remote.sampleAgeLimitMs === 0) return null;
  const young = records.findIndex(({ maxT }) => maxT >= nowMs - remote.sampleAgeLimitMs);
  const n = young < 0 ? records.length : young;
  if (n === 0) return null;
  return {
    records: n,
    outcome: { sent: 0, dropped: { too_old: records.slice(0, n).reduce((sum, { samples }) => sum + samples, 0) } },
  };
}

/**
 * `again`: the remote taught something, or some of the records became too old, and other requests must be made of them; `apart`: one for each, since it refused
 * them together.
 */
export type Delivery = Outcome | 'again' | 'apart' | 'the run ends';

/** Sends what was planned until the remote took or refused it. */
export async function deliver(
  records: readonly LogRecord[],
  { requests: plan, schema }: Extract<Plan, { requests: unknown }>,
  sender: Sender,
): Promise<Delivery> {
  const total = {
    sent: 0,
    requests: 0,
    requestsFailed: 0,
    samplesRetried: 0,
    histograms: 0,
    histogramsFailed: 0,
    histogramsRetried: 0,
    exemplars: 0,
    exemplarsFailed: 0,
    exemplarsRetried: 0,
    bytes: 0,
    requestsMs: 0,
    requestsTimed: 0,
  };
  const dropped: Record<string, number> = {};
  if (plan.samplesDropped > 0) dropped['dropped_series'] = plan.samplesDropped;
  if (plan.histogramsDropped > 0) dropped['native_histograms_not_sent'] = plan.histogramsDropped;
  let lastError: string | null = null;
  const requests = [...plan.requests];
  for (let i = 0; i < requests.length; i++) {
    const request = requests[i]!;
    const end = await post(request, schema, i === 0 ? records : [], sender);
    if (end === 'smaller' && i > 0) {
      // What was taken is not sent again with other samples beside it, which a remote that refuses it would refuse too.
      requests.splice(i--, 1, ...divided(request, schema, sender.memo['samplesMax']!));
      continue;
    }
    if (typeof end === 'string') return end === 'smaller' ? 'again' : end;
    total.sent += end.sent;
    total.histograms += end.histograms;
    total.histogramsFailed += request.histograms - end.histograms;
    total.histogramsRetried += end.retries.histograms;
    total.exemplars += end.exemplars;
    total.exemplarsFailed += request.exemplars - end.exemplars;
    total.exemplarsRetried += end.retries.exemplars;
    total.requestsMs += end.tookMs;
    total.requestsTimed++;
    total.requests += 1 + end.retries.requests;
    total.requestsFailed += end.retries.requests;
    total.samplesRetried += end.retries.samples;
    if (end.kind === 'sent') {
      total.bytes += request.body.byteLength;
    } else {
      dropped[end.reason] = (dropped[end.reason] ?? 0) + request.samples - end.sent;
      total.requestsFailed++;
      lastError = end.error;
    }
  }
  const highestMs = records.reduce((max, { maxT }) => Math.max(max, maxT), -Infinity);
  return {
    ...total,
    dropped,
    ...(total.sent > 0 ? { highestMs } : {}),
    ...(lastError === null ? {} : { error: lastError }),
  };
}

/** Failures that were not written down yet. */
type Retries = Record<'requests' | 'samples' | 'histograms' | 'exemplars', number>;

/** What was taken of the request; the last try took `tookMs`. */
type Posted = { readonly retries: Retries; readonly tookMs: number } & Pick<WriteRequest, 'histograms' | 'exemplars'> &
  ({ readonly kind: 'sent'; readonly sent: number } | Extract<Decision, { readonly kind: 'dropped' }>);

/** Sends one request until the remote took or refused it. `records` may become too old meanwhile: those of which nothing was delivered yet. */
async function post(
  request: WriteRequest,
  schema: Schema,
  records: readonly LogRecord[],
  sender: Sender,
): Promise<Posted | 'again' | 'smaller' | 'apart' | 'the run ends'> {
  const { remote, run, log, doors } = sender;
  const { clock } = doors;
  const unreported: Retries = { requests: 0, samples: 0, histograms: 0, exemplars: 0 };
  let error = '';
  for (let attempt = 0; ; attempt++) {
    const turn = await turnOf(sender);
    if (turn === null) return 'the run ends';
    try {
      if (attempt > 0 || turn.waited) {
        const nowMs = clock.now();
        const { goOn, wantedVersion } = await log.renew(nowMs, run.epoch, remote.name, leaseMs(remote));
        if (!goOn || outdated(run, wantedVersion)) return 'the run ends';
        if (tooOld(remote, records, nowMs) !== null) {
          if (unreported.requests > 0) await report(unreported, error, sender);
          return 'again';
        }
      }
      const startMs = clock.now();
      const { answer, hung } = await turn.send(schema, request.body, attempt);
      const decision = decide(answer, {
        schema,
        fixed: remote.protobufMessage !== undefined,
        samples: request.samples,
        bytes: snappyLength(request.body),
        divisible: request.divisible,
        joined: records.length > 1,
        attempt,
        minBackoffMs: remote.minBackoffMs,
        maxBackoffMs: remote.maxBackoffMs,
        nowMs: clock.now(),
        random: doors.random(),
      });
      sender.hung = hung;
      if (decision.kind === 'sent' || decision.kind === 'dropped') {
        sender.healthy = true;
        const counted = { retries: unreported, tookMs: clock.now() - startMs };
        const { samples: sent, histograms, exemplars } = request;
        if (decision.kind === 'sent') return { kind: 'sent', sent, histograms, exemplars, ...counted };
        // As of samples: what the headers of 2.0 do not count was not taken.
        const written = schema === 2 ? answer.written : { histograms: 0, exemplars: 0 };
        return {
          ...decision,
          histograms: Math.min(histograms, written.histograms),
          exemplars: Math.min(exemplars, written.exemplars),
          ...counted,
        };
      }
      ({ error } = decision);
      unreported.requests++;
      unreported.samples += request.samples;
      unreported.histograms += request.histograms;
      unreported.exemplars += request.exemplars;
      if (decision.kind === 'apart') {
        sender.healthy = true;
        await report(unreported, error, sender);
        return 'apart';
      }
      if (decision.kind !== 'again') {
        const untilMs = clock.now() + MEMORY_MS;
        doors.warn(`remote ${remote.name}: ${decision.error}; ${decision.kind} for a day`);
        await report(unreported, error, sender);
        const learned =
          decision.kind === 'as 1.0'
            ? { schema1UntilMs: untilMs }
            : { samplesMax: decision.samplesMax, samplesMaxUntilMs: untilMs };
        sender.memo = { ...sender.memo, ...learned };
        return decision.kind === 'smaller' ? 'smaller' : 'again';
      }
      sender.healthy = false;
      turn.end();
      const againAtMs = clock.now() + decision.afterMs;
      const ends = againAtMs >= run.endMs;
      if (clock.now() >= sender.reportAtMs || ends) await report(unreported, error, sender);
      if (ends) return 'the run ends';
      await clock.sleepUntil(againAtMs);
    } finally {
      turn.end();
    }
  }
}

/** Writes down failures of a request that were not yet. */
async function report(unreported: Retries, error: string, sender: Sender): Promise<void> {
  const nowMs = sender.doors.clock.now();
  const { requests, samples, histograms, exemplars } = unreported;
  unreported.requests = unreported.samples = unreported.histograms = unreported.exemplars = 0;
  sender.reportAtMs = nowMs + REPORT_MS;
  await sender.log.retried(nowMs, sender.remote.name, requests, samples, error, histograms, exemplars);
}

interface SendTurn {
  /** It had to wait for its connection. */
  readonly waited: boolean;
  /** `hung`: there was no answer for as long as it could wait. */
  send(schema: Schema, body: Uint8Array, attempt: number): Promise<{ readonly answer: Answer; readonly hung: boolean }>;
  end(): void;
}

/** A connection of the run's, or none for the deployment itself; null when there is none before the run ends. */
async function turnOf(sender: Sender): Promise<SendTurn | null> {
  const { remote, isSelf, run, doors, triedMs, lookedMs, hung } = sender;
  const { clock } = doors;
  if (isSelf) {
    return {
      waited: false,
      send: async (schema, body, attempt) => ({
        answer: await send(remote, schema, body, attempt, doors, doors.self),
        hung: false,
      }),
      end: () => undefined,
    };
  }
  const askedMs = clock.now();
  const claim = { hung, gaveWay: 0, patienceMs: PATIENCE_MS, triedMs, lookedMs, untilMs: run.endMs, timeoutMs: 0 };
  const turn: Turn | null = await doors.connections.take(claim);
  if (turn === null) return null;
  return {
    waited: clock.now() > askedMs,
    send: async (schema, body, attempt) => {
      const nowMs = clock.now();
      sender.lookedMs = nowMs;
      if (!turn.short) sender.triedMs = nowMs;
      const { clientCertificate } = remote;
      const fetch = clientCertificate === undefined ? doors.fetch : doors.certificate(clientCertificate);
      const own = { ...doors, fetch: turn.fetch(doors.fetch) };
      const answer = await send(remote, schema, body, attempt, own, turn.fetch(fetch));
      if (!turn.wasCut) return { answer, hung: answer.timedOut === true };
      const text = `no answer within ${clock.now() - nowMs} ms, when others needed the connection: more remotes hang than there are connections`;
      return { answer: { ...answer, text }, hung: true };
    },
    end: () => turn.end(),
  };
}

/**
 * Sends the metadata that was gathered, in requests of their own, each tried once: what does not arrive is gathered again. A remote that fails is
 * not asked.
 */
export async function sendMetadata(sender: Sender): Promise<void> {
  const { remote, terms, log, doors } = sender;
  if (terms.metadata === undefined || remote.metadata === null || !sender.healthy) return;
  const counts = { sent: 0, failed: 0, retried: 0, bytes: 0 };
  for (const { message, families } of terms.metadata.messages(remote.metadata.maxSamplesPerSend)) {
    const turn = await turnOf(sender);
    if (turn === null) break;
    try {
      const body = snappyCompress(message);
      const { answer } = await turn.send(1, body, 0);
      if (answer.status >= 200 && answer.status < 300) {
        counts.sent += families;
        counts.bytes += body.byteLength;
        continue;
      }
      const isFinal = answer.status >= 400 && answer.status < 500 && answer.status !== 429;
      counts[isFinal ? 'failed' : 'retried'] += families;
      doors.warn(`remote ${remote.name}: metadata was not taken: status ${answer.status} ${answer.text}`);
      break;
    } finally {
      turn.end();
    }
  }
  if (counts.sent + counts.failed + counts.retried === 0) return;
  try {
    await log.countMetadata(doors.clock.now(), remote.name, counts);
  } catch (error) {
    doors.warn(`remote ${remote.name}: the log did not count its metadata: ${String(error)}`);
  }
}
