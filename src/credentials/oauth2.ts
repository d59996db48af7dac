/**
 * OAuth 2.0: client credentials (RFC 6749, 4.4) and the JWT bearer grant (RFC 7523), which is how Google's service accounts get their tokens.
 */

import type { OAuth2Config } from '../config/model.ts';
import { firstWords } from '../model/body.ts';
import { basic } from './basic.ts';
import { ANSWER_CHARS_MAX, type AuthDoors, type Token, tokenFor } from './tokens.ts';

/** For a server that does not say how long (RFC 6749, 5.1: RECOMMENDED). */
const DEFAULT_LIFE_S = 300;
/** How long an assertion of ours may be used. */
const ASSERTION_LIFE_S = 3600;
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** A token that is valid now. Throws an Error with the token server's words when there is none to be had. */
export const bearer = (config: OAuth2Config, doors: AuthDoors): Promise<string> =>
  tokenFor(config, doors, (nowMs) => newToken(config, doors, nowMs));

async function newToken(config: OAuth2Config, { fetch }: AuthDoors, nowMs: number): Promise<Token> {
  const params = new URLSearchParams(config.endpointParams.map(([name, value]) => [name, value]));
  let secrets: Record<string, string>;
  const headers = new Headers({ 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' });
  if (config.jwt === undefined) {
    params.set('grant_type', 'client_credentials');
    if (config.scopes.length > 0) params.set('scope', config.scopes.join(' '));
    secrets = { client_id: config.clientId, client_secret: config.clientSecret };
    // RFC 6749, 2.3.1: both are form-encoded before they are joined.
    headers.set('Authorization', basic(encodeURIComponent(config.clientId), encodeURIComponent(config.clientSecret)));
  } else {
    params.set('grant_type', JWT_BEARER);
    secrets = { assertion: await assertion(config, config.jwt, nowMs) };
    for (const [name, value] of Object.entries(secrets)) params.set(name, value);
  }
  const ask = (): Promise<Response> =>
    fetch(
      new Request(config.tokenUrl, {
        method: 'POST',
        headers,
        body: params.toString(),
        redirect: 'manual',
      }),
    );
  let response = await ask();
  if (response.status >= 400 && response.status < 500 && headers.has('Authorization')) {
    // Some servers take a client's secret only in the body (RFC 6749 lets them): as Go does, the other way is tried.
    await response.body?.cancel();
    headers.delete('Authorization');
    for (const [name, value] of Object.entries(secrets)) params.set(name, value);
    response = await ask();
  }
  return await tokenOf(response, nowMs);
}

async function tokenOf(response: Response, nowMs: number): Promise<Token> {
  const text = await firstWords(response.body, ANSWER_CHARS_MAX);
  let answer: Record<string, unknown> = {};
  try {
    answer = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    // Said below.
  }
  const token = answer['access_token'];
  if (!response.ok || typeof token !== 'string' || token === '') {
    // A failed answer holds no token: what it says may be shown.
    const said = response.ok ? 'without an access_token' : text.slice(0, 300);
    throw new Error(`the token server answered ${response.status}${said === '' ? '' : `: ${said}`}`);
  }
  const lifeS = Number(answer['expires_in']);
  if (/[^\x21-\x7e]/.test(token)) throw new Error('the token server answered with a token that no header can hold');
  return { token, untilMs: nowMs + (Number.isFinite(lifeS) && lifeS > 0 ? lifeS : DEFAULT_LIFE_S) * 1000 };
}

const HASHES = { RS256: 'SHA-256', RS384: 'SHA-384', RS512: 'SHA-512' } as const;

/** A signed JWT that says who asks (RFC 7523, 3). */
async function assertion(config: OAuth2Config, jwt: NonNullable<OAuth2Config['jwt']>, nowMs: number): Promise<string> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: HASHES[jwt.algorithm] };
  const key = await crypto.subtle.importKey('pkcs8', pkcs8(jwt.key), algorithm, false, ['sign']);
  const iat = Math.floor(nowMs / 1000);
  const header = { alg: jwt.algorithm, typ: 'JWT', ...(jwt.keyId === '' ? {} : { kid: jwt.keyId }) };
  const claims = {
    ...Object.fromEntries(jwt.claims),
    iss: jwt.issuer || config.clientId,
    sub: config.clientId,
    aud: jwt.audience || config.tokenUrl,
    ...(config.scopes.length > 0 ? { scope: config.scopes.join(' ') } : {}),
    iat,
    exp: iat + ASSERTION_LIFE_S,
  };
  const utf8 = new TextEncoder();
  const signed = [header, claims].map((part) => base64url(utf8.encode(JSON.stringify(part)))).join('.');
  const bytes = await crypto.subtle.sign(algorithm.name, key, utf8.encode(signed));
  return `${signed}.${base64url(new Uint8Array(bytes))}`;
}

/** The bytes of a key in PEM. Throws without a word of the key. */
function pkcs8(pem: string): Uint8Array {
  const base64 = /-----BEGIN PRIVATE KEY-----([^-]*)-----END PRIVATE KEY-----/.exec(pem)?.[1];
  if (base64 === undefined) throw new Error('client_certificate_key is not a PKCS #8 key in PEM (BEGIN PRIVATE KEY)');
  try {
    return Uint8Array.from(atob(base64.replace(/\s/g, '')), (char) => char.charCodeAt(0));
  } catch {
    throw new Error('client_certificate_key is not valid base64');
  }
}

const base64url = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
