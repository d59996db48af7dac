/** `GET /api/v1/targets/metadata` and `/api/v1/metadata` (Prometheus, web/api/v1/api.go, `targetMetadata` and `metricMetadata`). */

import type { Labels } from '../model/labels.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import { BadData } from './params.ts';
import { matchesAll, parseSelector, SelectorError } from './selector.ts';
import type { Services } from './services.ts';
import type { TargetStatus } from './status.ts';
import { record } from './targets.ts';

/** Targets whose pages are read in one call of an object: others wait meanwhile. */
export const TARGETS_AT_ONCE = 50;

export interface TargetMetadataParams {
  /** A selector of targets by their labels; null is all. */
  readonly matchTarget: string | null;
  readonly metric: string | null;
  /** No further target is looked at when there are so many entries; null is no limit. */
  readonly limit: number | null;
}

/** `data` of the answer. Throws BadData. */
export async function targetMetadataData(
  targets: readonly TargetStatus[],
  services: Pick<Services, 'targetMetadata'>,
  { matchTarget, metric, limit }: TargetMetadataParams,
): Promise<object[]> {
  const matched = matchTarget === null ? targets : matching(targets, matchTarget);
  const found: object[] = [];
  const isFull = (): boolean => limit !== null && limit >= 0 && found.length >= limit;
  for (let at = 0; at < matched.length && !isFull(); at += TARGETS_AT_ONCE) {
    const batch = matched.slice(at, at + TARGETS_AT_ONCE);
    const { families, of } = await services.targetMetadata(
      batch.map(({ key }) => key),
      metric,
    );
    for (const { key, labels } of batch) {
      if (isFull()) break;
      for (const place of of[key] ?? []) found.push(entry(labels, families[place]!, metric === null));
    }
  }
  return found;
}

function matching(targets: readonly TargetStatus[], selector: string): TargetStatus[] {
  try {
    const matchers = parseSelector(selector);
    return targets.filter(({ labels }) => matchesAll(matchers, labels));
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new BadData(`invalid parameter "match_target": ${error.message}`);
  }
}

const entry = (target: Labels, { metric, type, help, unit }: FamilyMetadata, named: boolean): object => ({
  target: record(target),
  ...(named ? { metric } : {}),
  type,
  help,
  unit,
});

/** `data` of `/api/v1/metadata`: of each metric what is said of it, each text once. Limits as there: `limitPerMetric` counts from 1. */
export function metricMetadataData(
  families: readonly FamilyMetadata[],
  limit: number | null,
  limitPerMetric: number | null,
): Record<string, object[]> {
  const found: Record<string, object[]> = Object.create(null);
  const seen = new Set<string>();
  let metrics = 0;
  for (const { metric, type, help, unit } of families) {
    const identity = JSON.stringify([metric, type, help, unit]);
    if (seen.has(identity)) continue;
    seen.add(identity);
    let said = found[metric];
    if (said === undefined) {
      if (limit !== null && limit >= 0 && metrics >= limit) continue;
      metrics++;
      found[metric] = said = [];
    }
    if (limitPerMetric !== null && limitPerMetric > 0 && said.length >= limitPerMetric) continue;
    said.push({ type, unit, help });
  }
  return found;
}
