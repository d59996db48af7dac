/**
 * What a kind of discovery is: one question, asked again and again. A kind knows nothing of schedules, of what is stored, or of targets.
 * To add one: its section in `src/config/discovery.ts`, a file beside this one, and a line in `kinds.ts`.
 */

import type { Tokens } from '../credentials/tokens.ts';
import type { DiscoveryConfig } from '../config/model.ts';
import type { Clock, Fetch, FilesDoor } from '../model/doors.ts';
import type { TargetGroup } from './group.ts';

export interface Kind<C extends DiscoveryConfig> {
  /** Where it asks, for people; no secrets. */
  where(config: C): string;
  /**
   * Asks once. `last` are the groups that it found last: a part that cannot be asked keeps its own. Throws when nothing could be found out;
   * then all groups stay as they are. Ends in time by itself.
   */
  refresh(config: C, doors: DiscoveryDoors, last: readonly TargetGroup[]): Promise<Found>;
}

export interface Found {
  readonly groups: readonly TargetGroup[];
  /** What went wrong with a part whose last groups are among these. */
  readonly error: string | null;
}

export interface DiscoveryDoors {
  readonly clock: Clock;
  /** The way to what a URL of the configuration names, and to nothing else by a redirect. Never to the deployment itself. */
  readonly fetchFor: (url: string) => Fetch;
  readonly files: FilesDoor;
  /** OAuth 2.0 tokens of this isolate. */
  readonly tokens: Tokens;
  readonly userAgent: string;
  /** Where names are resolved: a URL that answers `application/dns-json`. */
  readonly resolverUrl: string;
}

/** What is wrong, in words for its operator. */
export class DiscoveryError extends Error {
  override name = 'DiscoveryError';
}

export const found = (groups: readonly TargetGroup[]): Found => ({ groups, error: null });
