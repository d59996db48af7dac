/**
 * `kubernetes_sd_configs`: lists what a role needs, and builds the groups of it. Prometheus watches; a Worker's run lists again at each
 * refresh. Source: Prometheus 3.14, discovery/kubernetes/kubernetes.go; kubernetes.io/docs/reference/using-api/api-concepts.
 */

import type { KubernetesDiscovery, KubernetesRole } from '../../config/model.ts';
import type { TargetGroup } from '../group.ts';
import { askJson } from '../http-get.ts';
import { type DiscoveryDoors, DiscoveryError, found, type Kind } from '../kind.ts';
import { type Cluster, keyOfObject } from './cluster.ts';
import { endpointsGroup } from './endpoints.ts';
import { endpointSliceGroup } from './endpointslice.ts';
import { ingressGroup } from './ingress.ts';
import { nodeGroup } from './node.ts';
import type { Endpoints, EndpointSlice, Ingress, Node, Pod, Resource, Service } from './objects.ts';
import { podGroup } from './pod.ts';
import { serviceGroup } from './service.ts';

/** Objects a page of a list: small enough to be in memory beside what a run scrapes. */
const PAGE = 500;

const PATHS = {
  node: '/api/v1/nodes',
  namespace: '/api/v1/namespaces',
  pod: '/api/v1/{namespace}pods',
  service: '/api/v1/{namespace}services',
  endpoints: '/api/v1/{namespace}endpoints',
  endpointslice: '/apis/discovery.k8s.io/v1/{namespace}endpointslices',
  ingress: '/apis/networking.k8s.io/v1/{namespace}ingresses',
  replicaset: '/apis/apps/v1/{namespace}replicasets',
  job: '/apis/batch/v1/{namespace}jobs',
} as const;

export const kubernetes: Kind<KubernetesDiscovery> = {
  where: ({ apiServer, role }) => `${role} of ${apiServer}`,
  refresh: async (config, doors) => {
    const groups = await roleGroups(config, new Lister(config, doors));
    const some = groups.filter((group): group is TargetGroup => group !== null && group.targets.length > 0);
    return found(some.sort((a, b) => (a.source < b.source ? -1 : 1)));
  },
};

async function roleGroups(config: KubernetesDiscovery, list: Lister): Promise<(TargetGroup | null)[]> {
  switch (config.role) {
    case 'node':
      return [...(await list.all<Node>('node')).values()].map(nodeGroup);
    case 'pod': {
      const cluster = await clusterFor(config, list);
      return [...cluster.pods.values()].map((pod) => podGroup(pod, cluster));
    }
    case 'service': {
      const cluster = await clusterFor(config, list);
      return [...cluster.services.values()].map((service) => serviceGroup(service, cluster));
    }
    case 'endpoints': {
      const cluster = await clusterFor(config, list);
      return [...(await list.all<Endpoints>('endpoints')).values()].map((one) => endpointsGroup(one, cluster));
    }
    case 'endpointslice': {
      const cluster = await clusterFor(config, list);
      return [...(await list.all<EndpointSlice>('endpointslice')).values()].map((one) =>
        endpointSliceGroup(one, cluster),
      );
    }
    case 'ingress': {
      const cluster = await clusterFor(config, list);
      return [...(await list.all<Ingress>('ingress')).values()].map((one) => ingressGroup(one, cluster));
    }
  }
}

/** Lists what the role looks things up in. One list after the other: a run has six connections. */
async function clusterFor({ role, attach }: KubernetesDiscovery, list: Lister): Promise<Cluster> {
  const behind = role === 'endpoints' || role === 'endpointslice';
  const pods = behind || role === 'pod';
  const none = new Map<string, never>();
  return {
    pods: pods ? await list.all<Pod>('pod') : none,
    services: behind || role === 'service' ? await list.all<Service>('service') : none,
    nodes: pods && attach.node ? await list.all<Node>('node') : null,
    namespaces: attach.namespace ? await list.all<Resource>('namespace') : null,
    replicaSets: pods && attach.deployment ? await list.all<Resource>('replicaset') : null,
    jobs: pods && attach.cronJob ? await list.all<Resource>('job') : null,
    withJob: attach.job,
    withCronJob: attach.cronJob,
  };
}

class Lister {
  readonly #config: KubernetesDiscovery;
  readonly #doors: DiscoveryDoors;

  constructor(config: KubernetesDiscovery, doors: DiscoveryDoors) {
    this.#config = config;
    this.#doors = doors;
  }

  /** All objects of a kind in the configured namespaces, by `namespace/name`. */
  async all<T extends Resource>(what: keyof typeof PATHS): Promise<ReadonlyMap<string, T>> {
    const path = PATHS[what];
    const { namespaces } = this.#config;
    const everywhere = !path.includes('{namespace}') || namespaces.length === 0;
    const paths = everywhere
      ? [path.replace('{namespace}', '')]
      : namespaces.map((name) => path.replace('{namespace}', `namespaces/${encodeURIComponent(name)}/`));
    const objects = new Map<string, T>();
    for (const one of paths) await this.#list(one, what, objects as Map<string, Resource>);
    return objects;
  }

  async #list(path: string, what: keyof typeof PATHS, into: Map<string, Resource>): Promise<void> {
    const { apiServer, selectors, followRedirects, refreshIntervalMs } = this.#config;
    const { label = '', field = '' } = selectors.find(({ role }) => role === (what as KubernetesRole)) ?? {};
    let next = '';
    do {
      const url = new URL(`${apiServer.replace(/\/+$/, '')}${path}`);
      for (const [name, value] of [
        ['labelSelector', label],
        ['fieldSelector', field],
        ['limit', String(PAGE)],
        ['continue', next],
      ] as const) {
        if (value !== '') url.searchParams.set(name, value);
      }
      const answer = (await askJson(
        {
          url: url.href,
          credentials: this.#config,
          headers: { accept: 'application/json' },
          followRedirects,
          timeoutMs: refreshIntervalMs,
        },
        this.#doors,
      )) as { items?: unknown; metadata?: { continue?: unknown } } | null;
      if (!Array.isArray(answer?.items)) throw new DiscoveryError(`${path}: the answer is no list of Kubernetes`);
      for (const object of answer.items as Resource[]) {
        prune(object);
        into.set(keyOfObject(object), object);
      }
      next = typeof answer.metadata?.continue === 'string' ? answer.metadata.continue : '';
    } while (next !== '');
  }
}

/** Drops most of what is never read, and is most of an object: a cluster must fit into memory. */
function prune(object: Resource): void {
  const { metadata, spec } = object as { metadata?: Record<string, unknown>; spec?: Record<string, unknown> };
  delete metadata?.['managedFields'];
  if (spec === undefined || spec === null) return;
  delete spec['volumes'];
  delete spec['template'];
  for (const list of [spec['containers'], spec['initContainers']]) {
    if (!Array.isArray(list)) continue;
    for (const [i, one] of list.entries()) {
      const { name, image, ports } = (one ?? {}) as Record<string, unknown>;
      list[i] = { name, image, ports };
    }
  }
}
