/**
 * Keys that Narthex refuses, written out with the value that means nothing: `tls_config: { insecure_skip_verify: false }`, `proxy_url: ""`, `rule_files: []`.
 * Generated configurations are full of them. They are taken out before anything looks at the tree.
 */

import { knownKeys } from './known-keys.ts';
import type { Value } from './tree.ts';

/** Whose `false` is the default. */
const FLAGS: ReadonlySet<string> = new Set(['insecure_skip_verify', 'proxy_from_environment', 'own_namespace']);
/** Whose empty mapping is no section; an empty `managed_identity` is one. */
const EMPTY_SECTIONS: ReadonlySet<string> = new Set(['tls_config', 'alerting', 'storage']);
/** The tree has a limit of its own far below. */
const DEPTH_MAX = 20;

/** Takes such keys out of a tree of this section, `''` for the top level. */
export function dropNeutral(value: Value, section = '', depth = 0): void {
  if (typeof value !== 'object' || depth > DEPTH_MAX) return;
  if (Array.isArray(value)) {
    for (const item of value) dropNeutral(item, section, depth + 1);
    return;
  }
  const refused = knownKeys(section);
  for (const [key, held] of Object.entries(value)) {
    dropNeutral(held, key, depth + 1);
    if ((refused.has(key) || key === 'tls_config') && isNeutral(key, held)) delete value[key];
  }
}

function isNeutral(key: string, value: Value): boolean {
  if (value === undefined || value === '') return true;
  if (typeof value === 'string') return FLAGS.has(key) && /^(n|no|off|false)$/i.test(value);
  if (Array.isArray(value)) return value.length === 0;
  return EMPTY_SECTIONS.has(key) && Object.entries(value).every(([inner, one]) => isNeutral(inner, one));
}
