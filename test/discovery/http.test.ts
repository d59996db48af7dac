import { describe, expect, test } from 'vitest';
import type { HttpDiscovery } from '../../src/config/model.ts';
import { loadConfig } from '../../src/config/load.ts';
import { discoveriesOf } from '../../src/discovery/discoveries.ts';
import { http } from '../../src/discovery/http.ts';
import { ANSWER_BYTES_MAX, TIMEOUT_MS_MAX } from '../../src/discovery/http-get.ts';
import { type Answers, json, NOW, plain, world } from './doors.ts';

const config: HttpDiscovery = {
  kind: 'http',
  url: 'https://sd.test/targets',
  followRedirects: true,
  refreshIntervalMs: 60_000,
};
const GROUPS = [
  { targets: ['a:1', 'b:2'], labels: { env: 'prod', __meta_x: 'y' } },
  { targets: [], labels: null },
  { targets: ['c'] },
];

const refusal = async (answer: Answers, over: Partial<HttpDiscovery> = {}): Promise<string> => {
  try {
    await http.refresh({ ...config, ...over }, world(answer).doors, []);
    return 'it was taken';
  } catch (error) {
    return (error as Error).message;
  }
};

test('groups get the URL as a label, and the request says who asks and how often', async () => {
  const { doors, asked } = world(json(GROUPS));
  const basicAuth = { username: 'u', password: 'p' };
  const { groups, error } = await http.refresh({ ...config, basicAuth }, doors, []);
  expect(error).toBeNull();
  expect(plain(groups)).toEqual([
    {
      source: 'https://sd.test/targets:0',
      labels: { env: 'prod', __meta_x: 'y', __meta_url: config.url },
      targets: [{ __address__: 'a:1' }, { __address__: 'b:2' }],
    },
    { source: 'https://sd.test/targets:1', labels: { __meta_url: config.url }, targets: [] },
    { source: 'https://sd.test/targets:2', labels: { __meta_url: config.url }, targets: [{ __address__: 'c' }] },
  ]);
  expect(asked).toEqual([
    {
      url: config.url,
      headers: {
        accept: 'application/json',
        authorization: `Basic ${btoa('u:p')}`,
        'user-agent': 'test',
        'x-prometheus-refresh-interval-seconds': '60',
      },
    },
  ]);
});

const typed = (type: string, text = '[]'): Response => new Response(text, { headers: { 'content-type': type } });

test.each(['application/json', 'Application/JSON; charset=utf-8', 'application/json;charset="utf-8"'])(
  'content type %s is taken',
  async (type) => {
    expect(await refusal(typed(type))).toBe('it was taken');
  },
);

test.each<[answer: Response | Error, refusal: string | RegExp]>([
  [new Response('no', { status: 500, statusText: 'Oops' }), 'server returned HTTP status 500 Oops'],
  [new Response('[]', { status: 204 + 2 }), /^server returned HTTP status 206/],
  [typed('text/html'), 'unsupported content type "text/html": it must be application/json'],
  [typed('application/json; charset=latin1'), /^unsupported content type/],
  [typed('application/json', '<html>'), 'the answer is not JSON: it begins with "<html>"'],
  [typed('application/json', '"\\ud8'), /^the answer is not JSON/],
  [json({}), 'expected a list of target groups, got a mapping'],
  [json([null]), 'nil target group item found'],
  [json([1]), 'group 0: expected a target group, got a number'],
  [json([{ targets: ['a'], more: 1 }]), 'group 0: unknown field "more"'],
  [json([{}, { targets: 'a' }]), 'group 1: targets is a string, not a list'],
  [json([{ targets: [1] }]), 'group 0: a target is a number, not a text'],
  [json([{ labels: [] }]), 'group 0: labels is a list, not a mapping'],
  [json([{ labels: { a: 1 } }]), 'group 0: label "a" is a number, not a text'],
  [json([{ labels: { '': 'a' } }]), 'group 0: "" is not a valid label name'],
  [new Error('no route'), 'cannot ask sd.test: no route'],
])('%# is refused', async (answer, reason) => {
  expect(await refusal(answer)).toEqual(typeof reason === 'string' ? reason : expect.stringMatching(reason));
});

test('bytes that are no text are refused', async () => {
  const bytes = new Response(new Uint8Array([0xff, 0xfe]), { headers: { 'content-type': 'application/json' } });
  expect(await refusal(bytes)).toBe('the answer is not UTF-8');
});

test('an empty list is one', async () => {
  expect((await http.refresh(config, world(json([])).doors, [])).groups).toEqual([]);
});

