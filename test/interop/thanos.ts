/** Runs Thanos on a folder of blocks, which is a bucket to it, and asks it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort, get, GiveUp, type Lab, peer, type Started, waitUntil } from './lab.ts';

const run = promisify(execFile);

/** The labels that tell blocks of one tenant apart: what a reader of these blocks declares. */
export const replicaLabels = ['narthex_shard', 'narthex_late'] as const;

const bucket = (dir: string): string => JSON.stringify({ type: 'FILESYSTEM', config: { directory: dir } });

/** What a command of it that ends by itself printed; throws, with what it said, when it fails. */
async function thanos(lab: Lab, dir: string, ...args: readonly string[]): Promise<string> {
  const all = [...args, `--objstore.config=${bucket(dir)}`, '--log.format=json'];
  const { stdout, stderr } = await run(peer('thanos'), all, { cwd: lab.folder, maxBuffer: 1 << 28, timeout: 120_000 });
  return stdout + stderr;
}

/** What `thanos tools bucket verify` finds wrong: it warns, and fails for nothing. */
export async function problems(lab: Lab, dir: string): Promise<string[]> {
  const issues = ['index_known_issues', 'overlapped_blocks', 'duplicated_compaction'].map(
    (issue) => `--issues=${issue}`,
  );
  const said = await thanos(lab, dir, 'tools', 'bucket', 'verify', ...issues);
  return said.split('\n').filter((line) => line !== '' && !/"level":"(info|debug)"/.test(line));
}

/** One round of `thanos compact` over the folder, which it changes. */
export async function compact(lab: Lab, dir: string, ...args: readonly string[]): Promise<string> {
  const http = `--http-address=127.0.0.1:${await freePort()}`;
  const data = `--data-dir=${await lab.dir(`compact-${await freePort()}`)}`;
  // Blocks are taken at once, and go when they are in another.
  return await thanos(lab, dir, 'compact', '--consistency-delay=0s', '--delete-delay=0s', http, data, ...args);
}

export interface Thanos {
  readonly url: string;
  readonly processes: readonly Started[];
}

/** `thanos store` over the folder, and `thanos query` before it. */
export async function startThanos(lab: Lab, name: string, dir: string): Promise<Thanos> {
  const grpc = await freePort();
  const [storeHttp, queryHttp] = [await freePort(), await freePort()];
  const loopback = (http: number, port: number): string[] => [
    `--http-address=127.0.0.1:${http}`,
    `--grpc-address=127.0.0.1:${port}`,
    '--http-grace-period=0s',
    '--grpc-grace-period=0s',
  ];
  const cache = `--data-dir=${await lab.dir(`${name}-cache`)}`;
  const objects = `--objstore.config=${bucket(dir)}`;
  const store = lab.start(`${name}-store`, peer('thanos'), ['store', ...loopback(storeHttp, grpc), objects, cache]);
  const labels = replicaLabels.map((label) => `--query.replica-label=${label}`);
  const how = [`--endpoint=127.0.0.1:${grpc}`, '--deduplication.func=chain', '--no-query.partial-response', ...labels];
  const querier = lab.start(`${name}-query`, peer('thanos'), [
    'query',
    ...loopback(queryHttp, await freePort()),
    ...how,
  ]);
  const url = `http://127.0.0.1:${queryHttp}`;
  await waitUntil(`${name} serves the store`, 60_000, async () => {
    if (!store.running || !querier.running) throw new GiveUp(`${await store.tail(3)}\n${await querier.tail(3)}`);
    const { data } = JSON.parse(await get(`${url}/api/v1/stores`)) as { data: { store?: unknown[] | null } };
    return (data.store ?? []).length > 0;
  });
  return { url, processes: [store, querier] };
}
