/** How much a log may hold, of bytes and of time. */

import { parseSize } from '../config/sizes.ts';

export interface LogLimits {
  /** Bytes of bodies that may stand in the log; the oldest go first. */
  readonly bytesMax: number;
  /** Age of a record in ms after which it goes. */
  readonly ageMaxMs: number;
}

/** 8 GB of an object's 10: the rest is for what the object remembers besides. Seven days, like the zone of late data. */
export const DEFAULT_LOG_LIMITS: LogLimits = { bytesMax: 8_000_000_000, ageMaxMs: 7 * 24 * 60 * 60 * 1000 };

/**
 * The limits with another bound of bytes, as the deployment's variable has it: `800MB` fits the Free plan's 1 GB an object. Throws an Error that
 * names what is wrong.
 */
export function logLimits(bytesMax: string | undefined): LogLimits {
  if (bytesMax === undefined || bytesMax.trim() === '') return DEFAULT_LOG_LIMITS;
  return { ...DEFAULT_LOG_LIMITS, bytesMax: parseSize(bytesMax.trim()) };
}
