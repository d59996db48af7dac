/** Moves a remote back in the log, so that it gets again what the log still has: also how a new remote begins elsewhere than at the end. */

import type { Api } from './api.ts';

/** `remote rewind NAME --to beginning|TIME`. */
export async function remoteRewind(api: Api, name: string, to: string): Promise<void> {
  const path = `/api/v1/admin/remotes/rewind?${new URLSearchParams({ name, to })}`;
  const answer = await api.call('POST', path);
  if (answer.status !== 200) throw api.failure('POST', path, answer);
  const { records, samples } = answer.data as { records: number; samples: number };
  console.log(`${name}: ${samples} samples in ${records} ${records === 1 ? 'record' : 'records'} go out again`);
}
