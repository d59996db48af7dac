/** `GET /api/v1/targets/relabel_steps` (Prometheus, web/api/v1/api.go, `targetRelabelSteps`), and the same for the page. */

import type { RelabelConfig } from '../config/model.ts';
import { type Labels, labelsFrom } from '../model/labels.ts';
import { relabelSteps } from '../relabel/relabel.ts';
import { BadData } from './params.ts';
import { record } from './targets.ts';

/** Reads `{"name": "value"}`. Throws BadData. */
export function labelsParam(json: string): Labels {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new BadData(`error parsing labels: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadData('error parsing labels: expected an object of texts');
  return labelsFrom(
    Object.entries(value).map(([name, text]): [string, string] => {
      if (typeof text !== 'string') throw new BadData(`error parsing labels: ${JSON.stringify(name)} is not a text`);
      return [name, text];
    }),
  );
}

/** `data` of the answer: every rule, with the labels after it; none once a rule has dropped them. */
export function relabelStepsData(configs: readonly RelabelConfig[], labels: Labels): object {
  const steps = relabelSteps(configs, labels);
  return {
    steps: configs.map((rule, i) => {
      const after = steps[i]?.after ?? null;
      return { rule: ruleData(rule), output: record(after ?? []), keep: after !== null };
    }),
  };
}

/** A rule with Prometheus' names, as it writes it in JSON. */
export const ruleData = (rule: RelabelConfig): object => ({
  ...(rule.sourceLabels.length > 0 ? { source_labels: rule.sourceLabels } : {}),
  separator: rule.separator,
  regex: rule.regex,
  ...(rule.modulus > 0 ? { modulus: rule.modulus } : {}),
  ...(rule.targetLabel === '' ? {} : { target_label: rule.targetLabel }),
  replacement: rule.replacement,
  action: rule.action,
});
