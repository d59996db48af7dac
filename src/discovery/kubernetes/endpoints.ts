/** Role `endpoints`: the addresses behind services, and the other ports of their pods. Source: Prometheus 3.14, discovery/kubernetes/endpoints.go. */

import { hostPort, labelsOf, type TargetGroup } from '../group.ts';
import {
  type Cluster,
  type LabelSet,
  meta,
  namespaceLabels,
  nodeObjectLabels,
  objectLabels,
  podOf,
  serviceLabels,
} from './cluster.ts';
import type { EndpointAddress, Endpoints } from './objects.ts';
import { SeenPods } from './seen-pods.ts';

export function endpointsGroup({ metadata, subsets }: Endpoints, cluster: Cluster): TargetGroup {
  const seen = new SeenPods(cluster);
  const targets: LabelSet[] = [];
  for (const { addresses, notReadyAddresses, ports } of subsets ?? []) {
    for (const port of ports ?? []) {
      const add = (address: EndpointAddress, ready: boolean): void => {
        const target: LabelSet = {
          __address__: hostPort(address.ip ?? '', port.port ?? 0),
          [meta('endpoint_port_name')]: port.name ?? '',
          [meta('endpoint_port_protocol')]: port.protocol ?? '',
          [meta('endpoint_ready')]: String(ready),
          ...addressLabels(address, cluster),
        };
        const pod = podOf(address.targetRef, cluster);
        if (pod !== undefined) Object.assign(target, seen.join(pod, port.port ?? 0, port.protocol ?? ''));
        targets.push(target);
      };
      for (const address of addresses ?? []) add(address, true);
      for (const address of notReadyAddresses ?? []) add(address, false);
    }
  }
  targets.push(...seen.others());
  const service = cluster.services.get(`${metadata?.namespace}/${metadata?.name}`);
  return {
    source: `endpoints/${metadata?.namespace}/${metadata?.name}`,
    labels: labelsOf({
      [meta('namespace')]: metadata?.namespace ?? '',
      ...serviceLabels(service),
      ...objectLabels(metadata, 'endpoints'),
      ...namespaceLabels(cluster, metadata?.namespace),
    }),
    targets: targets.map(labelsOf),
  };
}

function addressLabels({ targetRef, nodeName, hostname }: EndpointAddress, cluster: Cluster): LabelSet {
  const labels: LabelSet = {};
  if (targetRef) {
    labels[meta('endpoint_address_target_kind')] = targetRef.kind ?? '';
    labels[meta('endpoint_address_target_name')] = targetRef.name ?? '';
  }
  if (nodeName) labels[meta('endpoint_node_name')] = nodeName;
  if (hostname) labels[meta('endpoint_hostname')] = hostname;
  const node = nodeName ?? (targetRef?.kind === 'Node' ? targetRef.name : null);
  return { ...labels, ...nodeObjectLabels(cluster, node) };
}
