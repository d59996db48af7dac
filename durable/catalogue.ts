/**
 * Catalogue: the blocks of a tenant. It is the only one that commits a meta.json; what has none is litter.
 *
 *   when         what                                                                          rows
 *   begin        a round of cutting gets an epoch                                              1
 *   commit       the row of the block, in the turn that checks epoch and cut; then meta.json   2
 *   snapshot     the plan of a snapshot that is being made                                     1 a change
 */

import { DurableObject } from 'cloudflare:workers';
import type { CatalogueDoor, Finished } from '../src/compact/doors.ts';
import { NO_REPEATS, type Repeats } from '../src/digest/settle.ts';
import type { SnapshotPlan } from '../src/compact/snapshot.ts';
import type { BlockStatus } from '../src/http/status.ts';
import type { Sql } from '../src/log/sql.ts';
import { Values } from '../src/log/table.ts';
import { blockKey } from '../src/model/tenant.ts';
import { sqlOf } from './sql.ts';

export class Catalogue extends DurableObject<{ readonly BUCKET: R2Bucket }> implements CatalogueDoor {
  readonly #sql: Sql;
  readonly #values: Values;

  constructor(state: DurableObjectState, env: { readonly BUCKET: R2Bucket }) {
    super(state, env);
    this.#sql = sqlOf(state.storage);
    this.#values = new Values(this.#sql);
    this.#sql
      .exec(`CREATE TABLE IF NOT EXISTS block (shard INTEGER NOT NULL, cut TEXT NOT NULL, ulid TEXT NOT NULL, status TEXT NOT NULL,
      meta TEXT NOT NULL, written INTEGER NOT NULL, PRIMARY KEY (shard, cut)) WITHOUT ROWID`);
  }

  async begin(): Promise<{ epoch: number }> {
    const epoch = this.#values.get('epoch', 0) + 1;
    this.#values.set('epoch', epoch);
    return { epoch };
  }

  async committed(shard: number, cut: string): Promise<Repeats | null> {
    const row = this.#sql.exec('SELECT status FROM block WHERE shard = ? AND cut = ?', shard, cut)[0];
    if (row === undefined) return null;
    await this.#writeMetas();
    return statusOf(row['status']).repeats ?? NO_REPEATS;
  }

  async commit(epoch: number, cut: string, { block, metaJson, repeats }: Finished): Promise<boolean> {
    if (epoch !== this.#values.get('epoch', 0)) return false;
    this.#sql.exec(
      'INSERT OR IGNORE INTO block VALUES (?, ?, ?, ?, ?, 0)',
      block.shard,
      cut,
      block.ulid,
      JSON.stringify({ ...block, repeats } satisfies StoredStatus),
      metaJson,
    );
    await this.#writeMetas();
    return true;
  }

  async blocks(): Promise<readonly BlockStatus[]> {
    return this.#sql
      .exec('SELECT status FROM block WHERE written = 1')
      .map((row): BlockStatus => {
        const { repeats: _, ...block } = statusOf(row['status']);
        return block;
      })
      .sort((a, b) => a.minTime - b.minTime || (a.ulid < b.ulid ? -1 : 1));
  }

  async snapshotPlan(): Promise<SnapshotPlan | null> {
    return this.#values.get<SnapshotPlan | null>('snapshot', null);
  }

  async setSnapshotPlan(plan: SnapshotPlan | null): Promise<void> {
    this.#values.set('snapshot', plan);
  }

  /** Writes every meta.json that was decided and is not in the bucket yet: also those of a commit that died half way. */
  async #writeMetas(): Promise<void> {
    for (const row of this.#sql.exec('SELECT shard, cut, ulid, status, meta FROM block WHERE written = 0')) {
      const { tenant } = statusOf(row['status']);
      await this.env.BUCKET.put(blockKey(tenant, row['ulid'] as string, 'meta.json'), row['meta'] as string, {
        onlyIf: { etagDoesNotMatch: '*' },
      });
      this.#sql.exec('UPDATE block SET written = 1 WHERE shard = ? AND cut = ?', row['shard']!, row['cut']!);
    }
  }
}

/** As it stands in its row: with what its cut is told when it is dropped. Absent in what earlier versions stored. */
type StoredStatus = BlockStatus & { readonly repeats?: Repeats };

const statusOf = (json: unknown): StoredStatus => JSON.parse(json as string) as StoredStatus;
