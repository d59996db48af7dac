/** The rules between the keys of a service discovery; `rules.ts` runs them. Source: Prometheus 3.14, `SDConfig.UnmarshalYAML` of each kind. */

import { isBareIp } from './addresses.ts';
import { checkHttp, HTTP2_NO_MEANING } from './http-rules.ts';
import type { KubernetesRole } from './model.ts';
import type { Path } from './positions.ts';
import { BARE_IP, checkMeaning, type Report } from './report.ts';
import type { Mapping, Value } from './tree.ts';
import { list, mapping } from './values.ts';

type Check = (section: Mapping, path: Path) => void;

/** What a role may select by. */
const SELECTORS: Readonly<Record<KubernetesRole, readonly KubernetesRole[]>> = {
  pod: ['pod', 'node'],
  service: ['service'],
  endpointslice: ['pod', 'service', 'endpointslice'],
  endpoints: ['pod', 'service', 'endpoints'],
  node: ['node'],
  ingress: ['ingress'],
};

export function checkDiscoveries(scrape: Mapping, path: Path, report: Report): void {
  const checkSection = (section: Mapping, at: Path): void => {
    checkHttp(section, 'http_headers', at, report);
    checkMeaning(section, at, [HTTP2_NO_MEANING], report);
  };
  const warnUrl = (url: Value, at: Path): void => {
    if (typeof url === 'string' && isBareIp(url)) report(at, BARE_IP);
  };
  const each = (key: string, check: Check): void => {
    for (const [i, section] of list(scrape[key]).entries()) check(mapping(section), [...path, key, i]);
  };
  each('http_sd_configs', (section, at) => {
    checkSection(section, at);
    warnUrl(section['url'], [...at, 'url']);
  });
  each('file_sd_configs', (section, at) => {
    if (isEmpty(section['files'])) report([...at, 'files'], { expected: 'at least one name' });
  });
  each('dns_sd_configs', (section, at) => {
    if (isEmpty(section['names'])) report([...at, 'names'], { expected: 'at least one name' });
    const type = section['type'];
    if (typeof type !== 'string' || !/^(A|AAAA|MX|NS)$/.test(type) || Number(section['port'] ?? 0) !== 0) return;
    report([...at, 'port'], { expected: 'a port', hint: 'only SRV records say one' });
  });
  each('consul_sd_configs', (section, at) => {
    checkSection(section, at);
    const named = section['username'] !== undefined || section['password'] !== undefined;
    if (named && (section['basic_auth'] !== undefined || section['authorization'] !== undefined)) {
      report([...at, section['username'] === undefined ? 'password' : 'username'], {
        expected: 'username and password, basic_auth, or authorization',
        got: 'more than one',
        part: 'key',
      });
    }
    if (section['token'] !== undefined && section['authorization'] !== undefined)
      report([...at, 'token'], { expected: 'token or authorization', got: 'both', part: 'key' });
    const server = section['server'];
    if (typeof server === 'string') warnUrl(`http://${server}/`, [...at, 'server']);
  });
  each('kubernetes_sd_configs', (section, at) => {
    checkSection(section, at);
    warnUrl(section['api_server'], [...at, 'api_server']);
    if (section['api_server'] === undefined)
      report([...at, 'api_server'], {
        expected: 'a URL like https://host/path',
        hint: 'Narthex runs in no pod: say where the API server is, or let a Prometheus agent in the cluster write here',
      });
    checkSelectors(section, at, report);
  });
}

function checkSelectors(section: Mapping, path: Path, report: Report): void {
  const role = section['role'];
  const allowed = typeof role === 'string' && Object.hasOwn(SELECTORS, role) ? SELECTORS[role as KubernetesRole] : null;
  const seen = new Set<string>();
  for (const [i, selector] of list(section['selectors']).entries()) {
    const one = mapping(selector)['role'];
    const at = [...path, 'selectors', i, 'role'];
    if (typeof one !== 'string' || !Object.hasOwn(SELECTORS, one)) continue;
    if (seen.has(one)) report(at, { expected: 'each role once' });
    else if (allowed !== null && !allowed.includes(one as KubernetesRole))
      report(at, { expected: allowed.join(' or '), hint: `the role ${String(role)} selects by no other` });
    seen.add(one);
  }
}

const isEmpty = (value: Value): boolean => Array.isArray(value) && value.length === 0;
