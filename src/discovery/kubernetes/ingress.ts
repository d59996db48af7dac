/** Role `ingress`: one target a path of a rule; for probes from outside. Source: Prometheus 3.14, discovery/kubernetes/ingress.go. */

import { labelsOf, type TargetGroup } from '../group.ts';
import { type Cluster, type LabelSet, meta, namespaceLabels, objectLabels } from './cluster.ts';
import type { Ingress } from './objects.ts';

export function ingressGroup({ metadata, spec }: Ingress, cluster: Cluster): TargetGroup {
  const tlsHosts = (spec?.tls ?? []).flatMap(({ hosts }) => hosts ?? []);
  const targets = (spec?.rules ?? []).flatMap(({ host = '', http }): LabelSet[] => {
    const scheme = tlsHosts.some((pattern) => matches(pattern, host)) ? 'https' : 'http';
    const paths = http ? (http.paths ?? []).map(({ path }) => path || '/') : ['/'];
    return paths.map((path) => ({
      __address__: host,
      [meta('ingress_scheme')]: scheme,
      [meta('ingress_host')]: host,
      [meta('ingress_path')]: path,
    }));
  });
  return {
    source: `ingress/${metadata?.namespace}/${metadata?.name}`,
    labels: labelsOf({
      [meta('namespace')]: metadata?.namespace ?? '',
      [meta('ingress_class_name')]: spec?.ingressClassName ?? '',
      ...objectLabels(metadata, 'ingress'),
      ...namespaceLabels(cluster, metadata?.namespace),
    }),
    targets: targets.map(labelsOf),
  };
}

/** A "*" stands for one whole label of the name, the first. */
function matches(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const [first, ...rest] = pattern.split('.');
  return first === '*' && rest.join('.') === host.split('.').slice(1).join('.');
}
