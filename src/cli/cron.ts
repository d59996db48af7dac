/**
 * Which minutes a cron string means, in UTC. As much of the syntax as `wrangler.toml` needs (numbers, `*`, lists, ranges,
 * steps); what Cloudflare knows beyond that is refused, not guessed.
 */

import { Failure } from './failure.ts';

export interface Cron {
  /** Letter for letter as in the configuration: the worker tells its lanes apart by it. */
  readonly text: string;
  readonly everyMinute: boolean;
  /** Whether the minute that holds this time (Unix ms) is meant. */
  matches(timeMs: number): boolean;
}

const FIELDS = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12 },
] as const;

/** Throws a `Failure` that names the field it does not understand. */
export function parseCron(text: string): Cron {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== 5) throw new Failure(`cron ${JSON.stringify(text)}: expected 5 fields, got ${parts.length}`);
  // Cloudflare counts weekdays from 1 (Sunday), others from 0, and a day of the month beside it is "or" to some: not needed.
  if (parts[4] !== '*') throw new Failure(`cron ${JSON.stringify(text)}: \`start\` knows only * as the weekday`);
  const sets = FIELDS.map((field, i) => parseField(text, parts[i]!, field));
  return {
    text,
    everyMinute: sets.every((set, i) => set.size === FIELDS[i]!.max - FIELDS[i]!.min + 1),
    matches: (timeMs) => {
      const t = new Date(timeMs);
      const now = [t.getUTCMinutes(), t.getUTCHours(), t.getUTCDate(), t.getUTCMonth() + 1];
      return sets.every((set, i) => set.has(now[i]!));
    },
  };
}

function parseField(text: string, field: string, { name, min, max }: (typeof FIELDS)[number]): Set<number> {
  const values = new Set<number>();
  for (const item of field.split(',')) {
    const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(item);
    const from = Number(match?.[1] ?? min);
    // `5/10` is "from 5 on, every tenth", as in every cron that takes it.
    const to = Number(match?.[2] ?? (match?.[1] === undefined || match[3] !== undefined ? max : from));
    const step = Number(match?.[3] ?? 1);
    if (match === null || from < min || to > max || from > to || step === 0) {
      throw new Failure(
        `cron ${JSON.stringify(text)}: ${JSON.stringify(item)} is no ${name} that \`start\` knows (${min}–${max}, *, lists, ranges, steps)`,
      );
    }
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}
