/** Rules and labels for tests, as a `prometheus.yml` has them. */

import type { RelabelAction, RelabelConfig } from '../../src/config/model.ts';
import { type Labels, labelsFrom } from '../../src/model/labels.ts';

export interface RuleText {
  readonly action?: RelabelAction;
  readonly source_labels?: readonly string[];
  readonly separator?: string;
  readonly regex?: string;
  readonly modulus?: number;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly scheme?: 'utf8' | 'legacy';
}

export const ruleFrom = (text: RuleText): RelabelConfig => ({
  action: text.action ?? 'replace',
  sourceLabels: text.source_labels ?? [],
  separator: text.separator ?? ';',
  regex: text.regex ?? '(.*)',
  modulus: text.modulus ?? 0,
  targetLabel: text.target_label ?? '',
  replacement: text.replacement ?? '$1',
  nameValidationScheme: text.scheme ?? 'utf8',
});

export const labelsOf = (record: Readonly<Record<string, string>>): Labels => labelsFrom(Object.entries(record));

export const recordOf = (labels: Labels | null): Record<string, string> | null =>
  labels === null ? null : Object.fromEntries(labels.map(({ name, value }) => [name, value]));
