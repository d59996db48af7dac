/**
 * Target groups: what discovery hands to the making of targets, whatever kind found them (discovery/targetgroup in Prometheus). Plain
 * data: it crosses RPC and is stored as JSON.
 */

import type { Label, Labels } from '../model/labels.ts';
import { labelsFrom } from '../model/labels.ts';

export interface TargetGroup {
  /** Names the group among those of one discovery. */
  readonly source: string;
  /** Of every target of the group that has no label of the same name itself. */
  readonly labels: Labels;
  /** Each with `__address__`. */
  readonly targets: readonly Labels[];
}

/** The groups that were discovered for each job, by its name; those of `static_configs` are not among them. */
export type DiscoveredGroups = ReadonlyMap<string, readonly TargetGroup[]>;

export const NOTHING_DISCOVERED: DiscoveredGroups = new Map();

export const ADDRESS = '__address__';

/** Labels of a record: empty values drop a label. */
export const labelsOf = (record: Readonly<Record<string, string>>): Labels => labelsFrom(Object.entries(record));

/** A target's own labels over those of its group. */
export const merged = (target: Labels, group: Labels): Labels =>
  labelsFrom([...group, ...target].map(({ name, value }: Label): [string, string] => [name, value]));

/** Go's net.JoinHostPort. */
export const hostPort = (name: string, port: number | string): string =>
  name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`;
