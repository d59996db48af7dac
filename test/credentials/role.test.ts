import { expect, it } from 'vitest';
import type { SigV4Config } from '../../src/config/model.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { AuthDoors } from '../../src/credentials/tokens.ts';
import { authorize } from '../../src/credentials/authorize.ts';
import { signature } from '../../src/credentials/sigv4.ts';
import { remote } from '../forward/world.ts';

const T0 = Date.UTC(2026, 10, 22);
const HOUR = 3_600_000;
const ARN = 'arn:aws:iam::123456789012:role/writer';
const config: SigV4Config = {
  region: 'eu-central-1',
  accessKey: 'AKIDEXAMPLE',
  secretKey: 'hunter2',
  serviceName: 'aps',
  role: { arn: ARN, externalId: '', fips: false },
};
const request = { method: 'POST', url: 'https://aps.example/write', headers: {}, body: new Uint8Array([1]) };

/** As the service answers, its form as it documents it. */
const answer = (
  n: number,
  untilMs: number,
): string => `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser><Arn>${ARN}/narthex</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIA${n}</AccessKeyId>
      <SecretAccessKey>abc/+${n}</SecretAccessKey>
      <SessionToken>token/+${n}==</SessionToken>
      <Expiration>${new Date(untilMs).toISOString()}</Expiration>
    </Credentials>
  </AssumeRoleResult>
</AssumeRoleResponse>`;

function service(respond: (n: number) => Response) {
  const asked: { url: string; body: string; authorization: string | null }[] = [];
  let nowMs = T0;
  const doors: AuthDoors = {
    clock: { now: () => nowMs, sleepUntil: () => Promise.resolve() },
    tokens: new Map(),
    fetch: async (sent) => {
      const { url, headers } = sent;
      asked.push({ url, body: await sent.clone().text(), authorization: headers.get('Authorization') });
      return respond(asked.length);
    },
  };
  return { doors, asked, pass: (ms: number) => (nowMs += ms) };
}

it("signs with the role's keys, and asks again only when they have nearly expired", async () => {
  const { doors, asked, pass } = service((n) => new Response(answer(n, T0 + n * HOUR)));
  const aws = remote('aws', { sigv4: config });
  const headers = await authorize(aws, request, doors);
  expect(asked).toHaveLength(1);
  const { url, body, authorization } = asked[0]!;
  expect(url).toBe('https://sts.eu-central-1.amazonaws.com/');
  expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: ARN,
    RoleSessionName: 'narthex',
  });
  expect(authorization).toContain('Credential=AKIDEXAMPLE/20261122/eu-central-1/sts/aws4_request');
  expect(headers['X-Amz-Security-Token']).toBe('token/+1==');
  expect(headers['Authorization']).toMatch(
    /Credential=ASIA1\/20261122\/eu-central-1\/aps\/.*SignedHeaders=host;x-amz-date;x-amz-security-token,/,
  );
  const keys = { accessKey: 'ASIA1', secretKey: 'abc/+1', sessionToken: 'token/+1==' };
  expect(headers).toEqual(await signature(config, keys, request, T0));
  pass(HOUR - 11_000);
  await authorize(aws, request, doors);
  expect(asked).toHaveLength(1);
  pass(2_000);
  expect((await authorize(aws, request, doors))['X-Amz-Security-Token']).toBe('token/+2==');
  expect(asked).toHaveLength(2);
});

it.each([
  ['eu-west-1', true, 'https://sts-fips.eu-west-1.amazonaws.com/'],
  ['us-gov-west-1', true, 'https://sts.us-gov-west-1.amazonaws.com/'],
  ['cn-north-1', false, 'https://sts.cn-north-1.amazonaws.com.cn/'],
])('in %s, FIPS %s, it asks %s', async (region, fips, url) => {
  const { doors, asked } = service((n) => new Response(answer(n, T0 + HOUR)));
  const role = { arn: ARN, externalId: 'x y', fips };
  await authorize(remote('aws', { sigv4: { ...config, region, role } }), request, doors);
  expect(asked[0]!.url).toBe(url);
  expect(asked[0]!.body).toContain('ExternalId=x+y');
});

it.each([
  [
    'a refusal',
    () =>
      new Response(
        '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not allowed</Message></Error></ErrorResponse>',
        {
          status: 403,
        },
      ),
    `sts.eu-central-1.amazonaws.com answered 403 for role ${ARN}: not allowed`,
  ],
  ['something else', () => new Response('hello'), 'answered 200 for role .*: without keys'],
  ['keys that expire at no time', () => new Response(answer(1, T0).replace(/\d{4}-.*Z/, 'soon')), 'without keys'],
  ['a redirect', () => new Response(null, { status: 302, headers: { Location: 'http://evil' } }), 'answered 302'],
])('%s is no key', async (_, respond, message) => {
  const { doors } = service(respond);
  await expect(authorize(remote('aws', { sigv4: config }), request, doors)).rejects.toThrow(new RegExp(message));
});

it('is what sigv4 becomes', () => {
  const loaded = loadConfig(`
remote_write:
  - url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write
    sigv4: { region: eu-central-1, access_key: AKIDEXAMPLE, secret_key: hunter2, role_arn: '${ARN}' }
`);
  expect(loaded).toMatchObject({ ok: true, config: { remoteWrites: [{ sigv4: config }] } });
});
