/**
 * Features that a deployment has only when it asks for them: the variable `NARTHEX_ENABLE_FEATURE`, Prometheus' `--enable-feature` in its own words
 * (Prometheus 3.15, cmd/prometheus/main.go, `setFeatureListOptions`). As there, a name that is not known enables nothing and stops nothing; it is said.
 */

/** The zero sample at the time from which a counter counts, and that time with each of its samples. */
export const ZERO_INGESTION = 'created-timestamp-zero-ingestion';
export const START_STORAGE = 'st-storage';
const FEATURES: readonly string[] = [ZERO_INGESTION, START_STORAGE];

export interface Features {
  /** The names that hold, in the order of `FEATURES`. */
  readonly enabled: readonly string[];
  /** What is wrong with the others, a line each. */
  readonly problems: readonly string[];
}

export const NO_FEATURES: Features = { enabled: [], problems: [] };

/** Names, comma separated; blanks around them do not count. */
export function parseFeatures(text: string): Features {
  const names = new Set(text.split(',').map((name) => name.trim()));
  names.delete('');
  const unknown = [...names].filter((name) => !FEATURES.includes(name));
  return {
    enabled: FEATURES.filter((name) => names.has(name)),
    problems: unknown.map(
      (name) =>
        `NARTHEX_ENABLE_FEATURE: ${JSON.stringify(name.slice(0, 100))} is no feature here, and enables nothing: there are ${FEATURES.join(' and ')}`,
    ),
  };
}

/** What scrapes do with start timestamps; null is nothing: they are passed over, and `_created` series are series. */
export interface StartTimestamps {
  /** Each sample is stored and sent with its own. */
  readonly store: boolean;
  /** A sample of zero is written at one that is new. */
  readonly zero: boolean;
}

export function startTimestampsOf({ enabled }: Features): StartTimestamps | null {
  const store = enabled.includes(START_STORAGE);
  const zero = enabled.includes(ZERO_INGESTION);
  return store || zero ? { store, zero } : null;
}
