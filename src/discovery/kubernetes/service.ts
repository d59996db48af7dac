/** Role `service`: one target a port of a service, at its name in the cluster. Source: Prometheus 3.14, discovery/kubernetes/service.go. */

import { hostPort, labelsOf, type TargetGroup } from '../group.ts';
import { type Cluster, type LabelSet, meta, namespaceLabels, serviceLabels } from './cluster.ts';
import type { Service } from './objects.ts';

export function serviceGroup(service: Service, cluster: Cluster): TargetGroup {
  const { metadata, spec } = service;
  const targets = (spec?.ports ?? []).map(({ name, port, protocol }): LabelSet => {
    const target: LabelSet = {
      __address__: hostPort(`${metadata?.name}.${metadata?.namespace}.svc`, port ?? 0),
      [meta('service_port_name')]: name ?? '',
      [meta('service_port_number')]: String(port ?? 0),
      [meta('service_port_protocol')]: protocol ?? '',
      [meta('service_type')]: spec?.type ?? '',
    };
    if (spec?.type === 'ExternalName') target[meta('service_external_name')] = spec.externalName ?? '';
    else target[meta('service_cluster_ip')] = spec?.clusterIP ?? '';
    if (spec?.type === 'LoadBalancer') target[meta('service_loadbalancer_ip')] = loadBalancerIps(service);
    return target;
  });
  return {
    source: `svc/${metadata?.namespace}/${metadata?.name}`,
    labels: labelsOf({ ...serviceLabels(service), ...namespaceLabels(cluster, metadata?.namespace) }),
    targets: targets.map(labelsOf),
  };
}

function loadBalancerIps({ spec, status }: Service): string {
  const ips = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '').filter((ip) => ip !== '');
  return ips.length > 0 ? ips.join(',') : (spec?.loadBalancerIP ?? '');
}
