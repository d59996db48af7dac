/** Puts a configuration in force: checked here, checked again there, stored under the next version. */

import type { Problem } from '../config/load.ts';
import type { ConfigSource } from '../config/model.ts';
import type { Api } from './api.ts';
import { readChecked, type CheckedConfig } from './config-check.ts';
import { Failure } from './failure.ts';

/** What the API tells of the configuration in force. */
export interface InForce {
  readonly version: number;
  readonly source: ConfigSource;
  /** ISO 8601; null for the bundled one. */
  readonly pushedAt: string | null;
  /** Of a push. */
  readonly warnings?: readonly Problem[];
}

const PATH = '/api/v1/admin/config';

/** `config push FILE`. */
export async function configPush(api: Api, file: string): Promise<void> {
  const checked = await readChecked(file);
  const { files } = checked;
  const inForce = await pushConfig(api, checked);
  const along = files.length === 0 ? '' : ` with ${files.map(({ name }) => name).join(', ')}`;
  console.log(`${file}: pushed${along}, in force from the next run on as ${describeVersion(inForce)}`);
}

/** Throws the report when the deployment finds problems that were not found here. What it warns of goes to stderr. */
export async function pushConfig(api: Api, config: CheckedConfig, headers = {}): Promise<InForce> {
  const { text, files, report, reported } = config;
  const [type, body] =
    files.length === 0
      ? ['text/yaml', text]
      : [
          'application/json',
          JSON.stringify({ config: text, files: Object.fromEntries(files.map((one) => [one.name, one.text])) }),
        ];
  const answer = await api.call('PUT', PATH, { body, headers: { 'content-type': type, ...headers } });
  if (answer.status === 200) {
    const inForce = answer.data as InForce;
    const warnings = report(inForce.warnings ?? [])
      .split('\n')
      .filter((line) => !reported.includes(line));
    if (warnings.length > 0) console.error(warnings.join('\n'));
    return inForce;
  }
  const { problems } = (answer.data ?? {}) as { problems?: readonly Problem[] };
  if (problems === undefined) throw api.failure('PUT', PATH, answer);
  throw new Failure(report(problems));
}

export function describeVersion({ version, source, pushedAt }: InForce): string {
  if (source === 'bundled') return 'the prometheus.yml of the package';
  return `version ${version} (${source}${pushedAt === null ? '' : `, ${pushedAt}`})`;
}
