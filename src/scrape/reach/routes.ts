/**
 * How a target is reached: over the network, in process, from an outpost in a region, or through a binding into a private network. Its labels say it,
 * `__region__` and `__vpc__`, which Prometheus drops like all that begin so: a configuration stays one that Prometheus reads too.
 */

import { PLACES, REGION_LABEL, regionsIn, VPC_LABEL } from '../../config/places.ts';
import type { Fetch } from '../../model/doors.ts';
import { type Labels, labelValue } from '../../model/labels.ts';

export type Route =
  | { readonly kind: 'network' }
  /** The deployment itself. */
  | { readonly kind: 'self' }
  /** `index` tells the outposts of a region apart. */
  | { readonly kind: 'outpost'; readonly region: string; readonly index: number }
  | { readonly kind: 'vpc'; readonly binding: string };

/** What tells apart the series that one target has in several regions. */
export const REGION = 'region';

const unknownRegion = (name: string): string =>
  `region ${JSON.stringify(name)} is not known: there are ${[...PLACES.keys()].join(', ')}`;

/** The routes that a target's labels ask for, or why there is none, one a region. */
export function routesOf(labels: Labels, self: boolean): readonly (Route | string)[] {
  const binding = labelValue(labels, VPC_LABEL);
  const regions = regionsIn(labelValue(labels, REGION_LABEL));
  if (self && (binding !== '' || regions.length > 0))
    return [
      `the deployment itself is in no region and no private network: ${REGION_LABEL} and ${VPC_LABEL} go nowhere`,
    ];
  if (self) return [{ kind: 'self' }];
  if (binding !== '' && regions.length > 0)
    return [`${VPC_LABEL} and ${REGION_LABEL} exclude each other: a private network has one way in`];
  if (binding !== '') return [{ kind: 'vpc', binding }];
  if (regions.length === 0) return [{ kind: 'network' }];
  return regions.map((region) => (PLACES.has(region) ? { kind: 'outpost', region, index: 0 } : unknownRegion(region)));
}

/** A target's labels in a region; a label of that name that it had already moves aside, as it would on a scraped page. */
export function inRegion(labels: Labels, region: string): [string, string][] {
  const pairs = labels.map(({ name, value }): [string, string] => [name, value]);
  let aside = `exported_${REGION}`;
  while (labels.some(({ name }) => name === aside)) aside = `exported_${aside}`;
  return [...pairs.map(([name, value]): [string, string] => [name === REGION ? aside : name, value]), [REGION, region]];
}

/** An outpost has six connections: of so few targets, seldom more than one hangs. */
const TARGETS_AN_OUTPOST = 16;

/**
 * Spreads targets over the outposts of their regions, by their keys. Doubling the outposts, where one more would do, leaves most targets where
 * they are; where they are is of no consequence but that a new outpost must be started.
 */
export function spread<T extends { readonly key: string; readonly route: Route }>(targets: readonly T[]): T[] {
  const counts = new Map<string, number>();
  for (const { route } of targets)
    if (route.kind === 'outpost') counts.set(route.region, (counts.get(route.region) ?? 0) + 1);
  return targets.map((target) => {
    const { key, route } = target;
    if (route.kind !== 'outpost') return target;
    const outposts = 2 ** Math.ceil(Math.log2(Math.max(1, counts.get(route.region)! / TARGETS_AN_OUTPOST)));
    // The upper half: the lowest bits of FNV are parities, alike for names that occur twice in what was hashed.
    return { ...target, route: { ...route, index: Number.parseInt(key.slice(0, 8), 16) % outposts } };
  });
}

/** The doors that routes lead through. */
export interface RouteDoors {
  readonly network: Fetch;
  readonly self: Fetch;
  readonly outpost: (region: string, index: number) => Fetch;
  /** Fails with the reason for what the binding is not there for. */
  readonly vpc: (binding: string) => Fetch;
}

export function doorOf(route: Route, { network, self, outpost, vpc }: RouteDoors): Fetch {
  switch (route.kind) {
    case 'network':
      return network;
    case 'self':
      return self;
    case 'outpost':
      return outpost(route.region, route.index);
    case 'vpc':
      return vpc(route.binding);
  }
}
