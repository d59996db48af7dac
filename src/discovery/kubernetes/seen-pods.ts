/**
 * The pods behind endpoints: their labels join those of the endpoint, and their other declared ports become targets of their own. The same
 * for `endpoints` and `endpointslice` but for one word. Source: Prometheus 3.14, discovery/kubernetes/{endpoints,endpointslice}.go.
 */

import { hostPort } from '../group.ts';
import { type Cluster, containerPortLabels, containersOf, type LabelSet, podLabels } from './cluster.ts';
import type { Pod } from './objects.ts';

export class SeenPods {
  readonly #cluster: Cluster;
  readonly #seen = new Map<Pod, Set<number>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Labels of an endpoint's pod, and of the container that declares the endpoint's port. `protocol` is the endpoint's, where it wins over the container's. */
  join(pod: Pod, port: number | null, protocol: string | null): LabelSet {
    const ports = this.#seen.get(pod) ?? new Set();
    this.#seen.set(pod, ports);
    if (port !== null) ports.add(port);
    const labels = podLabels(pod, this.#cluster);
    for (const { container, isInit } of containersOf(pod)) {
      const declared = container.ports?.find(({ containerPort }) => containerPort === port);
      if (declared === undefined) continue;
      const own = protocol === null ? declared : { ...declared, protocol };
      Object.assign(labels, containerPortLabels(container, isInit, own));
    }
    return labels;
  }

  /** Targets of the declared ports that no endpoint is for. */
  others(): LabelSet[] {
    const targets: LabelSet[] = [];
    for (const [pod, seen] of this.#seen) {
      const ip = pod.status?.podIP ?? '';
      if (ip === '') continue;
      for (const { container, isInit } of containersOf(pod)) {
        for (const port of container.ports ?? []) {
          const number = port.containerPort ?? 0;
          if (seen.has(number)) continue;
          targets.push({
            __address__: hostPort(ip, number),
            ...containerPortLabels(container, isInit, port),
            ...podLabels(pod, this.#cluster),
          });
        }
      }
    }
    return targets;
  }
}
