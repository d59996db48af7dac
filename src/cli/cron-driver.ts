/**
 * Fires crons as Cloudflare does: at each full minute every string that means it, without waiting for what was fired
 * before, for runs last longer than a minute and overlap on purpose. A minute that was slept through is not made up for.
 */

import type { Cron } from './cron.ts';

const MINUTE_MS = 60_000;

export interface CronDriver {
  /** Fires those that mean every minute, for the minute that has begun: at a start nobody wants to wait for the next one. */
  fireNow(): void;
  stop(): void;
}

/** `fire` must not throw, nor reject. */
export function driveCrons(crons: readonly Cron[], fire: (cron: Cron, minuteMs: number) => void): CronDriver {
  let timer: NodeJS.Timeout;
  let firedMs = floorMinute(Date.now());
  const arm = (): void => {
    // Timers may be a little early: then the minute is the old one still, and the next is waited for again.
    timer = setTimeout(tick, floorMinute(Date.now()) + MINUTE_MS - Date.now());
  };
  const tick = (): void => {
    const minuteMs = floorMinute(Date.now());
    if (minuteMs > firedMs) {
      firedMs = minuteMs;
      for (const cron of crons) if (cron.matches(minuteMs)) fire(cron, minuteMs);
    }
    arm();
  };
  arm();
  return {
    fireNow: () => {
      for (const cron of crons) if (cron.everyMinute) fire(cron, floorMinute(Date.now()));
    },
    stop: () => clearTimeout(timer),
  };
}

const floorMinute = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS) * MINUTE_MS;
