/** The labels that say how a target is reached, and the places that one of them may name. */

export const REGION_LABEL = '__region__';
export const VPC_LABEL = '__vpc__';

/** Where an object may be placed: near a place, as well as can be, or within a jurisdiction, for certain. */
export type Place = { readonly hint: string; readonly places: boolean } | { readonly jurisdiction: string };

/** `places` is false where the platform starts no objects today: it takes a region nearby. Source: developers.cloudflare.com, "Data location". */
export const PLACES: ReadonlyMap<string, Place> = new Map<string, Place>([
  ...['wnam', 'enam', 'weur', 'eeur', 'apac', 'apac-ne', 'apac-se', 'oc'].map(
    (hint) => [hint, { hint, places: true }] as const,
  ),
  ...['sam', 'afr', 'me'].map((hint) => [hint, { hint, places: false }] as const),
  ...['eu', 'us', 'fedramp', 'fedramp-high'].map((jurisdiction) => [jurisdiction, { jurisdiction }] as const),
]);

/** The names in the value of `__region__`, each once; none for an empty value. */
export const regionsIn = (value: string): string[] => [
  ...new Set(
    value
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  ),
];
