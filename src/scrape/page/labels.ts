/** From the labels that a target exposed to those of the series: Prometheus' `mutateSampleLabels` (scrape/scrape.go), then external labels. */

import { compareUtf8, type Labels, METRIC_NAME } from '../../model/labels.ts';
import { LabelBuilder } from '../../relabel/builder.ts';
import { relabel, type Rules } from '../../relabel/relabel.ts';
import { checkLabelLimits, type LabelLimits } from './label-limits.ts';
import { PageError } from './page-error.ts';

export { PageError } from './page-error.ts';

const LEGACY_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LEGACY_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** For `metric_name_validation_scheme: legacy`. Throws PageError when a name in the final labels is not a legacy name. */
export function checkLegacyNames(labels: readonly string[]): void {
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    const value = labels[i + 1]!;
    const isMetric = name === METRIC_NAME;
    if (isMetric ? LEGACY_METRIC.test(value) : LEGACY_LABEL.test(name)) continue;
    throw new PageError(
      `invalid metric name or label names: ${JSON.stringify(isMetric ? value : name)} (metric_name_validation_scheme is legacy)`,
    );
  }
}

/**
 * The final labels, name and value by turns, sorted by name. `exposed` likewise, unsorted.
 *
 * A target's label wins over an exposed one, which becomes `exported_<name>`, with as many prefixes as make it new; with `honorLabels` the exposed
 * one wins, even when it is empty. Then the rules (`metric_relabel_configs`) see them. External labels are added where there is none of that
 * name. Empty values drop a label. No labels at all: a rule dropped the series.
 * Throws PageError when a name occurs twice, when the rules leave no metric name, and when they leave more than the limits allow.
 */
export function finalLabels(
  exposed: readonly string[],
  target: Labels,
  external: Labels,
  honorLabels: boolean,
  rules: Rules = [],
  limits?: LabelLimits,
): string[] {
  let labels = new Map<string, string>();
  for (let i = 0; i < exposed.length; i += 2) {
    const name = exposed[i]!;
    if (labels.has(name))
      throw new PageError(`label ${JSON.stringify(name)} occurs twice in a series of ${exposed[1]!}`);
    labels.set(name, exposed[i + 1]!);
  }

  const conflicts: (readonly [name: string, value: string])[] = [];
  for (const { name, value } of target) {
    const held = labels.get(name);
    if (honorLabels && held !== undefined) continue;
    if (held) conflicts.push([name, held]);
    labels.set(name, value);
  }
  // Shorter names first, so that an exposed `exported_job` does not take the name that the exposed `job` is to have.
  conflicts.sort(([a], [b]) => a.length - b.length);
  for (const [name, value] of conflicts) {
    let free = `exported_${name}`;
    while (labels.get(free)) free = `exported_${free}`;
    labels.set(free, value);
  }
  if (rules.length > 0) {
    labels = afterRules(rules, labels, exposed, target);
    if (labels.size === 0) return [];
    if (!labels.has(METRIC_NAME))
      throw new PageError(`metric_relabel_configs left a series of ${exposed[1]!} without a metric name`);
  }
  if (limits !== undefined) checkLabelLimits(labels, limits);
  for (const { name, value } of external) if (!labels.get(name)) labels.set(name, value);

  const names = [...labels.keys()].filter((name) => labels.get(name) !== '');
  names.sort(compareUtf8);
  return names.flatMap((name) => [name, labels.get(name)!]);
}

/** The labels that the rules leave, none when one of them drops the series. Rules see exposed labels before those that were made. */
function afterRules(
  rules: Rules,
  labels: ReadonlyMap<string, string>,
  exposed: readonly string[],
  target: Labels,
): Map<string, string> {
  const made = new Set(target.map(({ name }) => name));
  const kept = exposed.filter((name, i) => i % 2 === 0 && !made.has(name) && labels.get(name) !== '').sort(compareUtf8);
  const builder = new LabelBuilder(kept.map((name) => [name, labels.get(name)!]));
  for (const [name, value] of labels) if (builder.get(name) !== value) builder.set(name, value);
  return new Map(relabel(rules, builder) ? builder.entries() : []);
}
