/**
 * The rules of `relabel_configs`, `metric_relabel_configs` and `write_relabel_configs`: what each action needs and what it does not take,
 * and the defaults. Source: Prometheus 3.14, model/relabel/relabel.go, `Validate`.
 */

import { canBecomeLabelName, isLabelName } from '../relabel/names.ts';
import { DEFAULT_REGEX } from '../relabel/regexp.ts';
import { yamlNumber } from './numbers.ts';
import type { RelabelAction, RelabelConfig, ValidationScheme } from './model.ts';
import type { Path } from './positions.ts';
import { quote } from './problems.ts';
import type { Report } from './report.ts';
import type { ParsedRelabel } from './schema.ts';
import type { Mapping } from './tree.ts';
import { list, mapping } from './values.ts';

const DEFAULT_SEPARATOR = ';';
const DEFAULT_REPLACEMENT = '$1';

const NEEDS_TARGET: readonly string[] = [
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
] satisfies RelabelAction[];
const FIXED_REPLACEMENT: readonly string[] = ['lowercase', 'uppercase'] satisfies RelabelAction[];

/** Actions that take nothing but these. */
const TAKES_ONLY: Readonly<Record<string, readonly string[]>> = {
  keepequal: ['source_labels', 'target_label'],
  dropequal: ['source_labels', 'target_label'],
  labeldrop: ['regex'],
  labelkeep: ['regex'],
};

/** The rules under a key. */
export function checkRelabels(
  section: Mapping,
  key: string,
  scheme: ValidationScheme,
  path: Path,
  report: Report,
): void {
  for (const [i, rule] of list(section[key]).entries()) {
    if (typeof rule === 'string' || Array.isArray(rule)) continue;
    checkRelabel(mapping(rule), scheme, [...path, key, i], report);
  }
}

/** Reports what does not go together in one rule. Values that are wrong by themselves are the schema's to report. */
function checkRelabel(rule: Mapping, scheme: ValidationScheme, path: Path, report: Report): void {
  if ('action' in rule && !rule['action']) {
    report([...path, 'action'], { expected: 'an action', hint: 'relabel action cannot be empty' });
    return;
  }
  const action = typeof rule['action'] === 'string' ? rule['action'].toLowerCase() : 'replace';
  const target = text(rule, 'target_label', '');
  const replacement = text(rule, 'replacement', DEFAULT_REPLACEMENT);

  // What is a list or a mapping is reported by the schema.
  const isText = (key: string): boolean => typeof rule[key] !== 'object';
  if (action === 'hashmod' && isText('modulus') && (yamlNumber(text(rule, 'modulus', '0')) ?? 0) === 0) {
    report([...path, 'modulus'], { expected: 'a modulus above 0', hint: 'hashmod requires non-zero modulus' });
  }
  if (NEEDS_TARGET.includes(action) && isText('target_label')) {
    const canRefer = action === 'replace' && target.includes('$');
    if (target === '') {
      report([...path, 'target_label'], { expected: 'a label name', hint: `${action} requires 'target_label'` });
    } else if (target.isWellFormed() && !(canRefer ? canBecomeLabelName : isLabelName)(target, scheme)) {
      report([...path, 'target_label'], { expected: 'a label name', hint: `invalid 'target_label' for ${action}` });
    }
  }
  if (action === 'labelmap' && isText('replacement') && !canBecomeLabelName(replacement, scheme)) {
    report([...path, 'replacement'], {
      expected: 'a text that can become a label name',
      hint: "invalid 'replacement' for labelmap",
    });
  }
  if (FIXED_REPLACEMENT.includes(action) && isText('replacement') && replacement !== DEFAULT_REPLACEMENT) {
    report([...path, 'replacement'], {
      expected: 'no replacement',
      got: quote(replacement),
      hint: `'replacement' can not be set for ${action}`,
      part: 'key',
    });
  }
  checkOnly(rule, action, path, report);
}

function checkOnly(rule: Mapping, action: string, path: Path, report: Report): void {
  const only = TAKES_ONLY[action];
  if (only === undefined) return;
  const names = only.map((key) => `'${key}'`).join(' and ');
  for (const key of Object.keys(rule)) {
    if (key === 'action' || only.includes(key) || isDefault(rule, key)) continue;
    const hint = `${action} requires only ${names}, and no other fields`;
    report([...path, key], { expected: `only ${names}`, got: quote(key), hint, part: 'key' });
  }
}

/** A default that is written out is no mistake, but for a regex: Prometheus takes none there, whatever it is. */
function isDefault(rule: Mapping, key: string): boolean {
  if (key === 'separator') return text(rule, key, '') === DEFAULT_SEPARATOR;
  if (key === 'replacement') return text(rule, key, '') === DEFAULT_REPLACEMENT;
  if (key === 'modulus') return /^0*$/.test(text(rule, key, ''));
  if (key === 'source_labels') return rule[key] === undefined;
  if (key === 'target_label') return text(rule, key, '') === '';
  // What Prometheus does not know is reported as such.
  return key !== 'regex';
}

/** The text of a key; `missing` when it is not there. A key without a value is the empty text. */
function text(rule: Mapping, key: string, missing: string): string {
  if (!(key in rule)) return missing;
  const value = rule[key];
  return typeof value === 'string' ? value : '';
}

/** The rule with its defaults. A key without a value is empty, which is not its default: as in Prometheus. */
export function toRelabel(parsed: ParsedRelabel, scheme: ValidationScheme): RelabelConfig {
  const given = (key: 'separator' | 'regex' | 'replacement', missing: string): string =>
    key in parsed ? (parsed[key] ?? '') : missing;
  return {
    action: parsed.action ?? 'replace',
    sourceLabels: parsed.source_labels ?? [],
    separator: given('separator', DEFAULT_SEPARATOR),
    regex: given('regex', DEFAULT_REGEX),
    modulus: parsed.modulus ?? 0,
    targetLabel: parsed.target_label ?? '',
    replacement: given('replacement', DEFAULT_REPLACEMENT),
    nameValidationScheme: scheme,
  };
}
