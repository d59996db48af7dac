/**
 * A forwarding run: one lane a remote, each reading its records from a log, posting them, and moving the remote's cursor. It keeps nothing
 * that must survive it: what was sent and not acknowledged is sent again, with the same values and timestamps.
 *
 * The one invariant: a remote's lane waits for nothing but that remote.
 */

import type { RemoteWriteConfig } from '../config/model.ts';
import { DecodeError, type Schema } from '../encoding/remote-write/decoded.ts';
import { SnappyError, snappyLength } from '../encoding/snappy.ts';
import type { Outcome } from '../log/consumer.ts';
import type { LogRecord } from '../log/log.ts';
import type { Fetch, Random } from '../model/doors.ts';
import { REQUEST_LIMITS } from '../model/request.ts';
import type { LogDoor, Next } from './door.ts';
import { nextRequests, type Requests, type WriteRequest } from './requests.ts';
import { WriteRelabeler } from './relabel.ts';
import { decide, type Decision } from './retry.ts';
import { send, type SendDoors } from './send.ts';

export interface ForwardDoors extends SendDoors {
  /** The deployment itself, in process; only for a remote whose configured host is `self`. */
  readonly self: Fetch;
  readonly random: Random;
  readonly warn: (message: string) => void;
}

export interface ForwardPlan {
  readonly configVersion: number;
  readonly remotes: readonly RemoteWriteConfig[];
  /** How long the run goes on when nobody relieves it, ms. */
  readonly runMs: number;
}

/** The host that means the deployment itself. */
const SELF = 'self';
/** How often an idle lane looks for new records: a flush comes every five seconds. */
const IDLE_MS = 2_500;
/** One read of the log: several records a call save calls when catching up. RPC ends at 32 MiB. */
export const READ_BYTES = 4_000_000;
/** A remote that fails is written down at the first failure of a record and then this often: each costs a row. */
const REPORT_MS = 30_000;
/** What a remote taught (that it does not speak 2.0, or takes less at once) is tried again a day later. */
const MEMORY_MS = 24 * 60 * 60 * 1000;

/**
 * Forwards from one log to all its remotes until a later run does, the configuration changed, or the time is up. Says whether the configuration
 * changed: then the caller begins again with the new one.
 */
export async function forwardRound(plan: ForwardPlan, log: LogDoor, doors: ForwardDoors): Promise<{ reload: boolean }> {
  const startMs = doors.clock.now();
  const { epoch } = await log.takeForwardBaton(startMs, {
    configVersion: plan.configVersion,
    remotes: plan.remotes.map((remote) => remote.name),
  });
  const run: Run = { epoch, endMs: startMs + plan.runMs, configVersion: plan.configVersion, reload: false };
  await Promise.all(
    plan.remotes.map((remote) =>
      forward({ remote, relabeler: new WriteRelabeler(remote.writeRelabelConfigs), run, log, doors }),
    ),
  );
  return { reload: run.reload };
}

interface Run {
  readonly epoch: number;
  readonly endMs: number;
  readonly configVersion: number;
  /** A newer configuration is wanted: all lanes end. */
  reload: boolean;
}

interface Lane {
  readonly remote: RemoteWriteConfig;
  readonly relabeler: WriteRelabeler;
  readonly run: Run;
  readonly log: LogDoor;
  readonly doors: ForwardDoors;
}

async function forward(lane: Lane): Promise<void> {
  const { remote, run, log, doors } = lane;
  const { clock } = doors;
  while (clock.now() < run.endMs) {
    let sleepMs = IDLE_MS;
    try {
      const next = await log.next(clock.now(), run.epoch, remote.name, remote.remoteTimeoutMs + IDLE_MS);
      if (next.kind === 'superseded' || outdated(run, next.wantedVersion)) return;
      if (next.kind === 'busy') sleepMs = Math.min(IDLE_MS, Math.max(0, next.untilMs - clock.now()));
      if (next.kind === 'records') {
        if (!(await drain(next, lane))) return;
        continue;
      }
    } catch (error) {
      doors.warn(`forwarding to ${remote.name}: the log did not answer: ${String(error)}`);
    }
    await clock.sleepUntil(Math.min(run.endMs, clock.now() + sleepMs));
  }
}

