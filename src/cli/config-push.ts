/** Puts a configuration in force: checked here, checked again there, stored under the next version. */

import type { Problem } from '../config/load.ts';
import type { ConfigSource } from '../config/model.ts';
import type { Api } from './api.ts';
import { readChecked, type ConfigFile } from './config-check.ts';
import { Failure } from './failure.ts';

/** What the API tells of the configuration in force. */
export interface InForce {
  readonly version: number;
  readonly source: ConfigSource;
  /** ISO 8601; null for the bundled one. */
  readonly pushedAt: string | null;
}

const PATH = '/api/v1/admin/config';

/** `config push FILE`. */
export async function configPush(api: Api, file: string): Promise<void> {
  const inForce = await pushConfig(api, await readChecked(file));
  console.log(`${file}: pushed, in force from the next run on as ${describeVersion(inForce)}`);
}

/** Throws the report when the deployment finds problems that were not found here. */
export async function pushConfig(api: Api, { file, text }: ConfigFile, headers = {}): Promise<InForce> {
  const answer = await api.call('PUT', PATH, { body: text, headers: { 'content-type': 'text/yaml', ...headers } });
  if (answer.status === 200) return answer.data as InForce;
  const { problems } = (answer.data ?? {}) as { problems?: readonly Problem[] };
  if (problems === undefined) throw api.failure('PUT', PATH, answer);
  const { formatProblems } = await import('../config/load.ts');
  throw new Failure(formatProblems(file, problems));
}

export function describeVersion({ version, source, pushedAt }: InForce): string {
  if (source === 'bundled') return 'the prometheus.yml of the package';
  return `version ${version} (${source}${pushedAt === null ? '' : `, ${pushedAt}`})`;
}
