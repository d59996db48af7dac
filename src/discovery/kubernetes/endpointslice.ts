/** Role `endpointslice`: the addresses behind services, in slices. Source: Prometheus 3.14, discovery/kubernetes/endpointslice.go. */

import { hostPort, labelsOf, type TargetGroup } from '../group.ts';
import { sanitizeLabelName } from '../sanitize.ts';
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
import type { EndpointSlice, Service, SliceEndpoint, SlicePort } from './objects.ts';
import { SeenPods } from './seen-pods.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

export function endpointSliceGroup(slice: EndpointSlice, cluster: Cluster): TargetGroup {
  const { metadata, addressType, endpoints, ports } = slice;
  const service = cluster.services.get(`${metadata?.namespace}/${metadata?.labels?.[SERVICE_NAME]}`);
  const seen = new SeenPods(cluster);
  const targets: LabelSet[] = [];
  for (const endpoint of isSecondary(slice, service) ? [] : (endpoints ?? [])) {
    for (const port of ports ?? []) {
      for (const address of endpoint.addresses ?? []) {
        const number = port.port ?? null;
        const target: LabelSet = {
          __address__: number === null ? address : hostPort(address, number),
          ...portLabels(port),
          ...endpointLabels(endpoint, cluster),
        };
        const pod = podOf(endpoint.targetRef, cluster);
        if (pod !== undefined) Object.assign(target, seen.join(pod, number, null));
        targets.push(target);
      }
    }
  }
  targets.push(...seen.others());
  return {
    source: `endpointslice/${metadata?.namespace}/${metadata?.name}`,
    labels: labelsOf({
      [meta('namespace')]: metadata?.namespace ?? '',
      [meta('endpointslice_address_type')]: addressType ?? '',
      ...objectLabels(metadata, 'endpointslice'),
      ...serviceLabels(service),
      ...namespaceLabels(cluster, metadata?.namespace),
    }),
    targets: targets.map(labelsOf),
  };
}

/** The second slice of a service with two families of addresses, which has the same endpoints again. */
function isSecondary({ addressType }: EndpointSlice, service: Service | undefined): boolean {
  const { ipFamilyPolicy, ipFamilies } = service?.spec ?? {};
  if (ipFamilyPolicy !== 'PreferDualStack' && ipFamilyPolicy !== 'RequireDualStack') return false;
  const primary = ipFamilies?.[0];
  return primary !== undefined && primary !== addressType;
}

const portLabels = ({ name, protocol, port, appProtocol }: SlicePort): LabelSet => ({
  [meta('endpointslice_port_name')]: name ?? '',
  [meta('endpointslice_port_protocol')]: protocol ?? '',
  [meta('endpointslice_port')]: port === null || port === undefined ? '' : String(port),
  [meta('endpointslice_port_app_protocol')]: appProtocol ?? '',
});

function endpointLabels(endpoint: SliceEndpoint, cluster: Cluster): LabelSet {
  const { conditions, hostname, targetRef, nodeName, zone, deprecatedTopology } = endpoint;
  const text = (flag: boolean | null | undefined): string => (flag === null || flag === undefined ? '' : String(flag));
  const labels: LabelSet = {
    [meta('endpointslice_endpoint_conditions_ready')]: text(conditions?.ready),
    [meta('endpointslice_endpoint_conditions_serving')]: text(conditions?.serving),
    [meta('endpointslice_endpoint_conditions_terminating')]: text(conditions?.terminating),
    [meta('endpointslice_endpoint_hostname')]: hostname ?? '',
    [meta('endpointslice_address_target_kind')]: targetRef?.kind ?? '',
    [meta('endpointslice_address_target_name')]: targetRef?.name ?? '',
    [meta('endpointslice_endpoint_node_name')]: nodeName ?? '',
    [meta('endpointslice_endpoint_zone')]: zone ?? '',
  };
  for (const [name, value] of Object.entries(deprecatedTopology ?? {})) {
    labels[meta(`endpointslice_endpoint_topology_${sanitizeLabelName(name)}`)] = value;
    labels[meta(`endpointslice_endpoint_topology_present_${sanitizeLabelName(name)}`)] = 'true';
  }
  return { ...labels, ...nodeObjectLabels(cluster, targetRef?.kind === 'Node' ? targetRef.name : nodeName) };
}