describe('it always ends', () => {
  test.each<[answer: Answers]>([
    ['hang'],
    [() => new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }))],
  ])('when nothing comes', async (answer) => {
    const { doors, clock } = world(answer);
    const asked = http.refresh(config, doors, []).catch((error: Error) => error.message);
    await clock.advanceTo(NOW + TIMEOUT_MS_MAX);
    expect(await asked).toBe('no complete answer within 30 s');
  });

  test('sooner when it is asked more often', async () => {
    const { doors, clock } = world('hang');
    const asked = http
      .refresh({ ...config, refreshIntervalMs: 5000 }, doors, [])
      .catch((error: Error) => error.message);
    await clock.advanceTo(NOW + 5000);
    expect(await asked).toBe('no complete answer within 5 s');
  });

  test('when too much comes', async () => {
    const part = new Uint8Array(1_000_000);
    let cancelled = false;
    const endless = (): Response =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(part),
          cancel: () => {
            cancelled = true;
          },
        }),
      );
    expect(await refusal(endless)).toContain(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    expect(cancelled).toBe(true);
  });
});

describe('redirects', () => {
  const to = (location: string): Response => new Response(null, { status: 302, headers: { location } });

  test('are followed; another origin gets no configured header', async () => {
    const authorization = { type: 'Bearer', credentials: 'hunter2' };
    const { doors, asked } = world((request) => {
      const { host, pathname } = new URL(request.url);
      if (host === 'other.test') return to('https://sd.test/end');
      return pathname === '/end' ? json(GROUPS) : pathname === '/targets' ? to('/moved') : to('https://other.test/');
    });
    await http.refresh({ ...config, authorization }, doors, []);
    expect(asked.map(({ url, headers }) => [url, headers['authorization']])).toEqual([
      ['https://sd.test/targets', 'Bearer hunter2'],
      ['https://sd.test/moved', 'Bearer hunter2'],
      ['https://other.test/', undefined],
      ['https://sd.test/end', undefined],
    ]);
  });

  test.each(['http://self/', 'ftp://a/', 'http://['])('to %s are not followed', async (location) => {
    expect(await refusal(to(location))).toBe(`redirected to ${JSON.stringify(location)}, which is not followed`);
  });

  test('end', async () => {
    expect(await refusal(to('/again'))).toBe('more than 10 redirects');
    expect(await refusal(to('/again'), { followRedirects: false })).toMatch(/^server returned HTTP status 302/);
  });
});

describe('who asks', () => {
  const oauth2 = {
    clientId: 'me',
    clientSecret: 'hunter2',
    tokenUrl: 'https://id.test/token',
    scopes: [],
    endpointParams: [],
  };
  const httpHeaders = [
    ['X-Team', 'blue'],
    ['X-Team', 'green'],
  ] as const;

  test('is said by a token of OAuth 2.0, asked for once, and by headers', async () => {
    const { doors, asked } = world(({ url }) => (url === oauth2.tokenUrl ? json({ access_token: 't' }) : json(GROUPS)));
    await http.refresh({ ...config, oauth2, httpHeaders }, doors, []);
    await http.refresh({ ...config, oauth2, httpHeaders }, doors, []);
    expect(asked.map(({ url }) => url)).toEqual([oauth2.tokenUrl, config.url, config.url]);
    expect(asked[0]!.headers).not.toHaveProperty('x-team');
    expect(asked[2]!.headers).toMatchObject({ authorization: 'Bearer t', 'x-team': 'blue, green' });
  });

  test('a token that is refused is asked for anew, once', async () => {
    let given = 0;
    const { doors, asked } = world(({ url }) =>
      url === oauth2.tokenUrl ? json({ access_token: `t${++given}` }) : json({}, 401),
    );
    await expect(http.refresh({ ...config, oauth2 }, doors, [])).rejects.toThrow('HTTP status 401');
    expect(asked.map(({ headers }) => headers['authorization'])).toEqual([
      expect.any(String),
      'Bearer t1',
      expect.any(String),
      'Bearer t2',
    ]);
  });

  test('is no one elsewhere: a redirect to another origin gets neither', async () => {
    const { doors, asked } = world(({ url }) => {
      if (url === oauth2.tokenUrl) return json({ access_token: 't' });
      return url === config.url
        ? new Response(null, { status: 302, headers: { location: 'https://other.test/' } })
        : json(GROUPS);
    });
    await http.refresh({ ...config, oauth2, httpHeaders }, doors, []);
    expect(Object.keys(asked.at(-1)!.headers)).not.toContain('authorization');
    expect(Object.keys(asked.at(-1)!.headers)).not.toContain('x-team');
  });

  test('asks the same question whoever asks it: what was found stays when credentials change', () => {
    const load = (more: string): string[] => {
      const loaded = loadConfig(
        `scrape_configs: [{ job_name: a, http_sd_configs: [{ url: 'https://sd.test/'${more} }] }]`,
      );
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
      return discoveriesOf(loaded.config).map(({ key }) => key);
    };
    expect(
      load(", http_headers: { X: { values: [a] } }, oauth2: { client_id: a, token_url: 'https://id.test/' }"),
    ).toEqual(load(''));
    expect(load(', bearer_token: x')).toEqual(load(''));
  });
});
