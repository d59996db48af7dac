import { describe, expect, test } from 'vitest';
import { bindingFor, type Networks, parseNetworks, throughBinding } from '../../../src/scrape/reach/networks.ts';

/** What is asked through a binding TUNNEL with this list: null, or the reason why not. */
async function refusal(list: readonly string[] | Networks, url: string, bound: unknown): Promise<string | null> {
  const networks = 'problems' in list ? list : parseNetworks(JSON.stringify({ TUNNEL: list }));
  expect(networks.problems).toEqual([]);
  const door = throughBinding('TUNNEL', networks, (name) => (name === 'TUNNEL' ? bound : undefined));
  try {
    expect(await (await door(new Request(url))).text()).toBe(url);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
const TUNNEL = { fetch: async (request: Request) => new Response(request.url) };

describe('an address on the list', () => {
  test.each<[entry: string, url: string]>([
    ['10.0.0.0/8:9100', 'http://10.1.2.3:9100/metrics'],
    ['10.0.0.0/8', 'http://10.255.255.255/'],
    ['10.0.0.0/8', 'https://10.0.0.1:1/'],
    ['10.1.2.3', 'http://10.1.2.3/'],
    ['10.1.2.3', 'http://0xa.0x1.0x203/'],
    ['192.168.4.0/22:80', 'http://192.168.7.255/'],
    ['0.0.0.0/0:443', 'https://1.2.3.4/'],
    ['[fd00::/8]:9000-9999', 'http://[fd12:3456::1]:9100/'],
    ['[fd00::1]', 'http://[fd00:0:0::1]:9100/'],
    ['[2001:db8::/33]', 'http://[2001:db8:7fff::]/'],
    ['[::ffff:10.0.0.1]', 'http://[::ffff:10.0.0.1]/'],
    ['*.internal', 'http://a.b.internal:8080/'],
    ['*.internal:8080', 'http://A.INTERNAL:8080/'],
    ['db.internal', 'http://db.internal./'],
    ['DB.internal.:80-90', 'http://db.internal:90/'],
    ['bücher.example', 'http://xn--bcher-kva.example/'],
  ])('%s: %s', async (entry, url) => {
    expect(await refusal(['other.test', entry], new URL(url).href, TUNNEL)).toBeNull();
  });
});

describe('an address that is not', () => {
  test.each<[entry: string, url: string]>([
    ['10.0.0.0/8:9100', 'http://10.1.2.3:9101/'],
    ['10.0.0.0/8:9100', 'http://10.1.2.3/'],
    ['10.0.0.0/8:9100', 'http://11.1.2.3:9100/'],
    ['10.0.0.0/8:9100', 'http://10.evil.test:9100/'],
    ['10.0.0.0/8:9100', 'http://[::ffff:10.1.2.3]:9100/'],
    ['10.1.2.3/32', 'http://10.1.2.2/'],
    ['192.168.4.0/22', 'http://192.168.8.0/'],
    ['[fd00::/8]', 'http://[fe80::1]/'],
    ['[2001:db8::/33]', 'http://[2001:db8:8000::]/'],
    ['*.internal', 'http://internal/'],
    ['*.internal', 'http://xinternal/'],
    ['*.internal', 'http://internal.evil.test/'],
    ['*.internal', 'http://10.0.0.1/'],
    ['db.internal', 'http://a.db.internal/'],
    ['db.internal:80-90', 'http://db.internal:91/'],
    ['db.internal', 'http://user@evil.test/?db.internal'],
  ])('%s: %s', async (entry, url) => {
    const { username, href } = new URL(url);
    const asked = username === '' ? href : href.replace(`${username}@`, '');
    expect(await refusal([entry], asked, TUNNEL)).toBe(
      'not on the list of "TUNNEL" in NARTHEX_VPC, so it is not asked through that binding',
    );
  });
});

test('what has no labels goes through the first binding that lists it', () => {
  const networks = parseNetworks("{ A: [10.0.0.0/8], B: ['10.0.0.1', '*.b.test:443'] }");
  expect(bindingFor(networks, 'http://10.0.0.1/x')).toBe('A');
  expect(bindingFor(networks, 'https://k.b.test/api')).toBe('B');
  expect(bindingFor(networks, 'http://k.b.test/api')).toBeNull();
  expect(bindingFor(parseNetworks(''), 'http://a/')).toBeNull();
});

test('what is not there is no way', async () => {
  expect(await refusal(parseNetworks(''), 'http://a/', TUNNEL)).toBe(
    'NARTHEX_VPC lists no addresses for a binding "TUNNEL": it is no way into a private network',
  );
  for (const bound of [undefined, null, 'text', { idFromName: () => 1 }]) {
    expect(await refusal(['a'], 'http://a/', bound)).toBe(
      'the deployment has no binding "TUNNEL" (vpc_networks or vpc_services in wrangler.toml)',
    );
  }
});

test('mistakes are all reported, and a list with one is not there', () => {
  const { bindings, problems } = parseNetworks(`FINE: [a.test]
WRONG:
  - 10.0.0.0/33
  - 010.0.0.1
  - 10.0.0.1:99999
  - a:90-80
  - 'http://a/'
  - '*'
  - '*.*.a'
  - fd00::1
  - [fd00::1]
  - 167772161
  - {}
  - ''
EMPTY:
TEXT: a
`);
  expect([...bindings.keys()]).toEqual(['FINE']);
  expect(problems).toHaveLength(14);
  expect(problems[0]).toBe(
    'NARTHEX_VPC:3:5: WRONG[0]: expected an address like 10.0.0.0/8:9100 or *.internal:8080, got "10.0.0.0/33"',
  );
  expect(problems.at(-1)).toContain('TEXT: expected a list of addresses, got "a"');
  expect(parseNetworks('[a]').problems[0]).toContain('expected a mapping of bindings to lists of addresses');
  expect(parseNetworks('{').problems).not.toEqual([]);
});
