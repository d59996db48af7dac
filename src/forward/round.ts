/**
 * A forwarding run: one lane a remote, each reading its records from a log, posting them, and moving the remote's cursor. It keeps nothing
 * that must survive it: what was sent and not acknowledged is sent again, with the same values and timestamps.
 *
 * The one invariant: a remote's lane waits for nothing but that remote.
 */

import type { RemoteWriteConfig } from '../config/model.ts';
import { decodeWrite, DecodeError, type Schema } from '../encoding/remote-write/decoded.ts';
import { toSchema } from '../encoding/remote-write/convert.ts';
import { snappyCompress, SnappyError, snappyUncompress } from '../encoding/snappy.ts';
import type { Outcome } from '../log/consumer.ts';
import type { LogRecord } from '../log/log.ts';
import type { Fetch, Random } from '../model/doors.ts';
import type { LogDoor } from './door.ts';
import { decide } from './retry.ts';
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
/** After it answered that it does not speak 2.0, a remote is asked again a day later. */
const SCHEMA_MEMORY_MS = 24 * 60 * 60 * 1000;
/** A message of the log's own is at most 512 KiB; a received one at most what the receiver allowed. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

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
  await Promise.all(plan.remotes.map((remote) => lane(remote, run, log, doors)));
  return { reload: run.reload };
}

interface Run {
  readonly epoch: number;
  readonly endMs: number;
  readonly configVersion: number;
  /** A newer configuration is wanted: all lanes end. */
  reload: boolean;
}

async function lane(remote: RemoteWriteConfig, run: Run, log: LogDoor, doors: ForwardDoors): Promise<void> {
  const { clock } = doors;
  while (clock.now() < run.endMs) {
    let sleepMs = IDLE_MS;
    try {
      const next = await log.next(clock.now(), run.epoch, remote.name, remote.remoteTimeoutMs + IDLE_MS);
      if (next.kind === 'superseded' || outdated(run, next.wantedVersion)) return;
      if (next.kind === 'busy') sleepMs = Math.min(IDLE_MS, Math.max(0, next.untilMs - clock.now()));
      if (next.kind === 'records') {
        let { cursor } = next;
        let memo: Readonly<Record<string, number>> = next.memo;
        for (const record of next.batch.records) {
          const outcome = await deliver(remote, record, memo, run, log, doors);
          if (
            outcome === null ||
            !(await log.acknowledge(clock.now(), run.epoch, remote.name, cursor, record.seq, outcome))
          )
            return;
          cursor = record.seq;
          memo = { ...memo, ...outcome.memo };
        }
        // Unreadable records at the end were passed over: the cursor follows, and they are counted as dropped.
        if (cursor < next.batch.upTo)
          await log.acknowledge(clock.now(), run.epoch, remote.name, cursor, next.batch.upTo, { sent: 0 });
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

/** Sends one record until the remote took or refused it. Null when the run's time ended first: another run goes on. */
async function deliver(
  remote: RemoteWriteConfig,
  record: LogRecord,
  memo: Readonly<Record<string, number>>,
  run: Run,
  log: LogDoor,
  doors: ForwardDoors,
): Promise<Outcome | null> {
  const { clock } = doors;
  let schema: Schema =
    remote.protobufMessage === 'prometheus.WriteRequest' || (memo['schema1UntilMs'] ?? 0) > clock.now() ? 1 : 2;
  let body: Uint8Array | null = null;
  let learned: Record<string, number> = {};
  const isSelf = new URL(remote.url).hostname === SELF;
  let failures = 0;
  let unreported = 0;
  let reportAtMs = 0;
  for (;;) {
    try {
      body ??= bodyFor(record, schema);
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof SnappyError)) throw error;
      await log.setAside(record.seq, error.message);
      return { sent: 0, dropped: { unreadable: record.samples }, error: error.message };
    }
    const answer = await send(remote, schema, body, failures, isSelf ? { ...doors, fetch: doors.self } : doors);
    const decision = decide(answer, {
      schema,
      samples: record.samples,
      attempt: failures,
      minBackoffMs: remote.minBackoffMs,
      maxBackoffMs: remote.maxBackoffMs,
      nowMs: clock.now(),
      random: doors.random(),
    });
    const bytes = body.byteLength;
    if (decision.kind === 'sent') return { sent: record.samples, bytes, highestMs: record.maxT, memo: learned };
    if (decision.kind === 'dropped') {
      const dropped = { [decision.reason]: record.samples - decision.sent };
      return { sent: decision.sent, dropped, bytes, error: decision.error, memo: learned };
    }
    if (decision.kind === 'as 1.0') {
      doors.warn(`remote ${remote.name}: ${decision.error}; sending 1.0 for a day`);
      learned = { schema1UntilMs: clock.now() + SCHEMA_MEMORY_MS };
      schema = 1;
      body = null;
      continue;
    }
    failures++;
    unreported++;
    const againAtMs = clock.now() + decision.afterMs;
    const ends = againAtMs >= run.endMs;
    if (clock.now() >= reportAtMs || ends) {
      await log.retried(clock.now(), remote.name, unreported, unreported * record.samples, decision.error);
      unreported = 0;
      reportAtMs = clock.now() + REPORT_MS;
    }
    if (ends) return null;
    await clock.sleepUntil(againAtMs);
    const { goOn, wantedVersion } = await log.renew(
      clock.now(),
      run.epoch,
      remote.name,
      remote.remoteTimeoutMs + IDLE_MS,
    );
    if (!goOn || outdated(run, wantedVersion)) return null;
  }
}

/** The record's own bytes where the remote speaks its schema; else it is encoded again. */
function bodyFor(record: LogRecord, schema: Schema): Uint8Array {
  if (record.schema === schema) return record.body;
  const message = snappyUncompress(record.body, MESSAGE_BYTES_MAX);
  return snappyCompress(toSchema(decodeWrite(record.schema, message), schema));
}
