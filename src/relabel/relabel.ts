/**
 * Relabelling: rules that change or drop a label set, one after the other. The same for targets, samples and outgoing writes; what
 * the labels mean is not its business.
 *
 * Source: Prometheus 3.14, model/relabel/relabel.go; golden cases from its relabel_test.go are in test/relabel/cases.
 */

import type { RelabelConfig } from '../config/model.ts';
import type { Labels } from '../model/labels.ts';
import { LabelBuilder } from './builder.ts';
import { lowerCase, upperCase } from './case.ts';
import { md5Modulo } from './md5.ts';
import { isLabelName } from './names.ts';
import { expand, type Regexp, regexpOf, type Template, templateOf } from './regexp.ts';

interface Rule {
  readonly config: RelabelConfig;
  readonly regexp: Regexp;
  readonly target: Template;
  readonly replacement: Template;
}

/** Rules ready to be applied; not plain data. */
export type Rules = readonly Rule[];

const known = new WeakMap<readonly RelabelConfig[], Rules>();

/** Compiles rules, once for each list and once for each pattern. The rules have been checked (`config/relabel.ts`); throws RegexpError for a pattern that is not RE2. */
export function rulesOf(configs: readonly RelabelConfig[]): Rules {
  let rules = known.get(configs);
  if (rules === undefined) {
    rules = configs.map((config) => ({
      config,
      regexp: regexpOf(config.regex),
      target: templateOf(config.targetLabel),
      replacement: templateOf(config.replacement),
    }));
    known.set(configs, rules);
  }
  return rules;
}

/** Applies the rules to the builder. False when one of them drops the label set; the builder then holds what that rule saw. */
export function relabel(rules: Rules, labels: LabelBuilder): boolean {
  return rules.every((rule) => apply(rule, labels));
}

/** The labels after all rules, or null when a rule drops them. */
export function relabelled(rules: Rules, labels: Labels): Labels | null {
  if (rules.length === 0) return labels;
  const builder = LabelBuilder.of(labels);
  return relabel(rules, builder) ? builder.labels() : null;
}

/** What one rule did. */
export interface RelabelStep {
  readonly rule: RelabelConfig;
  readonly before: Labels;
  /** Null when the rule dropped the labels; rules behind it have no step. */
  readonly after: Labels | null;
}

/** The labels before and after each rule, for people who look for the rule that does not do what they meant. */
export function relabelSteps(configs: readonly RelabelConfig[], labels: Labels): RelabelStep[] {
  const steps: RelabelStep[] = [];
  const builder = LabelBuilder.of(labels);
  let before = labels;
  for (const rule of rulesOf(configs)) {
    const after = apply(rule, builder) ? builder.labels() : null;
    steps.push({ rule: rule.config, before, after });
    if (after === null) break;
    before = after;
  }
  return steps;
}

function apply(rule: Rule, labels: LabelBuilder): boolean {
  const { config, regexp } = rule;
  const value = config.sourceLabels.map((name) => labels.get(name)).join(config.separator);
  switch (config.action) {
    case 'replace':
      replace(rule, value, labels);
      return true;
    case 'keep':
      return regexp.test(value);
    case 'drop':
      return !regexp.test(value);
    case 'keepequal':
      return labels.get(config.targetLabel) === value;
    case 'dropequal':
      return labels.get(config.targetLabel) !== value;
    case 'hashmod':
      labels.set(config.targetLabel, String(md5Modulo(value, config.modulus)));
      return true;
    case 'lowercase':
      labels.set(config.targetLabel, lowerCase(value));
      return true;
    case 'uppercase':
      labels.set(config.targetLabel, upperCase(value));
      return true;
    case 'labelmap':
      for (const [name, held] of labels.entries()) {
        const groups = regexp.match(name);
        const mapped = groups === null ? '' : expand(rule.replacement, regexp, groups);
        // Prometheus would make a label without a name, and every scrape with it fail.
        if (mapped !== '') labels.set(mapped, held);
      }
      return true;
    case 'labeldrop':
      for (const [name] of labels.entries()) if (regexp.test(name)) labels.delete(name);
      return true;
    case 'labelkeep':
      for (const [name] of labels.entries()) if (!regexp.test(name)) labels.delete(name);
      return true;
  }
}

function replace({ config, regexp, target, replacement }: Rule, value: string, labels: LabelBuilder): void {
  const groups = regexp.match(value);
  if (groups === null) return;
  const name = target.refers ? expand(target, regexp, groups) : config.targetLabel;
  if (target.refers && !isLabelName(name, config.nameValidationScheme)) return;
  labels.set(name, expand(replacement, regexp, groups));
}
