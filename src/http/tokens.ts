/**
 * The lines of the secrets `NARTHEX_TOKENS…`, and finding whose token was sent. Only SHA-256 digests are stored, so reading
 * a secret gives nobody access. The one invariant: a line that is not well-formed never makes a token valid.
 *
 *     # name   roles         tenants     digest of the token
 *     grafana  read          anonymous   sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 *     gateway  write         acme,wile   sha256:…     # whichever X-Scope-OrgID names; acme when it names none
 */

import { textOf } from '../encoding/utf8.ts';
import { isTenant } from '../model/tenant.ts';

/** In a token's list of tenants: every tenant. */
export const ALL_TENANTS = '*';

export type Role = 'write' | 'read' | 'admin';

export interface Token {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Whose data it may reach: names, or `*` for all. The first is meant where a request names none. */
  readonly tenants: readonly string[];
  /** SHA-256 of the token, 32 bytes. */
  readonly digest: Uint8Array;
}

export interface Tokens {
  readonly tokens: readonly Token[];
  /** What is wrong with which line. Never holds a line's text: somebody may have pasted a token where its digest goes. */
  readonly problems: readonly string[];
}

const ROLES: readonly string[] = ['write', 'read', 'admin'] satisfies Role[];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const DIGEST = /^sha256:([0-9a-fA-F]{64})$/;

/** Reads all secrets. Blank lines and lines that begin with `#` are nothing; a malformed line is a problem, and skipped. */
export function parseTokens(secrets: readonly string[]): Tokens {
  const tokens: Token[] = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  secrets.forEach((secret, secretIndex) => {
    secret.split(/\r?\n/).forEach((line, lineIndex) => {
      const content = line.trim();
      if (content === '' || content.startsWith('#')) return;
      const parsed = parseLine(content, seen);
      if (typeof parsed !== 'string') tokens.push(parsed);
      else {
        const which = secrets.length > 1 ? ` (secret ${secretIndex + 1} of ${secrets.length})` : '';
        problems.push(`NARTHEX_TOKENS${which}, line ${lineIndex + 1}: ${parsed}; the line is ignored`);
      }
    });
  });
  return { tokens, problems };
}

/** A token, or what is wrong with the line. */
function parseLine(line: string, seen: Set<string>): Token | string {
  const fields = line.split(/\s+/);
  if (fields.length !== 4) return `expected 4 fields (name roles tenants sha256:…), got ${fields.length}`;
  const [name, roleList, tenantList, hash] = fields as [string, string, string, string];
  if (!NAME.test(name)) return 'the name (field 1) may hold letters, digits and ._@-, 64 at most';
  const roles = roleList.split(',');
  if (!roles.every((role) => ROLES.includes(role))) {
    return 'the roles (field 2) are write, read and admin, separated by commas without spaces';
  }
  const tenants = tenantList.split(',');
  if (!tenants.every((tenant) => tenant === ALL_TENANTS || isTenant(tenant))) {
    return "the tenants (field 3) are names of letters, digits and !._*'()-, 150 at most, or * for all, separated by commas without spaces";
  }
  const hex = DIGEST.exec(hash)?.[1]?.toLowerCase();
  if (hex === undefined) return 'the digest (field 4) is sha256: and 64 hexadecimal digits';
  if (seen.has(hex)) return 'the same token stands in an earlier line';
  seen.add(hex);
  return { name, roles: roles as Role[], tenants, digest: fromHex(hex) };
}

/** `Uint8Array.fromHex`, which Node 24 does not have yet. */
function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/**
 * The entry whose token was sent, or null. Every entry is compared to its last byte, so time says neither which one was
 * near nor how near: and what is compared are digests, which nobody can aim.
 */
export async function findToken(tokens: readonly Token[], sent: string): Promise<Token | null> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(sent)));
  let found: Token | null = null;
  for (const token of tokens) {
    let differing = 0;
    for (let i = 0; i < 32; i++) differing |= digest[i]! ^ token.digest[i]!;
    found = differing === 0 ? token : found;
  }
  return found;
}

/** What an `Authorization` header carries: a bearer token, or the password of basic auth (the user name is not looked at). */
export function sentToken(header: string | null): { scheme: 'bearer' | 'basic'; token: string } | null {
  const match = /^(bearer|basic) +([^ ]+) *$/i.exec(header ?? '');
  if (match === null) return null;
  const value = match[2]!;
  if (match[1]!.toLowerCase() === 'bearer') return { scheme: 'bearer', token: value };
  const decoded = base64Text(value);
  const colon = decoded?.indexOf(':') ?? -1;
  if (decoded === null || colon < 0 || colon === decoded.length - 1) return null;
  return { scheme: 'basic', token: decoded.slice(colon + 1) };
}

function base64Text(value: string): string | null {
  try {
    return textOf(Uint8Array.from(atob(value), (c) => c.charCodeAt(0)));
  } catch {
    return null;
  }
}
