/**
 * `dns_sd_configs`, over HTTPS: a Worker speaks no DNS. Names are complete: there is no search path. A name that cannot be looked up keeps
 * its last targets. Source: Prometheus 3.14, discovery/dns/dns.go; developers.cloudflare.com/1.1.1.1, "DNS over HTTPS", JSON.
 */

import type { DnsDiscovery } from '../config/model.ts';
import { hostPort, labelsOf, type TargetGroup } from './group.ts';
import { askJson } from './http-get.ts';
import { type DiscoveryDoors, DiscoveryError, type Kind } from './kind.ts';
import { messageOf } from '../model/error.ts';

/** IANA's numbers of record types. */
const TYPES = { A: 1, NS: 2, MX: 15, AAAA: 28, SRV: 33 } as const;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;

export const DEFAULT_RESOLVER_URL = 'https://cloudflare-dns.com/dns-query';

export const dns: Kind<DnsDiscovery> = {
  where: ({ names, type }) => `${type} ${names.join(', ')}`,
  refresh: async (config, doors, last) => {
    const errors: string[] = [];
    const groups = await Promise.all(
      config.names.map(async (name): Promise<TargetGroup[]> => {
        try {
          return [await lookUp(name, config, doors)];
        } catch (error) {
          errors.push(`${name}: ${messageOf(error)}`);
          return last.filter(({ source }) => source === name);
        }
      }),
    );
    return { groups: groups.flat(), error: errors.length === 0 ? null : errors.sort().join('; ') };
  },
};

async function lookUp(name: string, config: DnsDiscovery, doors: DiscoveryDoors): Promise<TargetGroup> {
  const url = new URL(doors.resolverUrl);
  url.searchParams.set('name', name);
  url.searchParams.set('type', config.type);
  const answer = (await askJson(
    {
      url: url.href,
      credentials: {},
      headers: { accept: 'application/dns-json' },
      followRedirects: true,
      timeoutMs: config.refreshIntervalMs,
    },
    doors,
  )) as { Status?: unknown; TC?: unknown; Answer?: unknown } | null;
  const status = answer?.Status;
  if (typeof status !== 'number') throw new DiscoveryError('the resolver’s answer has no Status');
  if (status !== NO_ERROR && status !== NO_SUCH_NAME)
    throw new DiscoveryError(`the resolver answered with code ${status}`);
  if (answer?.TC === true) throw new DiscoveryError('the resolver’s answer was truncated');
  const records: unknown = answer?.Answer ?? [];
  if (!Array.isArray(records)) throw new DiscoveryError('the resolver’s Answer is not a list');
  // CNAMEs on the way are other types, and passed over. Resolvers turn records around from answer to answer: an order of our own keeps
  // what did not change the same.
  const targets = records
    .filter((record: { type?: unknown }) => record?.type === TYPES[config.type])
    .map((record: { data?: unknown }) => targetOf(name, config, String(record.data ?? '')))
    .sort((a, b) => (a['__address__']! < b['__address__']! ? -1 : 1));
  return { source: name, labels: [], targets: targets.map(labelsOf) };
}

function targetOf(name: string, { type, port }: DnsDiscovery, data: string): Record<string, string> {
  const unfit = (): never => {
    throw new DiscoveryError(`not ${type === 'A' ? 'an' : 'a'} ${type} record: ${JSON.stringify(data.slice(0, 200))}`);
  };
  const meta = { __meta_dns_name: name };
  const fields = data.trim().split(/\s+/);
  switch (type) {
    case 'SRV': {
      const [, , srvPort = '', target = ''] = fields.length === 4 ? fields : unfit();
      if (!/^[0-9]{1,5}$/.test(srvPort)) unfit();
      return {
        ...meta,
        __address__: hostPort(host(target), srvPort),
        __meta_dns_srv_record_target: rooted(target),
        __meta_dns_srv_record_port: srvPort,
      };
    }
    case 'MX': {
      const [, target = ''] = fields.length === 2 ? fields : unfit();
      return { ...meta, __address__: hostPort(host(target), port), __meta_dns_mx_record_target: rooted(target) };
    }
    case 'NS': {
      const [target = ''] = fields.length === 1 && fields[0] !== '' ? fields : unfit();
      return { ...meta, __address__: hostPort(host(target), port), __meta_dns_ns_record_target: rooted(target) };
    }
    case 'A':
    case 'AAAA':
      if (!(type === 'A' ? /^[0-9.]+$/ : /^[0-9a-f:.]+$/i).test(data)) unfit();
      return { ...meta, __address__: hostPort(data, port) };
  }
}

/** With its final dot, as a record has it; some resolvers leave it out in JSON. */
const rooted = (name: string): string => (name.endsWith('.') ? name : `${name}.`);
const host = (name: string): string => name.replace(/\.+$/, '');
