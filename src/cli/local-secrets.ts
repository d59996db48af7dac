/**
 * What a deployment on this machine is bound to by the environment: `NARTHEX_SECRET_<NAME>` are its secrets `<NAME>`, and its own variables are
 * those of the same name, which win over what `wrangler.toml` says.
 */

import { isSecretName, type Secrets } from '../config/references.ts';

const PREFIX = 'NARTHEX_SECRET_';

export type LocalSecrets = Readonly<Record<string, string>>;

export function localSecrets(environment: Readonly<Record<string, string | undefined>> = process.env): LocalSecrets {
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const secret = name.slice(PREFIX.length);
    if (name.startsWith(PREFIX) && value !== undefined && isSecretName(secret)) secrets[secret] = value;
  }
  return secrets;
}

const VARIABLES = ['NARTHEX_ENABLE_FEATURE', 'NARTHEX_LIMITS', 'NARTHEX_LOG_BYTES_MAX', 'NARTHEX_DNS_URL'] as const;

export function localVariables(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<Record<string, string>> {
  const set = VARIABLES.filter((name) => environment[name] !== undefined);
  return Object.fromEntries(set.map((name) => [name, environment[name]!]));
}

/** As a configuration asks for them. */
export const lookup =
  (secrets: LocalSecrets): Secrets =>
  (name) =>
    Object.hasOwn(secrets, name) ? secrets[name] : undefined;
