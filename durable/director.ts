/**
 * Director: what the whole deployment must agree on: which configuration is in force, and which tenants there are.
 *
 *   when          what                                                      rows
 *   push          text → bucket (immutable key), then it is in force        1
 *   enlist        the first write of a tenant, or its number of shards      0; 1 for each of the two that is new
 *   place         the number of agents changes                              1
 *   discovered    what a run found out of targets                           0 when nothing changed; else 1, and 1 a 1.8 MB of groups
 */

import { DurableObject } from 'cloudflare:workers';
import type { ConfigFile } from '../src/config/files.ts';
import type { ConfigVersion } from '../src/config/model.ts';
import { Discoveries, type StoredDiscovery } from '../src/discovery/stored.ts';
import type { Refresh } from '../src/discovery/watch.ts';
import { Values } from '../src/log/table.ts';
import { configFileKey, configKey } from '../src/model/tenant.ts';
import { ONE_SHARD, type Placement, type ShardsRecord, wanted } from '../src/receive/shards.ts';
import { ALONE, changed, type Placement as AgentPlacement } from '../src/scrape/placement/placement.ts';
import { sqlOf } from './sql.ts';

/** A configuration that was pushed; its text also stands in the bucket under its version. */
export interface PushedConfig extends ConfigVersion, ConfigTexts {}

/** What is put in force: the configuration, and the files that it names. */
export interface ConfigTexts {
  readonly text: string;
  /** Absent when it names none. */
  readonly files?: readonly ConfigFile[];
  /** The files came with it: a reload does not look for others in the bucket. */
  readonly filesPushed?: boolean;
}

export class Director extends DurableObject<{ readonly BUCKET: R2Bucket }> {
  readonly #values: Values;
  readonly #discoveries: Discoveries;

  constructor(state: DurableObjectState, env: { readonly BUCKET: R2Bucket }) {
    super(state, env);
    const sql = sqlOf(state.storage);
    this.#values = new Values(sql);
    this.#discoveries = new Discoveries(sql, this.#values);
  }

  /** The configuration that was pushed last; null while the bundled one is in force. `known` is the version that the caller has already. */
  async config(known: number): Promise<PushedConfig | null | 'unchanged'> {
    const config = this.#values.get<PushedConfig | null>('config', null);
    return config !== null && config.version === known ? 'unchanged' : config;
  }

  /**
   * Puts a checked configuration in force. Its version is one above all before, also those whose push died half way. The same text again, as at every
   * start with `--config`, is the same version.
   */
  async push(
    nowMs: number,
    text: string,
    source: 'bucket' | 'start --config',
    named: Omit<ConfigTexts, 'text'> = {},
  ): Promise<ConfigVersion> {
    const texts: ConfigTexts = { text, ...named };
    const last = this.#values.get<PushedConfig | null>('config', null);
    if (last !== null && last.source === source && sameTexts(last, texts)) return versionOf(last);
    for (let version = (last?.version ?? 0) + 1; ; version++) {
      const put = await this.env.BUCKET.put(configKey(version), text, { onlyIf: { etagDoesNotMatch: '*' } });
      if (put === null) continue;
      for (const file of named.files ?? []) await this.env.BUCKET.put(configFileKey(version, file.name), file.text);
      const config: PushedConfig = { version, source, pushedAtMs: nowMs, ...texts };
      if ((this.#values.get<PushedConfig | null>('config', null)?.version ?? 0) < version)
        this.#values.set('config', config);
      return versionOf(config);
    }
  }

  /** What is known of discoveries, by their keys. The groups are null for those that the caller has, by the fingerprint in `known`. */
  async discoveries(
    keys: readonly string[],
    known: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, StoredDiscovery>>> {
    return this.#discoveries.get(keys, known);
  }

  /** Takes what a refresh found. */
  async discovered(nowMs: number, key: string, refresh: Refresh): Promise<void> {
    this.#discoveries.put(nowMs, key, refresh);
  }

  /** Forgets all discoveries but these, when they are those of the configuration in force. */
  async keepDiscoveries(version: number, keys: readonly string[]): Promise<void> {
    if ((this.#values.get<PushedConfig | null>('config', null)?.version ?? 0) === version) this.#discoveries.keep(keys);
  }

  /** Which agents there are, and which target is whose. */
  async placement(): Promise<AgentPlacement> {
    return this.#values.get<AgentPlacement>('placement', ALONE);
  }

  /** Changes the number of agents, if nobody has since `generation`. Returns what holds now. */
  async place(nowMs: number, generation: number, count: number): Promise<AgentPlacement> {
    const now = await this.placement();
    if (now.generation !== generation || now.count === count) return now;
    const next = changed(now, count, nowMs);
    this.#values.set('placement', next);
    return next;
  }

  /** Agents from this one on have nothing left. */
  async unused(generation: number, from: number): Promise<AgentPlacement> {
    const now = await this.placement();
    if (now.generation !== generation || from < now.count || from >= now.used) return now;
    const next = { ...now, used: from };
    this.#values.set('placement', next);
    return next;
  }

  /** Tenants that ever wrote. */
  async tenants(): Promise<readonly string[]> {
    return this.#values.get<readonly string[]>('tenants', []);
  }

  /** How many shards each tenant that ever wrote had at most: where its samples may be. */
  async shards(): Promise<Readonly<Record<string, ShardsRecord>>> {
    const shards = this.#shards();
    return Object.fromEntries((await this.tenants()).map((tenant) => [tenant, shards[tenant] ?? ONE_SHARD]));
  }

  /** A Worker writes for a tenant, and would have it spread over so many shards: how many it has. */
  async enlist(nowMs: number, tenant: string, shards: number): Promise<Placement> {
    const tenants = this.#values.get<readonly string[]>('tenants', []);
    const isNew = !tenants.includes(tenant);
    if (isNew) this.#values.set('tenants', [...tenants, tenant].sort());
    const all = this.#shards();
    // One that wrote before there were shards had one.
    const known = all[tenant] ?? (isNew && shards > 1 ? undefined : ONE_SHARD);
    const record = wanted(known, shards, nowMs);
    if (record !== known) this.#values.set('shards', { ...all, [tenant]: record });
    return { shards: record.shards, next: record.next };
  }

  #shards(): Readonly<Record<string, ShardsRecord>> {
    return this.#values.get<Readonly<Record<string, ShardsRecord>>>('shards', {});
  }
}

const sameTexts = (a: ConfigTexts, b: ConfigTexts): boolean => identityOf(a) === identityOf(b);
const identityOf = ({ text, files = [], filesPushed = false }: ConfigTexts): string =>
  JSON.stringify([text, files.map((file) => [file.name, file.text]), filesPushed]);

const versionOf = ({ version, source, pushedAtMs }: PushedConfig): ConfigVersion => ({ version, source, pushedAtMs });