function outdated(run: Run, wantedVersion: number): boolean {
  run.reload ||= wantedVersion > run.configVersion;
  return run.reload;
}

/** What a remote taught: kept in its consumer's state. */
type Memo = Readonly<Record<string, number>>;

/** Delivers records that were read. False when the lane ends: the run's time is up, or another run goes on. */
async function drain(
  { cursor: start, batch, memo: known }: Extract<Next, { kind: 'records' }>,
  lane: Lane,
): Promise<boolean> {
  const { remote, run, log, doors } = lane;
  const { clock } = doors;
  let cursor = start;
  let memo: Memo = known;
  for (let rest = batch.records; rest.length > 0;) {
    const delivery = await deliver(rest, memo, lane);
    if (delivery === null) return false;
    if ('learned' in delivery) {
      memo = { ...memo, ...delivery.learned };
      continue;
    }
    const { seq } = rest[delivery.records - 1]!;
    const outcome = { ...delivery.outcome, memo };
    if (!(await log.acknowledge(clock.now(), run.epoch, remote.name, cursor, seq, outcome))) return false;
    cursor = seq;
    rest = rest.slice(delivery.records);
  }
  // Unreadable records at the end were passed over: the cursor follows, and they are counted as dropped.
  if (cursor < batch.upTo) await log.acknowledge(clock.now(), run.epoch, remote.name, cursor, batch.upTo, { sent: 0 });
  return true;
}

/** What became of the first records, or what the remote taught about how they must be sent: then nothing was done yet. */
type Delivery = { readonly records: number; readonly outcome: Outcome } | { readonly learned: Memo };

/** Sends the first records until the remote took or refused them. Null when the run's time ended first: another run goes on. */
async function deliver(records: readonly LogRecord[], memo: Memo, lane: Lane): Promise<Delivery | null> {
  const { remote, relabeler, log, doors } = lane;
  const nowMs = doors.clock.now();
  const old = tooOld(remote, records, nowMs);
  if (old !== null) return old;
  const schema = remote.protobufMessage === 'prometheus.WriteRequest' || (memo['schema1UntilMs'] ?? 0) > nowMs ? 1 : 2;
  const samplesMax = Math.min(
    REQUEST_LIMITS.samplesMax,
    remote.maxSamplesPerSend,
    (memo['samplesMaxUntilMs'] ?? 0) > nowMs ? memo['samplesMax']! : Infinity,
  );
  let plan: Requests;
  try {
    plan = nextRequests(records, schema, samplesMax, relabeler);
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof SnappyError)) throw error;
    const [{ seq, samples }] = records as [LogRecord];
    await log.setAside(seq, error.message);
    return { records: 1, outcome: { sent: 0, dropped: { unreadable: samples }, error: error.message } };
  }
  const covered = records.slice(0, plan.records);
  const total = {
    sent: 0,
    requests: 0,
    requestsFailed: 0,
    samplesRetried: 0,
    bytes: 0,
    requestsMs: 0,
    requestsTimed: 0,
  };
  const dropped: Record<string, number> = plan.samplesDropped > 0 ? { dropped_series: plan.samplesDropped } : {};
  let lastError: string | null = null;
  for (const [i, request] of plan.requests.entries()) {
    const end = await post(request, schema, i === 0 ? covered : [], lane);
    if (end === null) return null;
    if (!('retries' in end)) return end;
    total.sent += end.sent;
    total.requestsMs += end.tookMs;
    total.requestsTimed++;
    total.requests += 1 + end.retries;
    total.requestsFailed += end.retries;
    total.samplesRetried += end.retries * request.samples;
    if (end.kind === 'sent') {
      total.bytes += request.body.byteLength;
    } else {
      dropped[end.reason] = (dropped[end.reason] ?? 0) + request.samples - end.sent;
      total.requestsFailed++;
      lastError = end.error;
    }
  }
  const highestMs = covered.reduce((max, { maxT }) => Math.max(max, maxT), -Infinity);
  return {
    records: plan.records,
    outcome: {
      ...total,
      dropped,
      ...(total.sent > 0 ? { highestMs } : {}),
      ...(lastError === null ? {} : { error: lastError }),
    },
  };
}

