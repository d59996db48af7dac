/** Target groups as `http_sd_configs` and `file_sd_configs` write them: `[{ "targets": ["host:port"], "labels": { "name": "value" } }]`. */

import { type Labels, labelsFrom } from '../model/labels.ts';
import { ADDRESS, type TargetGroup } from './group.ts';
import { DiscoveryError } from './kind.ts';

/** Reads groups as strictly as Prometheus: no other keys, texts only. `more` are labels that every group gets. */
export function readGroups(
  value: unknown,
  sourceOf: (i: number) => string,
  more: Readonly<Record<string, string>>,
): TargetGroup[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new DiscoveryError(`expected a list of target groups, got ${kindOf(value)}`);
  return value.map((group: unknown, i) => {
    if (group === null) throw new DiscoveryError('nil target group item found');
    if (!isRecord(group)) throw new DiscoveryError(`group ${i}: expected a target group, got ${kindOf(group)}`);
    const unknown = Object.keys(group).find((key) => key !== 'targets' && key !== 'labels');
    if (unknown !== undefined) throw new DiscoveryError(`group ${i}: unknown field ${JSON.stringify(unknown)}`);
    return { source: sourceOf(i), labels: labelsIn(group['labels'], i, more), targets: targetsIn(group['targets'], i) };
  });
}

function targetsIn(value: unknown, i: number): Labels[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new DiscoveryError(`group ${i}: targets is ${kindOf(value)}, not a list`);
  return value.map((address: unknown) => {
    if (address === null || address === undefined) return [];
    if (typeof address !== 'string') throw new DiscoveryError(`group ${i}: a target is ${kindOf(address)}, not a text`);
    return labelsFrom([[ADDRESS, address]]);
  });
}

function labelsIn(value: unknown, i: number, more: Readonly<Record<string, string>>): Labels {
  if (value !== null && value !== undefined && !isRecord(value))
    throw new DiscoveryError(`group ${i}: labels is ${kindOf(value)}, not a mapping`);
  const labels = Object.entries(value ?? {}).map(([name, text]): [string, string] => {
    if (name === '' || !name.isWellFormed())
      throw new DiscoveryError(`group ${i}: ${JSON.stringify(name)} is not a valid label name`);
    // As in Go, nothing is the empty text, which is no label.
    if (text === null || text === undefined) return [name, ''];
    if (typeof text !== 'string')
      throw new DiscoveryError(`group ${i}: label ${JSON.stringify(name)} is ${kindOf(text)}, not a text`);
    return [name, text];
  });
  return labelsFrom([...labels, ...Object.entries(more)]);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`;
}
