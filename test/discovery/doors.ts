/** Doors for discoveries: a network that answers from a table, and files in memory. */

import type { DiscoveryDoors } from '../../src/discovery/kind.ts';
import type { TargetGroup } from '../../src/discovery/group.ts';
import { labelValue } from '../../src/model/labels.ts';
import { SimClock } from '../sim/clock.ts';

export const NOW = Date.UTC(2026, 10, 22, 12);

export interface FakeWorld {
  readonly clock: SimClock;
  readonly doors: DiscoveryDoors;
  /** What was asked: `GET url` with the headers. */
  readonly asked: { readonly url: string; readonly headers: Readonly<Record<string, string>> }[];
}

/** One answer for all, or one a request. */
export type Answers = Response | Error | 'hang' | ((request: Request) => Response);

export function world(answers: Answers, files: Readonly<Record<string, string | Uint8Array>> = {}): FakeWorld {
  const clock = new SimClock(NOW);
  const asked: FakeWorld['asked'] = [];
  const fetch = async (request: Request): Promise<Response> => {
    asked.push({ url: request.url, headers: Object.fromEntries(request.headers) });
    if (answers === 'hang') return await new Promise(() => undefined);
    if (answers instanceof Error) throw answers;
    return typeof answers === 'function' ? answers(request) : (answers.clone() as Response);
  };
  const doors: DiscoveryDoors = {
    clock,
    fetchFor: () => fetch,
    files: {
      list: async (prefix, max) =>
        Object.keys(files)
          .filter((name) => name.startsWith(prefix))
          .sort()
          .slice(0, max),
      read: async (name) => {
        const content = files[name];
        if (content === undefined) return null;
        const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
        return { size: bytes.byteLength, bytes: async () => bytes };
      },
    },
    tokens: new Map(),
    userAgent: 'test',
    resolverUrl: 'https://dns.test/dns-query',
  };
  return { clock, doors, asked };
}

export const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });

/** Groups as golden files have them: labels as mappings. */
export const plain = (groups: readonly TargetGroup[]): unknown =>
  groups.map(({ source, labels, targets }) => ({
    source,
    labels: Object.fromEntries(labels.map(({ name, value }) => [name, value])),
    targets: targets.map((target) => Object.fromEntries(target.map(({ name, value }) => [name, value]))),
  }));

export const addresses = (groups: readonly TargetGroup[]): string[] =>
  groups.flatMap((group) => group.targets.map((target) => labelValue(target, '__address__')));