/** The records in front that sample_age_limit does not allow any more, dropped; null when there is none. */
function tooOld(remote: RemoteWriteConfig, records: readonly LogRecord[], nowMs: number): Delivery | null {
  if (remote.sampleAgeLimitMs === 0) return null;
  const young = records.findIndex(({ maxT }) => maxT >= nowMs - remote.sampleAgeLimitMs);
  const n = young < 0 ? records.length : young;
  if (n === 0) return null;
  return {
    records: n,
    outcome: { sent: 0, dropped: { too_old: records.slice(0, n).reduce((sum, { samples }) => sum + samples, 0) } },
  };
}

/** `retries` are failures that were not written down yet; the last try took `tookMs`. */
type Posted = { readonly retries: number; readonly tookMs: number } & (
  { readonly kind: 'sent'; readonly sent: number } | Extract<Decision, { readonly kind: 'dropped' }>
);

/** Sends one request until the remote took or refused it. `records` may become too old meanwhile: those of which nothing was delivered yet. */
async function post(
  request: WriteRequest,
  schema: Schema,
  records: readonly LogRecord[],
  { remote, run, log, doors }: Lane,
): Promise<Posted | Delivery | null> {
  const { clock } = doors;
  const isSelf = new URL(remote.url).hostname === SELF;
  let unreported = 0;
  let reportAtMs = 0;
  const again = (error: string): Promise<void> => {
    const requests = unreported;
    unreported = 0;
    reportAtMs = clock.now() + REPORT_MS;
    return log.retried(clock.now(), remote.name, requests, requests * request.samples, error);
  };
  for (let attempt = 0; ; attempt++) {
    const startMs = clock.now();
    const answer = await send(remote, schema, request.body, attempt, doors, isSelf ? doors.self : doors.fetch);
    const decision = decide(answer, {
      schema,
      samples: request.samples,
      bytes: snappyLength(request.body),
      divisible: request.divisible,
      attempt,
      minBackoffMs: remote.minBackoffMs,
      maxBackoffMs: remote.maxBackoffMs,
      nowMs: clock.now(),
      random: doors.random(),
    });
    const counted = { retries: unreported, tookMs: clock.now() - startMs };
    if (decision.kind === 'sent') return { kind: 'sent', sent: request.samples, ...counted };
    if (decision.kind === 'dropped') return { ...decision, ...counted };
    unreported++;
    if (decision.kind !== 'again') {
      const untilMs = clock.now() + MEMORY_MS;
      doors.warn(`remote ${remote.name}: ${decision.error}; ${decision.kind} for a day`);
      await again(decision.error);
      if (decision.kind === 'as 1.0') return { learned: { schema1UntilMs: untilMs } };
      return { learned: { samplesMax: decision.samplesMax, samplesMaxUntilMs: untilMs } };
    }
    const againAtMs = clock.now() + decision.afterMs;
    const ends = againAtMs >= run.endMs;
    if (clock.now() >= reportAtMs || ends) await again(decision.error);
    if (ends) return null;
    await clock.sleepUntil(againAtMs);
    const { goOn, wantedVersion } = await log.renew(
      clock.now(),
      run.epoch,
      remote.name,
      remote.remoteTimeoutMs + IDLE_MS,
    );
    if (!goOn || outdated(run, wantedVersion)) return null;
    const old = tooOld(remote, records, clock.now());
    if (old !== null) return old;
  }
}
