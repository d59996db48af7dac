/** What a refresh has listed, for the roles to look things up in, and the meta labels that several roles give. Source: Prometheus 3.14, discovery/kubernetes. */

import { sanitizeLabelName } from '../sanitize.ts';
import type { Container, ContainerPort, Meta, Node, Owner, Pod, Reference, Resource, Service } from './objects.ts';

/** Labels while they are gathered; an empty value is no label. */
export type LabelSet = Record<string, string>;

/** Objects by `namespace/name`, or by name for those without a namespace. Null: not asked for. */
export interface Cluster {
  readonly nodes: ReadonlyMap<string, Node> | null;
  readonly namespaces: ReadonlyMap<string, Resource> | null;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly services: ReadonlyMap<string, Service>;
  readonly replicaSets: ReadonlyMap<string, Resource> | null;
  readonly jobs: ReadonlyMap<string, Resource> | null;
  readonly withJob: boolean;
  readonly withCronJob: boolean;
}

const PREFIX = '__meta_kubernetes_';
export const meta = (name: string): string => `${PREFIX}${name}`;

export const keyOfObject = ({ metadata }: Resource): string =>
  metadata?.namespace ? `${metadata.namespace}/${metadata.name}` : (metadata?.name ?? '');

/** Name, labels and annotations of an object; `role` is the middle of their names. */
export function objectLabels(metadata: Meta | undefined, role: string): LabelSet {
  return { [meta(`${role}_name`)]: metadata?.name ?? '', ...annotationsAndLabels(metadata, role) };
}

function annotationsAndLabels(metadata: Meta | undefined, resource: string): LabelSet {
  const labels: LabelSet = {};
  for (const [what, values] of [
    ['label', metadata?.labels],
    ['annotation', metadata?.annotations],
  ] as const) {
    for (const [name, value] of Object.entries(values ?? {})) {
      labels[meta(`${resource}_${what}_${sanitizeLabelName(name)}`)] = value;
      labels[meta(`${resource}_${what}present_${sanitizeLabelName(name)}`)] = 'true';
    }
  }
  return labels;
}

export function nodeObjectLabels({ nodes }: Cluster, name: string | null | undefined): LabelSet {
  const node = nodes?.get(name ?? '');
  return node === undefined ? {} : objectLabels(node.metadata, 'node');
}

/** Without its name, which is among the labels already. */
export function namespaceLabels({ namespaces }: Cluster, name: string | undefined): LabelSet {
  return annotationsAndLabels(namespaces?.get(name ?? '')?.metadata, 'namespace');
}

export function serviceLabels(service: Service | undefined): LabelSet {
  if (service === undefined) return {};
  return { [meta('namespace')]: service.metadata?.namespace ?? '', ...objectLabels(service.metadata, 'service') };
}

export function podLabels(pod: Pod, { replicaSets, jobs, withJob, withCronJob }: Cluster): LabelSet {
  const { spec, status, metadata } = pod;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const labels: LabelSet = {
    [meta('pod_ip')]: status?.podIP ?? '',
    [meta('pod_ready')]: ready.toLowerCase(),
    [meta('pod_phase')]: status?.phase ?? '',
    [meta('pod_node_name')]: spec?.nodeName ?? '',
    [meta('pod_host_ip')]: status?.hostIP ?? '',
    [meta('pod_uid')]: metadata?.uid ?? '',
    ...objectLabels(metadata, 'pod'),
  };
  const owner = controllerOf(pod);
  if (owner === undefined) return labels;
  labels[meta('pod_controller_kind')] = owner.kind ?? '';
  labels[meta('pod_controller_name')] = owner.name ?? '';
  const above = (objects: ReadonlyMap<string, Resource> | null): Owner | undefined => {
    const object = objects?.get(`${metadata?.namespace}/${owner.name}`);
    return object === undefined ? undefined : controllerOf(object);
  };
  if (owner.kind === 'ReplicaSet') {
    const deployment = above(replicaSets);
    if (deployment?.kind === 'Deployment') labels[meta('pod_deployment_name')] = deployment.name ?? '';
  } else if (owner.kind === 'Job') {
    if (withJob) labels[meta('pod_job_name')] = owner.name ?? '';
    const cronJob = withCronJob ? above(jobs) : undefined;
    if (cronJob?.kind === 'CronJob') labels[meta('pod_cronjob_name')] = cronJob.name ?? '';
  }
  return labels;
}

const controllerOf = ({ metadata }: Resource): Owner | undefined =>
  metadata?.ownerReferences?.find(({ controller }) => controller === true);

/** The containers of a pod, those for its beginning last. */
export function containersOf({ spec }: Pod): { container: Container; isInit: boolean }[] {
  return [
    ...(spec?.containers ?? []).map((container) => ({ container, isInit: false })),
    ...(spec?.initContainers ?? []).map((container) => ({ container, isInit: true })),
  ];
}

export function containerPortLabels(
  container: Container,
  isInit: boolean,
  { name, containerPort, protocol }: ContainerPort,
): LabelSet {
  return {
    [meta('pod_container_name')]: container.name ?? '',
    [meta('pod_container_image')]: container.image ?? '',
    [meta('pod_container_port_name')]: name ?? '',
    [meta('pod_container_port_number')]: String(containerPort ?? 0),
    [meta('pod_container_port_protocol')]: protocol ?? '',
    [meta('pod_container_init')]: String(isInit),
  };
}

export function podOf(reference: Reference | null | undefined, { pods }: Cluster): Pod | undefined {
  if (reference?.kind !== 'Pod') return undefined;
  return pods.get(`${reference.namespace ?? ''}/${reference.name ?? ''}`);
}
