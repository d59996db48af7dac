/** What somebody should look at now, worst first. Only what is wrong at this moment: totals of the past are no reason. */

import type { Refusal, Told } from '../../receive/told.ts';
import { ago, count, duration } from '../humanise.ts';
import type { AgentStatus, LogStatus, SystemStatus } from '../status.ts';
import { CUT_OVERDUE_MS, cutAtMs } from './ranges.ts';

/** From here on a log deserves a look. */
export const LOG_FULL_SHARE = 0.8;
/** Cron comes every minute, and a run that nobody relieves goes on for two and a half. */
const RUN_MISSED_MS = 5 * 60_000;
/** Senders come again after two minutes at most: a refusal that is older is over. */
const REFUSED_LATELY_MS = 5 * 60_000;
/** So many tenants are named, those that were refused last. */
const TENANTS_NAMED = 5;
const TEXT_CHARS_MAX = 240;

export interface Notice {
  readonly level: 'bad' | 'warn';
  readonly text: string;
  /** The section that shows it. */
  readonly section: 'targets' | 'discovery' | 'log' | 'receiver' | 'blocks' | null;
}

/** `problems` are those of secrets and variables, `told` what senders were told. */
export function attention(
  status: SystemStatus,
  problems: readonly string[],
  told: ReadonlyMap<string, Told>,
): Notice[] {
  const notices: Notice[] = [];
  const bad = (section: Notice['section'], text: string): number => notices.push({ level: 'bad', text, section });
  const warn = (section: Notice['section'], text: string): number => notices.push({ level: 'warn', text, section });
  const log = (whose: string, section: 'log' | 'receiver', { bytes, bytesMax, setAside }: LogStatus): void => {
    if (logShare(bytes, bytesMax) >= LOG_FULL_SHARE) {
      warn(section, `${whose} is ${Math.floor(logShare(bytes, bytesMax) * 100)} % full`);
    }
    if (setAside.length > 0) warn(section, `${whose}: ${plural(setAside.length, 'record')} set aside as unreadable`);
  };

  for (const agent of status.agents) {
    const down = agent.targets.filter((target) => target.health === 'down').length;
    if (down > 0) bad('targets', `${down} of ${plural(agent.targets.length, 'target')} down`);
    if (agent.targets.length > 0 && agent.batonTakenAtMs === null && status.agents.some(isRunning))
      bad(
        'targets',
        `no run has come to agent ${agent.name} yet: has [triggers] crons as many scraping lanes as NARTHEX_SCRAPE_LANES says?`,
      );
    const silentMs = agent.batonTakenAtMs === null ? 0 : status.nowMs - agent.batonTakenAtMs;
    if (agent.targets.length > 0 && silentMs > RUN_MISSED_MS) {
      bad('targets', `no run has come to agent ${agent.name} for ${duration(silentMs)}: are the cron triggers on?`);
    }
    for (const remote of agent.remotes) {
      if (!remote.healthy) bad('log', `remote ${remote.name} is failing, ${count(remote.samplesPending)} samples wait`);
    }
    log(`the log of agent ${agent.name}`, 'log', agent.log);
  }
  for (const { job, kind, error } of status.discoveries) {
    if (error !== null) bad('discovery', `discovery of job ${job} (${kind}) fails; the last good targets are kept`);
  }
  const dropped = status.agents.flatMap((agent) => agent.droppedTargets);
  const unscrapable = dropped.filter(({ reason }) => reason !== null).length;
  if (unscrapable > 0) warn('targets', `${plural(unscrapable, 'discovered target')} cannot be scraped`);
  for (const ingester of status.ingesters) {
    const whose = `receiver ${ingester.tenant}/${ingester.shard}`;
    if (!ingester.digest.healthy) bad('receiver', `${whose} cannot digest its log`);
    for (const relay of ingester.relays) {
      if (!relay.healthy)
        bad('receiver', `${whose} cannot relay to ${relay.name}, ${count(relay.samplesPending)} samples wait`);
    }
    log(`the log of ${whose}`, 'receiver', ingester.log);
    const overdue = ingester.ranges.filter(
      (range) => !range.late && status.nowMs > cutAtMs(range) + CUT_OVERDUE_MS,
    ).length;
    if (overdue > 0) warn('receiver', `${whose}: ${plural(overdue, 'range')} should have been cut by now`);
  }
  const refused = refusedLately(told, status.nowMs);
  for (const [tenant, refusal] of refused.slice(0, TENANTS_NAMED))
    warn('receiver', refusedText(tenant, refusal, status.nowMs));
  if (refused.length > TENANTS_NAMED) {
    warn('receiver', `senders of ${plural(refused.length - TENANTS_NAMED, 'other tenant')} are refused`);
  }
  for (const problem of problems) warn(null, problem);
  return notices.sort((a, b) => (a.level === b.level ? 0 : a.level === 'bad' ? -1 : 1));
}

/** The newest first. */
function refusedLately(told: ReadonlyMap<string, Told>, nowMs: number): [tenant: string, refusal: Refusal][] {
  return [...told]
    .flatMap(([tenant, { refusal }]): [string, Refusal][] =>
      refusal !== null && nowMs - refusal.atMs < REFUSED_LATELY_MS ? [[tenant, refusal]] : [],
    )
    .sort(([, a], [, b]) => b.atMs - a.atMs);
}

function refusedText(tenant: string, { status, message, atMs }: Refusal, nowMs: number): string {
  const what =
    status === 429 || status === 503 ? `are told to come again, ${status}` : `send what is not taken, ${status}`;
  const line = message.split('\n')[0]!;
  const shown = line.length > TEXT_CHARS_MAX ? `${line.slice(0, TEXT_CHARS_MAX)}…` : line;
  return `senders of tenant ${tenant} ${what}, ${ago(atMs, nowMs)}: ${shown}`;
}

const isRunning = ({ batonTakenAtMs }: AgentStatus): boolean => batonTakenAtMs !== null;

/** How full a log is, 0 to 1. */
export const logShare = (bytes: number, bytesMax: number): number => (bytesMax > 0 ? Math.min(1, bytes / bytesMax) : 0);

/** `1 target`, `1,200 targets`. */
export const plural = (n: number, word: string): string => `${count(n)} ${word}${n === 1 ? '' : 's'}`;
