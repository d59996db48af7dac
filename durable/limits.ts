/** The bounds of the logs, as the deployment sets them. */

import { DEFAULT_LOG_LIMITS, type LogLimits, logLimits } from '../src/log/limits.ts';
import { warn } from './doors.ts';

export interface LogEnv {
  /** Bytes that the log of an object may hold, like `800MB`. */
  readonly NARTHEX_LOG_BYTES_MAX?: string;
}

/** A variable that is wrong stops nothing: it is said, and the default holds. */
export function limitsOf(env: LogEnv): LogLimits {
  try {
    return logLimits(env.NARTHEX_LOG_BYTES_MAX);
  } catch {
    warn(`NARTHEX_LOG_BYTES_MAX is not a size like 800MB: ${String(env.NARTHEX_LOG_BYTES_MAX)}`);
    return DEFAULT_LOG_LIMITS;
  }
}
