/**
 * Private networks: which addresses may be reached through which binding, from the text of `NARTHEX_VPC`: YAML, or JSON, which is YAML too.
 *
 *     TUNNEL:                       # the name of a binding
 *       - 10.0.0.0/8:9100           # an IPv4 address or network, and a port
 *       - '[fd00::/8]:9000-9999'    # IPv6, and a range of ports
 *       - '*.internal'              # names under a domain, any port
 *       - db.example.com:8080
 *
 * Targets name the binding (`__vpc__`); remotes and sources of discovery, which have no labels, go through the one that lists them.
 *
 * Pure and total. The one invariant: what is not on the list of a binding is never asked through it, whatever discovery, relabelling or a redirect
 * says; and no binding is named that is not in this text.
 */

import { describe, formatProblems, problem, type Problem, quote, sortProblems } from '../../config/problems.ts';
import type { Path } from '../../config/positions.ts';
import { readTree, type Tree } from '../../config/tree.ts';
import type { Fetch } from '../../model/doors.ts';

const VARIABLE = 'NARTHEX_VPC';

/** One entry of a list. Ports are inclusive. */
type Allowed = { readonly ports: readonly [number, number] } & (
  | { readonly kind: 'name'; readonly name: string; readonly below: boolean }
  | { readonly kind: 'ip'; readonly address: readonly number[]; readonly bits: number }
);

export interface Networks {
  readonly bindings: ReadonlyMap<string, readonly Allowed[]>;
  /** A line each, with its place. A binding with a mistake in its list is not there. */
  readonly problems: readonly string[];
}

export function parseNetworks(text: string): Networks {
  const read = readTree(text);
  if (!read.ok) return { bindings: new Map(), problems: lines(read.problems) };
  const { tree } = read;
  const root = tree.value ?? {};
  const problems: Problem[] = [...tree.problems];
  const bindings = new Map<string, readonly Allowed[]>();
  if (typeof root !== 'object' || Array.isArray(root)) {
    problems.push(mistake(tree, [], root, 'a mapping of bindings to lists of addresses'));
    return { bindings, problems: lines(problems) };
  }
  for (const [binding, list] of Object.entries(root)) {
    if (!Array.isArray(list)) {
      problems.push(mistake(tree, [binding], list, 'a list of addresses'));
      continue;
    }
    const allowed: Allowed[] = [];
    for (const [i, entry] of list.entries()) {
      const parsed = typeof entry === 'string' ? parseAllowed(entry) : null;
      if (parsed !== null) allowed.push(parsed);
      else problems.push(mistake(tree, [binding, i], entry, 'an address like 10.0.0.0/8:9100 or *.internal:8080'));
    }
    if (allowed.length === list.length) bindings.set(binding, allowed);
  }
  return { bindings, problems: lines(problems) };
}

const lines = (problems: readonly Problem[]): string[] =>
  problems.length === 0 ? [] : formatProblems(VARIABLE, sortProblems(problems)).split('\n');

const mistake = (tree: Tree, path: Path, value: unknown, expected: string): Problem =>
  problem(path, tree.positions.of(tree.value, path, 'value'), { expected, got: describe(value, path) });

/** `host`, `host:port` or `host:from-to`; the host is a name, `*.name`, an IP address or a network in CIDR notation, IPv6 in brackets. */
function parseAllowed(text: string): Allowed | null {
  const [, host = '', from, to = from] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?$/.exec(text) ?? [];
  const ports = from === undefined ? ([0, 65_535] as const) : ([Number(from), Number(to)] as const);
  if (host === '' || ports[0] > ports[1] || ports[1] > 65_535) return null;
  const [, ip = '', length] = /^\[?([0-9a-f:.]+)(?:\/([0-9]{1,3}))?\]?$/i.exec(host) ?? [];
  const address = ip === '' ? null : addressOf(host.startsWith('[') ? `[${ip}]` : ip);
  if (address !== null) {
    const bits = length === undefined ? address.length * 8 : Number(length);
    return bits <= address.length * 8 ? { kind: 'ip', address, bits, ports } : null;
  }
  const below = host.startsWith('*.');
  const name = below ? host.slice(2) : host;
  if (!/^[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.?$/u.test(name) || !URL.canParse(`http://${name}/`)) return null;
  // As a URL has it: lower case, Punycode.
  const { hostname } = new URL(`http://${name}/`);
  return addressOf(hostname) === null ? { kind: 'name', name: rootless(hostname), below, ports } : null;
}

/** The bytes of an IP address, as a URL's host writes it; null for a name. */
function addressOf(host: string): readonly number[] | null {
  if (/^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(host)) {
    // Only as a URL writes it: a leading zero would mean octal digits there.
    const bytes = host.split('.').map(Number);
    return bytes.every((byte) => byte < 256) && bytes.join('.') === host ? bytes : null;
  }
  if (!host.startsWith('[') || !URL.canParse(`http://${host}/`)) return null;
  const [before = '', after] = new URL(`http://${host}/`).hostname.slice(1, -1).split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number(`0x${group}`)));
  const [head, tail] = [groups(before), groups(after ?? '')];
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}

const rootless = (name: string): string => name.replace(/\.$/, '');

function isAllowed(list: readonly Allowed[], { hostname, port, protocol }: URL): boolean {
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  const address = addressOf(hostname);
  const name = rootless(hostname);
  return list.some((one) => {
    if (number < one.ports[0] || number > one.ports[1]) return false;
    if (one.kind === 'ip') return address !== null && within(address, one.address, one.bits);
    return address === null && (one.below ? name.endsWith(`.${one.name}`) : name === one.name);
  });
}

function within(address: readonly number[], network: readonly number[], bits: number): boolean {
  if (address.length !== network.length) return false;
  return network.every((byte, i) => {
    const shift = 8 - Math.min(8, Math.max(0, bits - i * 8));
    return byte >> shift === address[i]! >> shift;
  });
}

/** The first binding that lists an address; null when none does. */
export function bindingFor({ bindings }: Networks, url: string): string | null {
  for (const [binding, list] of bindings) if (isAllowed(list, new URL(url))) return binding;
  return null;
}

/** What a binding is once it is there. */
export interface Binding {
  fetch(request: Request): Promise<Response>;
}

/** The door through a binding, for what is on its list; each request is looked at, redirected ones too. `bound` is what the deployment has under that name. */
export function throughBinding(name: string, { bindings }: Networks, bound: (name: string) => unknown): Fetch {
  return async (request) => {
    const list = bindings.get(name);
    if (list === undefined)
      throw new Error(
        `${VARIABLE} lists no addresses for a binding ${quote(name)}: it is no way into a private network`,
      );
    const url = new URL(request.url);
    if (!isAllowed(list, url))
      throw new Error(`not on the list of ${quote(name)} in ${VARIABLE}, so it is not asked through that binding`);
    const binding = bound(name) as Partial<Binding> | null | undefined;
    if (typeof binding?.fetch !== 'function')
      throw new Error(`the deployment has no binding ${quote(name)} (vpc_networks or vpc_services in wrangler.toml)`);
    return await binding.fetch(request);
  };
}
