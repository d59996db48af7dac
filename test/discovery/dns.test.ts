import { expect, test } from 'vitest';
import type { DnsDiscovery } from '../../src/config/model.ts';
import { dns } from '../../src/discovery/dns.ts';
import { addresses, json, plain, world } from './doors.ts';

const config = (over: Partial<DnsDiscovery> = {}): DnsDiscovery => ({
  kind: 'dns',
  names: ['web.test'],
  type: 'SRV',
  port: 0,
  refreshIntervalMs: 30_000,
  ...over,
});
const answer = (type: number, ...data: string[]): Response =>
  json({ Status: 0, TC: false, Answer: data.map((one) => ({ name: 'web.test', type, TTL: 60, data: one })) });

const RECORDS: [type: DnsDiscovery['type'], number: number, data: string[], targets: Record<string, string>[]][] = [
  [
    'SRV',
    33,
    ['10 5 9100 b.web.test.', '10 5 9100 a.web.test'],
    [
      {
        __address__: 'a.web.test:9100',
        __meta_dns_name: 'web.test',
        __meta_dns_srv_record_port: '9100',
        __meta_dns_srv_record_target: 'a.web.test.',
      },
      {
        __address__: 'b.web.test:9100',
        __meta_dns_name: 'web.test',
        __meta_dns_srv_record_port: '9100',
        __meta_dns_srv_record_target: 'b.web.test.',
      },
    ],
  ],
  ['A', 1, ['192.0.2.1'], [{ __address__: '192.0.2.1:80', __meta_dns_name: 'web.test' }]],
  ['AAAA', 28, ['2001:db8::1'], [{ __address__: '[2001:db8::1]:80', __meta_dns_name: 'web.test' }]],
  [
    'MX',
    15,
    ['10 mail.test.'],
    [{ __address__: 'mail.test:80', __meta_dns_name: 'web.test', __meta_dns_mx_record_target: 'mail.test.' }],
  ],
  [
    'NS',
    2,
    ['ns.test.'],
    [{ __address__: 'ns.test:80', __meta_dns_name: 'web.test', __meta_dns_ns_record_target: 'ns.test.' }],
  ],
];

test.each(RECORDS)('%s records become targets', async (type, number, data, targets) => {
  const { doors, asked } = world(answer(number, ...data));
  const { groups, error } = await dns.refresh(config({ type, port: 80 }), doors, []);
  expect(error).toBeNull();
  expect(plain(groups)).toEqual([{ source: 'web.test', labels: {}, targets }]);
  expect(asked).toEqual([
    {
      url: `https://dns.test/dns-query?name=web.test&type=${type}`,
      headers: { accept: 'application/dns-json', 'user-agent': 'test' },
    },
  ]);
});

test('what is on the way to the records is passed over, and what does not exist has none', async () => {
  const cname = json({
    Status: 0,
    Answer: [
      { name: 'web.test', type: 5, data: 'real.test.' },
      { name: 'real.test', type: 1, data: '192.0.2.7' },
    ],
  });
  expect(addresses((await dns.refresh(config({ type: 'A', port: 1 }), world(cname).doors, [])).groups)).toEqual([
    '192.0.2.7:1',
  ]);
  const none = await dns.refresh(config(), world(json({ Status: 3 })).doors, []);
  expect([plain(none.groups), none.error]).toEqual([[{ source: 'web.test', labels: {}, targets: [] }], null]);
});

test.each<[answer: Response, error: string]>([
  [json({ Status: 2 }), 'bad.test: the resolver answered with code 2'],
  [json({}), 'bad.test: the resolver’s answer has no Status'],
  [json(null), 'bad.test: the resolver’s answer has no Status'],
  [json({ Status: 0, TC: true }), 'bad.test: the resolver’s answer was truncated'],
  [json({ Status: 0, Answer: 'x' }), 'bad.test: the resolver’s Answer is not a list'],
  [answer(33, '1 2 x'), 'bad.test: not a SRV record: "1 2 x"'],
  [answer(33, '1 2 port a.test.'), 'bad.test: not a SRV record: "1 2 port a.test."'],
  [new Response('x', { status: 503 }), 'bad.test: server returned HTTP status 503'],
])('a name that cannot be looked up keeps its last targets: %#', async (bad, error) => {
  const names = config({ names: ['good.test', 'bad.test'] });
  const before = await dns.refresh(names, world(answer(33, '1 1 1 old.test.')).doors, []);
  const { doors } = world((request) =>
    new URL(request.url).searchParams.get('name') === 'bad.test' ? bad : answer(33, '1 1 1 new.test.'),
  );
  const after = await dns.refresh(names, doors, before.groups);
  expect(addresses(after.groups)).toEqual(['new.test:1', 'old.test:1']);
  expect(after.error).toBe(error);
});
