/**
 * Sources of service discovery, as far as a real Prometheus and Narthex ask them: an HTTP SD, Consul's agent and Kubernetes' API server on one port, and a
 * DNS server. They answer from tables. What Prometheus holds open to be told of a change (blocking queries, watches) stays open.
 */
import { createSocket } from 'node:dgram';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Lab } from './lab.ts';

/** What a cluster lists, by path, as in `test/discovery/kubernetes`. */
export type Lists = Readonly<Record<string, readonly object[]>>;

export interface Tables {
  /** By name: `/http/<name>`. */
  readonly http: Readonly<Record<string, unknown>>;
  /** By name: `/k8s/<name>/api/v1/pods` … */
  readonly clusters: Readonly<Record<string, Lists>>;
  /** Services: their tags, and what their health endpoint answers. */
  readonly consul: Readonly<Record<string, { readonly tags: readonly string[]; readonly entries: readonly object[] }>>;
}

/** Serves all of them; the address. */
export async function serveSources(lab: Lab, tables: Tables): Promise<string> {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://sources');
    const [, source, ...rest] = url.pathname.split('/');
    if (source === 'http') json(response, 200, tables.http[rest[0]!]);
    else if (source === 'consul') consul(tables.consul, url, `/${rest.join('/')}`, response);
    else kubernetes(tables.clusters[rest[0]!]!, `/${rest.slice(1).join('/')}`, url, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value));
}

function consul(services: Tables['consul'], url: URL, path: string, response: ServerResponse): void {
  // A question for what is newer than the one answer there is.
  if (Number(url.searchParams.get('index')) > 0) return;
  const index = { 'X-Consul-Index': '7' };
  if (path === '/v1/agent/self') json(response, 200, { Config: { Datacenter: 'dc1', NodeName: 'n1' } });
  else if (path === '/v1/catalog/services')
    json(response, 200, Object.fromEntries(Object.entries(services).map(([name, { tags }]) => [name, tags])), index);
  else json(response, 200, services[decodeURIComponent(path.split('/').at(-1)!)]?.entries ?? [], index);
}

/** By the last word of a path: the kind of its list, and of which group of the API it is. */
const LISTS: Readonly<Record<string, readonly [kind: string, apiVersion: string]>> = {
  pods: ['PodList', 'v1'],
  nodes: ['NodeList', 'v1'],
  namespaces: ['NamespaceList', 'v1'],
  services: ['ServiceList', 'v1'],
  endpoints: ['EndpointsList', 'v1'],
  endpointslices: ['EndpointSliceList', 'discovery.k8s.io/v1'],
  ingresses: ['IngressList', 'networking.k8s.io/v1'],
  replicasets: ['ReplicaSetList', 'apps/v1'],
  jobs: ['JobList', 'batch/v1'],
};

function kubernetes(lists: Lists, path: string, url: URL, _request: IncomingMessage, response: ServerResponse): void {
  if (path === '/version') {
    json(response, 200, { major: '1', minor: '30', gitVersion: 'v1.30.0' });
    return;
  }
  const failure = (code: number, reason: string): void =>
    json(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message: reason });
  const [kind, apiVersion] = LISTS[path.split('/').at(-1)!] ?? [];
  if (kind === undefined) return failure(404, 'NotFound');
  // A list as a stream of events: this server is older than that, and the client lists instead.
  if (url.searchParams.has('sendInitialEvents')) return failure(422, 'Invalid');
  if (url.searchParams.has('watch')) {
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders();
    return;
  }
  json(response, 200, { kind, apiVersion, metadata: { resourceVersion: '7' }, items: lists[path] ?? [] });
}

/** Of one type and name, the answers; in DNS' own words: `10 5 9100 a.test.` for SRV. */
export type Zone = Readonly<Record<string, readonly string[]>>;

export const DNS_TYPES = { A: 1, NS: 2, MX: 15, AAAA: 28, SRV: 33 } as const;
type DnsType = keyof typeof DNS_TYPES;

/** Serves a zone by DNS over UDP, and the same over HTTPS' JSON (which is spoken here over HTTP). Keys are `SRV _x._tcp.test.`. */
export async function serveZone(lab: Lab, zone: Zone, host: string): Promise<{ dohUrl: string }> {
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => udp.send(answer(message, zone), from.port, from.address));
  await new Promise<void>((resolve, reject) => udp.once('error', reject).bind(53, host, resolve));
  const doh = createServer((request, response) => {
    const { searchParams } = new URL(request.url!, 'http://doh');
    const type = searchParams.get('type') as DnsType;
    const name = `${searchParams.get('name')!.replace(/\.$/, '')}.`;
    const records = zone[`${type} ${name}`];
    const Answer = records?.map((data) => ({ name: name.slice(0, -1), type: DNS_TYPES[type], TTL: 60, data }));
    const body = JSON.stringify({ Status: records === undefined ? 3 : 0, TC: false, Answer });
    response.writeHead(200, { 'Content-Type': 'application/dns-json' }).end(body);
  });
  await new Promise<void>((resolve) => doh.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => {
    await new Promise<void>((resolve) => udp.close(() => resolve()));
    doh.closeAllConnections();
    await new Promise((resolve) => doh.close(resolve));
  });
  return { dohUrl: `http://127.0.0.1:${(doh.address() as AddressInfo).port}/dns-query` };
}

/** RFC 1035, without compression: the answer to one question. */
function answer(query: Buffer, zone: Zone): Buffer {
  const labels: string[] = [];
  let offset = 12;
  for (let length = query[offset]!; length > 0; length = query[offset]!) {
    labels.push(query.toString('latin1', offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  const code = query.readUInt16BE(offset + 1);
  const question = query.subarray(12, offset + 5);
  const type = Object.entries(DNS_TYPES).find(([, number]) => number === code)?.[0];
  const records = zone[`${type} ${labels.join('.').toLowerCase()}.`];
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // An authoritative answer; NXDOMAIN for a name that is not there.
  header.writeUInt16BE(0x8580 | (records === undefined ? 3 : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records?.length ?? 0, 6);
  const answers = (records ?? []).map((data) => {
    const body = rdata(type as DnsType, data);
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(code, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(60, 4);
    fixed.writeUInt16BE(body.length, 8);
    return Buffer.concat([Buffer.from([0xc0, 12]), fixed, body]);
  });
  return Buffer.concat([header, question, ...answers]);
}

function rdata(type: DnsType, data: string): Buffer {
  const fields = data.split(' ');
  const numbers = (n: number): Buffer =>
    Buffer.concat(fields.slice(0, n).map((field) => Buffer.from([Number(field) >> 8, Number(field) & 0xff])));
  switch (type) {
    case 'A':
      return Buffer.from(data.split('.').map(Number));
    case 'AAAA': {
      const [head = '', tail = ''] = data.split('::').map((half) => (half === '' ? [] : half.split(':')).join(':'));
      const groups = [head, tail].map((half) => half.split(':').filter((group) => group !== ''));
      const zeros = Array.from({ length: 8 - groups[0]!.length - groups[1]!.length }, () => '0');
      const all = [...groups[0]!, ...zeros, ...groups[1]!].map((group) => Number.parseInt(group, 16));
      return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
    }
    case 'NS':
      return domain(data);
    case 'MX':
      return Buffer.concat([numbers(1), domain(fields[1]!)]);
    case 'SRV':
      return Buffer.concat([numbers(3), domain(fields[3]!)]);
  }
}

const domain = (name: string): Buffer =>
  Buffer.concat(
    `${name.replace(/\.$/, '')}.`
      .split('.')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
  );
