/** Secrets for a deployment on this machine: environment variables `NARTHEX_SECRET_<NAME>` are its secrets `<NAME>`. */

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

/** As a configuration asks for them. */
export const lookup =
  (secrets: LocalSecrets): Secrets =>
  (name) =>
    Object.hasOwn(secrets, name) ? secrets[name] : undefined;
