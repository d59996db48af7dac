/** Role `node`: one target a node, at its kubelet. Source: Prometheus 3.14, discovery/kubernetes/node.go. */

import { hostPort, labelsOf, type TargetGroup } from '../group.ts';
import { sanitizeLabelName } from '../sanitize.ts';
import { type LabelSet, meta, objectLabels } from './cluster.ts';
import type { Node } from './objects.ts';

/** The kinds of addresses, the best first. */
const ADDRESS_TYPES = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname'];

/** Null when the node has no address. */
export function nodeGroup({ metadata, spec, status }: Node): TargetGroup | null {
  const addresses = new Map<string, string>();
  // The first of each type.
  for (const { type, address } of (status?.addresses ?? []).toReversed()) addresses.set(type ?? '', address ?? '');
  const best = ADDRESS_TYPES.find((type) => addresses.has(type));
  if (best === undefined) return null;

  const labels: LabelSet = { [meta('node_provider_id')]: spec?.providerID ?? '' };
  for (const { type, status: state } of status?.conditions ?? [])
    labels[meta(`node_condition_${sanitizeLabelName((type ?? '').toLowerCase())}`)] = (state ?? '').toLowerCase();
  const target: LabelSet = {
    __address__: hostPort(addresses.get(best)!, status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0),
    instance: metadata?.name ?? '',
  };
  for (const [type, address] of addresses) target[sanitizeLabelName(meta(`node_address_${type}`))] = address;
  return {
    source: `node/${metadata?.name}`,
    labels: labelsOf({ ...labels, ...objectLabels(metadata, 'node') }),
    targets: [labelsOf(target)],
  };
}
