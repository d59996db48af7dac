/** What Prometheus takes where nothing is said, and rules as well as the loader must know. */

export const DEFAULT_INTERVAL_MS = 60_000;
export const DEFAULT_MIN_BACKOFF_MS = 30;
export const DEFAULT_MAX_BACKOFF_MS = 5000;
export const DEFAULT_MIN_SHARDS = 1;
export const DEFAULT_MAX_SHARDS = 50;
