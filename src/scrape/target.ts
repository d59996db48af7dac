/** One target of one scrape configuration, resolved: where to ask, what labels its series get, and when its slots are. Plain data: it crosses RPC. */

import type { ScrapeConfig } from '../config/model.ts';
import type { Labels } from '../model/labels.ts';
import { fnv1a64 } from './fnv.ts';
import type { Route } from './reach/routes.ts';

export interface Target {
  /** Stable for as long as labels and URL are the same: 16 hexadecimal digits. */
  readonly key: string;
  readonly job: string;
  /** `http://self/metrics` for the deployment itself. */
  readonly url: string;
  /** `job`, `instance` and the configured ones; none that starts with `__`. */
  readonly labels: Labels;
  /** What it had before relabelling: from static_configs or discovery, and from its scrape configuration. */
  readonly discovered: Labels;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Where in the interval its slots are, in [0, intervalMs). */
  readonly offsetMs: number;
  /** As the configuration has it, or labels of the target. */
  readonly histograms: { readonly native: boolean; readonly classic: boolean; readonly convert: boolean };
  readonly config: ScrapeConfig;
  /** How it is reached. Only a configuration file that names the deployment itself literally makes a target of that. */
  readonly route: Route;
  /** Why it is not asked at all: each of its scrapes fails with this. */
  readonly refusal?: string;
}

/** How the `refusal` begins of targets of which there are too many. */
export const OVER_TARGET_LIMIT = 'target_limit exceeded';

/** The host that stands for the deployment itself. */
export const SELF = 'self';

/** What identifies a target: its labels and its URL, as in Prometheus (scrape/target.go, `hash`). */
export function identityOf(labels: Labels, url: string): string {
  return JSON.stringify([labels.map(({ name, value }) => [name, value]), url]);
}

export function keyOf(identity: string): string {
  const { hi, lo } = fnv1a64(identity);
  return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
}
