/** What is said of a metric family: its type, its help and its unit. Plain data: it crosses RPC. */

export interface FamilyMetadata {
  readonly metric: string;
  /** Prometheus' word: `counter`, `gauge`, … */
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** Prometheus' names of the types, at the numbers that they have in Remote Write 1.0 and 2.0. */
export const METRIC_TYPES = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
] as const;

/** The name of a type by its number; of one that no version knows, `unknown`. */
export const metricType = (number: number): string => METRIC_TYPES[number] ?? METRIC_TYPES[0];
