/**
 * Tenants and the keys of the bucket. The one place that turns a tenant's name into a key, so the one place that must know
 * what a name may hold.
 */

export const DEFAULT_TENANT = 'anonymous';

/** A tenant's name: what Mimir allows, less the characters that mean something in a path. At most 150 characters. */
const TENANT = /^[A-Za-z0-9!_*'()-][A-Za-z0-9!._*'()-]{0,149}$/;

export function isTenant(name: string): boolean {
  // `*` alone means all tenants where tokens and limits are written.
  return TENANT.test(name) && name !== '*';
}

function checked(tenant: string): string {
  if (!isTenant(tenant)) throw new Error(`not a tenant name: ${JSON.stringify(tenant.slice(0, 40))}`);
  return tenant;
}

/** Prefix of a block's files; `file` is `chunks/000001`, `index` or `meta.json`. */
export const blockKey = (tenant: string, ulid: string, file: string): string =>
  `blocks/${checked(tenant)}/${ulid}/${file}`;

/** A snapshot's folder, or a file in one of its blocks (`<ULID>/index`). */
export const snapshotKey = (tenant: string, name: string, path: string): string =>
  `snapshots/${checked(tenant)}/${name}/${path}`;

/** A version of the configuration, as text. Immutable: a bucket takes one write a second per key. */
export const configKey = (version: number): string => `config/${String(version).padStart(8, '0')}.yml`;

/** A file that a version of the configuration names under `scrape_config_files`. */
export const configFileKey = (version: number, name: string): string =>
  `config/${String(version).padStart(8, '0')}/${name}`;

/** A file that `file_sd_configs` names, or the beginning of such a name. */
export const fileKey = (name: string): string => `files/${name}`;
