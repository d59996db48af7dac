/** Role `pod`: one target a declared port of a container, or one without a port for a container that declares none. Source: Prometheus 3.14, discovery/kubernetes/pod.go. */

import { hostPort, labelsOf, type TargetGroup } from '../group.ts';
import {
  type Cluster,
  containerPortLabels,
  containersOf,
  type LabelSet,
  meta,
  namespaceLabels,
  nodeObjectLabels,
  podLabels,
} from './cluster.ts';
import type { Pod } from './objects.ts';

/** Null for a pod without an address, and for one on a node that the selectors leave out. */
export function podGroup(pod: Pod, cluster: Cluster): TargetGroup | null {
  const { metadata, spec, status } = pod;
  const ip = status?.podIP ?? '';
  if (ip === '' || (cluster.nodes !== null && !cluster.nodes.has(spec?.nodeName ?? ''))) return null;
  const targets: LabelSet[] = [];
  for (const { container, isInit } of containersOf(pod)) {
    const statuses = isInit ? status?.initContainerStatuses : status?.containerStatuses;
    const id = statuses?.find(({ name }) => name === container.name)?.containerID ?? '';
    const ports = container.ports ?? [];
    if (ports.length === 0) {
      targets.push({
        __address__: ip,
        [meta('pod_container_name')]: container.name ?? '',
        [meta('pod_container_id')]: id,
        [meta('pod_container_image')]: container.image ?? '',
        [meta('pod_container_init')]: String(isInit),
      });
    }
    for (const port of ports) {
      targets.push({
        __address__: hostPort(ip, port.containerPort ?? 0),
        [meta('pod_container_id')]: id,
        ...containerPortLabels(container, isInit, port),
      });
    }
  }
  return {
    source: `pod/${metadata?.namespace}/${metadata?.name}`,
    labels: labelsOf({
      ...podLabels(pod, cluster),
      [meta('namespace')]: metadata?.namespace ?? '',
      ...nodeObjectLabels(cluster, spec?.nodeName),
      ...namespaceLabels(cluster, metadata?.namespace),
    }),
    targets: targets.map(labelsOf),
  };
}
