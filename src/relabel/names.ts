/** What can be the name of a label: anything (UTF-8, Prometheus' default), or letters, digits and underscores (`legacy`). */

import type { RelabelConfig } from '../config/model.ts';

type NameValidationScheme = RelabelConfig['nameValidationScheme'];

export function isLabelName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) : name !== '' && name.isWellFormed();
}

/** Whether a text with references (`foo_${1}`) can become a label's name; what the references hold is not known yet. */
export function canBecomeLabelName(template: string, scheme: NameValidationScheme): boolean {
  // Prometheus has `^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$`, which is the same language and takes exponential time without RE2.
  if (scheme === 'legacy') return /^(?:[a-zA-Z_]|\$\{\w+\}|\$\w)(?:\w|\$\{\w+\}|\$\w)*$/.test(template);
  return isLabelName(template, scheme);
}
