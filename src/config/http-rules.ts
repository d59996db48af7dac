/** The rules of a section that makes HTTP requests: whom they are from, and their headers. */

import type { Path } from './positions.ts';
import { quote } from './problems.ts';
import { type NoMeaning, type Report, unique } from './report.ts';
import type { Mapping } from './tree.ts';
import { mapping } from './values.ts';

/** `enable_http2` of any section. */
export const HTTP2_NO_MEANING: NoMeaning = [['enable_http2'], 'Workers choose the HTTP version themselves'];

/** `headers` is the key under which its headers stand. */
export function checkHttp(section: Mapping, headers: string, path: Path, report: Report): void {
  checkAuth(section, path, report);
  checkIdentity(section, path, report);
  checkHeaders(section, headers, path, report);
}

function checkAuth(section: Mapping, path: Path, report: Report): void {
  const at = [...path, 'authorization'];
  const authorization = section['authorization'];
  if (authorization === undefined) return;
  if (section['basic_auth'] !== undefined) {
    report(at, { expected: 'basic_auth or authorization', got: 'both', part: 'key' });
  }
  if (typeof authorization !== 'object' || Array.isArray(authorization)) return;
  // Of its other keys, credentials_file and the like, the schema says that they are not supported.
  const others = Object.keys(authorization).filter((key) => key !== 'type');
  if (authorization['credentials'] === undefined && others.every((key) => key === 'credentials'))
    report([...at, 'credentials'], { expected: 'credentials' });
}

/** A request says in one way who it is from. */
function checkIdentity(section: Mapping, path: Path, report: Report): void {
  const ways = ['basic_auth', 'authorization', 'bearer_token', 'oauth2', 'sigv4', 'azuread', 'google_iam'];
  const set = ways.filter((way) => section[way] !== undefined);
  // Of the first two the rule above speaks.
  const second = set.slice(1).find((way) => way !== 'authorization');
  if (second !== undefined) {
    report([...path, second], {
      expected: `at most one of ${ways.join(', ')}`,
      got: `${set.join(' and ')}`,
      part: 'key',
    });
  }
  const sigv4 = mapping(section['sigv4']);
  if (sigv4['external_id'] !== undefined && sigv4['role_arn'] === undefined)
    report([...path, 'sigv4', 'external_id'], { expected: 'role_arn beside it', part: 'key' });
  const oauth2 = mapping(section['oauth2']);
  const key = [...path, 'oauth2', 'client_certificate_key'];
  const isJwt = String(oauth2['grant_type']).endsWith(':jwt-bearer');
  const others = Object.keys(oauth2).some(
    (name) => name.startsWith('client_certificate_key_') && !name.endsWith('_id'),
  );
  if (isJwt && oauth2['client_certificate_key'] === undefined && !others) {
    report(key, { expected: 'a key in PEM: the grant is a signed JWT' });
  }
}

/** Header names are compared without case, so YAML does not see that two are the same. */
function checkHeaders(section: Mapping, key: string, path: Path, report: Report): void {
  const names = Object.keys(mapping(section[key]));
  unique(
    names.map((name) => name.toLowerCase()),
    (i) => [...path, key, names[i]!],
    (at) => report(at, { expected: 'each header once', got: `${quote(String(at.at(-1)))} again`, part: 'key' }),
  );
}
