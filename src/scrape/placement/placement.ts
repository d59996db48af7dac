/**
 * Which agent has which target: a pure function of the target's key, the number of agents and the time. A change is announced before it comes, so that
 * every run that has a slot after it knows of it.
 *
 * The one invariant: every slot of every target has exactly one agent, whoever asks.
 */

import { RUN_MS } from '../baton.ts';

export interface Placement {
  /** Grows by one with each change. */
  readonly generation: number;
  /** The number of agents for slots from `fromMs` on (Unix ms), and for those before. */
  readonly count: number;
  readonly before: number;
  readonly fromMs: number;
  /** Agents 0 to `used` − 1 have something, or had it lately: their logs are forwarded. */
  readonly used: number;
}

export const ALONE: Placement = { generation: 0, count: 1, before: 1, fromMs: 0, used: 1 };

/** A run that does not know of the change has no slot after it: it lasts `RUN_MS`; the rest is for calls that take long. */
export const LEAD_MS = RUN_MS + 30_000;

/**
 * An agent is meant for so many targets. With 140 series each, at some 330 bytes, their pages are what all agents of an isolate may keep decoded together. The journal, of which each
 * flush writes all, has 17 bytes a target, and 200 of one that hangs with an error of its own.
 */
export const TARGETS_PER_AGENT = 1_000;
/** A log is to hold seven days when a remote is down, and be no fuller then than where the page begins to warn. */
const LOG_DAYS = 7;
const LOG_SHARE = 0.8;
/** What grows by itself ends somewhere; a number in the configuration may be larger. */
const AGENTS_MAX = 64;

export interface Need {
  readonly targets: number;
  /** What the logs of all agents take in a day; null when it is not known yet. */
  readonly bytesADay: number | null;
  /** The bound of one log. */
  readonly logBytesMax: number;
  readonly lanes: number;
  /** What the deployment asks for. */
  readonly fixed: number | null;
}

/** How many agents there should be. Without a number of the deployment's own it never shrinks: agents that are there cost little, moving targets more. */
export function agentsNeeded({ targets, bytesADay, logBytesMax, lanes, fixed }: Need, now: number): number {
  if (fixed !== null) return Math.max(fixed, lanes);
  const byTargets = Math.ceil(targets / TARGETS_PER_AGENT);
  const byBytes = Math.ceil(((bytesADay ?? 0) * LOG_DAYS) / (logBytesMax * LOG_SHARE));
  return Math.max(now, lanes, Math.min(AGENTS_MAX, Math.max(byTargets, byBytes)));
}

export function changed(now: Placement, count: number, nowMs: number): Placement {
  return {
    generation: now.generation + 1,
    count,
    before: now.count,
    fromMs: nowMs + LEAD_MS,
    used: Math.max(now.used, count),
  };
}

/** Jump consistent hash (Lamping and Veach, 2014): from n to n + 1 agents, one in n + 1 targets moves, to the new one; back, the same return. */
export function agentOf(key: string, count: number): number {
  // The key is FNV; its halves are mixed before they seed the generator (mulberry32).
  let seed = (Number.parseInt(key.slice(0, 8), 16) ^ Math.imul(Number.parseInt(key.slice(8), 16), 0x9e3779b1)) >>> 0;
  let agent = 0;
  for (let next = 0; next < count;) {
    agent = next;
    seed = (seed + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    next = Math.floor((agent + 1) / (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 + 2 ** -33));
  }
  return agent;
}

/** The agent of a target's slot. */
export const agentAt = ({ count, before, fromMs }: Placement, key: string, slotMs: number): number =>
  agentOf(key, slotMs < fromMs ? before : count);

/** Whether a target comes to an agent from another one with the last change. */
export const comesTo = ({ count, before }: Placement, key: string, index: number): boolean =>
  agentOf(key, count) === index && agentOf(key, before) !== index;

/** Whether the last change takes any target from one agent to another: more agents take from those that were there, fewer give to those that stay. */
export const gives = ({ count, before }: Placement, from: number, to: number): boolean =>
  count > before ? from < before && to >= before : from >= count && to < count;
