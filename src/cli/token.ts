/** Makes an access token. Nothing is stored: the token is shown once, its digest goes into a secret of the deployment. */

import { createHash, randomBytes } from 'node:crypto';
import { parseTokens } from '../http/tokens.ts';
import { DEFAULT_TENANT } from '../model/tenant.ts';
import { UsageError } from './failure.ts';

export interface TokenOptions {
  /** `write`, `read`, `admin`, separated by commas. */
  readonly roles: string;
  readonly tenant: string | undefined;
  readonly name: string | undefined;
}

/** `token new`. */
export function tokenNew(options: TokenOptions): void {
  const token = `nx_${randomBytes(32).toString('base64url')}`;
  const line = secretLine(token, options);
  console.log(`Token (shown only now):

  ${token}

Its line for the secret NARTHEX_TOKENS, which holds only a digest of it:

  ${line}

Set it:  echo '${line.replaceAll("'", String.raw`'\''`)}' | npx wrangler secret put NARTHEX_TOKENS

That replaces what the secret holds. It may hold many lines; a secret of another name that begins with NARTHEX_TOKENS
(say NARTHEX_TOKENS_2) is read as well.`);
}

/** `name roles tenant sha256:…`, checked by the very code that will read it. */
export function secretLine(token: string, { roles, tenant = DEFAULT_TENANT, name }: TokenOptions): string {
  const digest = createHash('sha256').update(token).digest('hex');
  for (const [option, value] of Object.entries({ name, role: roles, tenant })) {
    if (value !== undefined && (value === '' || /\s/.test(value)))
      throw new UsageError(`--${option} ${JSON.stringify(value)}: it may not be empty or hold spaces`);
  }
  const line = `${name ?? defaultName(roles, tenant)} ${roles} ${tenant} sha256:${digest}`;
  const problem = parseTokens([line]).problems[0];
  if (problem !== undefined)
    throw new UsageError(
      problem
        .replace(/^.*?: /, '')
        .replace(/; [^;]*$/, '')
        .replace(/ \(field \d\)/, ''),
    );
  return line;
}

/** Tells tokens apart in answers that refuse one. Tenants may have characters, and lengths, that names may not. */
function defaultName(roles: string, tenant: string): string {
  const base = `${tenant}-${roles.replaceAll(',', '-')}`.replaceAll(/[^A-Za-z0-9._@-]/g, '').slice(0, 57);
  return `${base.replace(/^[^A-Za-z0-9]+/, '')}-${randomBytes(3).toString('hex')}`;
}
