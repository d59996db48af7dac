import { createVerify, generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import type { OAuth2Config } from '../../src/config/model.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { AuthDoors } from '../../src/credentials/tokens.ts';
import { bearer } from '../../src/credentials/oauth2.ts';
import { forget } from '../../src/credentials/tokens.ts';

const T0 = Date.UTC(2026, 10, 22);
const config: OAuth2Config = {
  clientId: 'me:and%you',
  clientSecret: 'hunter2',
  tokenUrl: 'https://id.example.com/token',
  scopes: ['write', 'more'],
  endpointParams: [['resource', 'a b']],
};

/** A token server that answers with `answer`, and what it was asked. */
function server(answer: (request: Request, n: number) => Response | Promise<Response>) {
  const asked: { authorization: string | null; params: Record<string, string> }[] = [];
  let nowMs = T0;
  const doors: AuthDoors = {
    clock: { now: () => nowMs, sleepUntil: () => Promise.resolve() },
    tokens: new Map(),
    fetch: async (request) => {
      expect(request.method).toBe('POST');
      expect(request.headers.get('Content-Type')).toBe('application/x-www-form-urlencoded');
      const params = Object.fromEntries(new URLSearchParams(await request.clone().text()));
      asked.push({ authorization: request.headers.get('Authorization'), params });
      return answer(request, asked.length);
    },
  };
  return { doors, asked, pass: (ms: number) => (nowMs += ms) };
}

const token = (n: number): Response => Response.json({ access_token: `t${n}`, token_type: 'Bearer', expires_in: 3600 });

it('asks with client credentials, and again only when the token has nearly expired or was refused', async () => {
  const { doors, asked, pass } = server((_, n) => token(n));
  expect(await bearer(config, doors)).toBe('t1');
  expect(asked[0]).toEqual({
    authorization: `Basic ${btoa('me%3Aand%25you:hunter2')}`,
    params: { grant_type: 'client_credentials', scope: 'write more', resource: 'a b' },
  });
  pass(3_580_000);
  expect(await bearer(config, doors)).toBe('t1');
  expect(await bearer({ ...config, scopes: [] }, doors)).toBe('t2');
  pass(15_000);
  expect(await bearer(config, doors)).toBe('t3');
  expect([forget(config, doors.tokens), forget(config, doors.tokens)]).toEqual([true, false]);
  expect(await bearer(config, doors)).toBe('t4');
});

it('sends the secret in the body to a server that takes no Basic', async () => {
  const { doors, asked } = server((request, n) =>
    request.headers.has('Authorization') ? new Response('', { status: 401 }) : token(n),
  );
  expect(await bearer(config, doors)).toBe('t2');
  expect(asked[1]).toMatchObject({
    authorization: null,
    params: { client_id: 'me:and%you', client_secret: 'hunter2' },
  });
});

it.each([
  ['an error', () => Response.json({ error: 'invalid_client' }, { status: 400 }), /answered 400: .*invalid_client/],
  ['no JSON', () => new Response('hello'), /answered 200: without an access_token/],
  ['JSON null', () => new Response('null'), /without an access_token/],
  ['a token with a line break', () => Response.json({ access_token: 'a\r\nb' }), /no header can hold/],
  ['a redirect', () => new Response(null, { status: 302, headers: { Location: 'http://evil' } }), /answered 302/],
])('%s is no token', async (_, answer, message) => {
  await expect(bearer(config, server(answer).doors)).rejects.toThrow(message);
});

it('signs an assertion that the key verifies (RFC 7523)', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const { doors, asked } = server((_, n) => token(n));
  const jwt = { key: pem, keyId: 'k1', algorithm: 'RS256', issuer: '', audience: '', claims: [['tier', '1']] } as const;
  const clientId = 'narthex@project.iam.gserviceaccount.com';
  expect(await bearer({ ...config, clientId, jwt }, doors)).toBe('t1');
  const { authorization, params } = asked[0]!;
  expect([authorization, params['grant_type']]).toEqual([null, 'urn:ietf:params:oauth:grant-type:jwt-bearer']);
  const [header, claims, signature] = params['assertion']!.split('.') as [string, string, string];
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  expect(read(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' });
  const iat = T0 / 1000;
  const aud = config.tokenUrl;
  expect(read(claims)).toEqual({
    iss: clientId,
    sub: clientId,
    aud,
    scope: 'write more',
    iat,
    exp: iat + 3600,
    tier: '1',
  });
  const verify = createVerify('RSA-SHA256').update(`${header}.${claims}`);
  expect(verify.verify(publicKey, signature, 'base64url')).toBe(true);
  await expect(bearer({ ...config, jwt: { ...jwt, key: 'hunter2' } }, doors)).rejects.toThrow(
    /^client_certificate_key is not a PKCS #8/,
  );
});

it('is what azuread becomes', () => {
  const loaded = loadConfig(`
remote_write:
  - url: https://metrics.example.com/write
    azuread:
      cloud: AzureGovernment
      oauth: { client_id: a, client_secret: b, tenant_id: c/d }
`);
  expect(loaded).toMatchObject({
    ok: true,
    config: {
      remoteWrites: [
        {
          oauth2: {
            clientId: 'a',
            clientSecret: 'b',
            tokenUrl: 'https://login.microsoftonline.us/c%2Fd/oauth2/v2.0/token',
            scopes: ['https://monitor.azure.us//.default'],
          },
        },
      ],
    },
  });
});
