/**
 * What the HTTP side needs from the rest of the system, and from the deployment. Not an implementation: the worker hands
 * one in with each request, a test hands in a fake. The one invariant: nothing here is called before access is granted.
 */

import type { ConfigFile } from '../config/files.ts';
import type { ConfigVersion, RelabelConfig } from '../config/model.ts';
import type { Problem } from '../config/problems.ts';
import type { SeriesExemplars } from '../digest/exemplar-ring.ts';
import type { Labels } from '../model/labels.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import type { TenantSettings } from '../receive/limits.ts';
import type { Told } from '../receive/told.ts';
import type { TargetsMetadata } from '../scrape/page/metadata.ts';
import type { SystemStatus } from './status.ts';

export type Pushed =
  | { readonly ok: true; readonly version: ConfigVersion; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export type Reloaded =
  | { readonly ok: true; readonly version: ConfigVersion }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What a remote is given again. `logs`: where it has a place; none before the first run that knows of it. */
export interface Rewound {
  readonly logs: number;
  readonly records: number;
  readonly samples: number;
}

export interface SnapshotBlock {
  readonly ulid: string;
  /** `index`, `chunks/000001`, …, `meta.json`. */
  readonly files: readonly string[];
}

export interface Services {
  /** The whole system, one call an object. The app keeps the answer for a few seconds. */
  status(): Promise<SystemStatus>;
  config(): Promise<{ readonly version: ConfigVersion; readonly text: string; readonly files?: readonly ConfigFile[] }>;
  /** `relabel_configs` of a job; null when there is no such job. */
  relabelConfigs(job: string): Promise<readonly RelabelConfig[] | null>;
  /** What the targets with these keys, few at a time, say of their metric families; of the one named `metric`, or of all. */
  targetMetadata(keys: readonly string[], metric: string | null): Promise<TargetsMetadata>;
  /** What is known of the metrics of a tenant: the one door for all that know some. */
  metadata(tenant: string, metric: string | null): Promise<readonly FamilyMetadata[]>;
  /** The exemplars that a tenant sent, from `startMs` to `endMs` (Unix ms, both inclusive), of series that match; shard by shard, as they are digested. */
  exemplars(
    tenant: string,
    startMs: number,
    endMs: number,
    matches: (labels: Labels) => boolean,
  ): AsyncIterable<readonly SeriesExemplars[]>;
  /** `files` are those that came with it for `scrape_config_files`; without any, those in the bucket are taken. */
  pushConfig(text: string, source: 'bucket' | 'start --config', files: readonly ConfigFile[]): Promise<Pushed>;
  reload(): Promise<Reloaded>;
  /** Moves a remote back to what was logged at `sinceMs` or later, or to the oldest that is kept (null). Null when no remote has this name. */
  rewind(name: string, sinceMs: number | null): Promise<Rewound | null>;
  /** `POST /api/v1/write`, method check included; access has been granted. */
  write(request: Request, tenant: string): Promise<Response>;
  /** The same for `POST /api/v1/otlp/v1/metrics`. */
  writeOtlp(request: Request, tenant: string): Promise<Response>;
  /** What is wrong with the limits of tenants, the lists of private networks and the features, a line each; what has a mistake does not hold. */
  limitProblems(): Promise<readonly string[]>;
  /** Begins or continues a snapshot; `null` lets it choose a name. Answers null for a name that nobody makes or made. `progress` is a sentence for people. */
  snapshot(
    tenant: string,
    name: string | null,
  ): Promise<{ readonly done: boolean; readonly name: string; readonly progress: string } | null>;
  /** Null when the tenant has no finished snapshot of this name. */
  snapshotBlocks(tenant: string, name: string): Promise<readonly SnapshotBlock[] | null>;
  /** An object of the bucket; `size` in bytes. Keys come only from `src/model/tenant.ts`. */
  file(key: string): Promise<{ readonly body: ReadableStream; readonly size: number } | null>;
  /** What the senders of each tenant were told, in this isolate's memory. */
  told(): ReadonlyMap<string, Told>;
  /** What holds for a tenant. */
  settings(tenant: string): TenantSettings;
  /** What the deployment enables, by name (src/config/features.ts). */
  readonly features: readonly string[];
  /** Unix ms. */
  readonly nowMs: number;
}

/** The bindings of the app: `app.fetch(request, env, ctx)`. */
export interface AppEnv {
  readonly services: Services;
  /** Contents of all secrets named `NARTHEX_TOKENS…`. */
  readonly tokens: readonly string[];
  /** `127.0.0.1` under `npm start`: whoever reaches that address needs no token. Undefined in a deployment. */
  readonly open: string | undefined;
  readonly version: string;
  /** Dispatched in process, as `self`: it never came over the network. */
  readonly internal?: boolean;
}
