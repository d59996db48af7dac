/** Which places of a configuration hold secrets. What is secret here is neither repeated in a report nor shown on a page. */

import type { Path } from './positions.ts';

export const SECRET = '<secret>';

/** Everything under these is secret, but for the names listed: who one is may be shown, how one proves it may not. */
const SECTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['basic_auth', ['username', 'username_file', 'password_file']],
  ['authorization', ['type', 'credentials_file']],
  [
    'oauth2',
    'client_id client_secret_file client_certificate_key_file client_certificate_key_id scopes token_url grant_type signature_algorithm iss audience'.split(
      ' ',
    ),
  ],
  ['endpoint_params', []],
  ['claims', []],
  ['sigv4', ['region', 'profile', 'role_arn', 'service_name', 'use_fips_sts_endpoint']],
  ['azuread', ['cloud', 'scope']],
  ['oauth', []],
  ['google_iam', ['credentials_file']],
  ['headers', []],
  ['proxy_connect_header', []],
]);

/** Has a section of each header below it. */
const HTTP_HEADERS = 'http_headers';

/** Secret wherever they stand. */
const KEYS: ReadonlySet<string> = new Set([
  'password',
  'credentials',
  'bearer_token',
  'client_secret',
  'client_certificate_key',
  'secret_key',
  'token',
  'key',
]);

/** Whose keys are the user's own words. */
const FREE: ReadonlySet<string> = new Set(['labels', 'external_labels', 'params', 'node_meta']);

/** True when the value at this path is a secret, or a whole section that holds some. */
export function isSecret(path: Path): boolean {
  for (const [i, segment] of path.entries()) {
    if (typeof segment !== 'string') continue;
    if (FREE.has(segment)) return false;
    if (KEYS.has(segment)) return true;
    // Of a header, only what stands under `values` and `files` may be shown.
    if (segment === HTTP_HEADERS) return !['values', 'files'].includes(String(path[i + 2]));
    const shown = SECTIONS.get(segment);
    if (shown === undefined) continue;
    const next = path[i + 1];
    return !(typeof next === 'string' && shown.includes(next));
  }
  return false;
}

/** A path as far as it may be shown: keys inside a secret may be secrets. */
export function shownPath(path: Path): Path {
  const secret = path.findIndex((segment, i) => KEYS.has(String(segment)) && isSecret(path.slice(0, i + 1)));
  return secret === -1 ? path : path.slice(0, secret + 1);
}

/** True when the last segment names a section of which parts may be shown. */
export function isSection(path: Path): boolean {
  const [above, last] = [path.at(-2), path.at(-1)];
  return SECTIONS.has(String(last)) || last === HTTP_HEADERS || above === HTTP_HEADERS;
}

/** A text without what could be a user and password before an "@", for a report about a text that is wrong. */
export function withoutUserinfo(text: string): string {
  const at = text.lastIndexOf('@');
  if (at === -1) return text;
  const slashes = text.slice(0, at).indexOf('//');
  return `${slashes === -1 ? '' : text.slice(0, slashes + 2)}${SECRET}${text.slice(at)}`;
}

/** A URL without its user and password; any other text as it is. */
export function urlWithoutUserinfo(text: string): string {
  if (!text.includes('//') || !text.includes('@')) return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.username === '' && url.password === '' ? text : withoutUserinfo(text);
}
