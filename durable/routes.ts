/** The ways to targets, as a deployment has them. */

import { PLACES } from '../src/config/places.ts';
import type { Fetch } from '../src/model/doors.ts';
import {
  type Binding,
  bindingFor,
  type Networks,
  parseNetworks,
  throughBinding,
} from '../src/scrape/reach/networks.ts';
import { fromOutpost } from '../src/scrape/reach/outposts.ts';
import { doorOf, type Route } from '../src/scrape/reach/routes.ts';
import { networkOf } from './doors.ts';
import type { Env } from './env.ts';
import type { Outpost } from './outpost.ts';

export const routesFrom =
  (env: Env, self: Fetch): ((route: Route) => Fetch) =>
  (route) =>
    doorOf(route, {
      network: networkOf(env),
      self,
      outpost: (region, index) =>
        networkOf(
          env,
          fromOutpost(
            {
              fetch: (request) => outpost(env, region, index).fetch(request),
              letGo: async (question) => await outpost(env, region, index).letGo(question),
            },
            () => crypto.randomUUID(),
          ),
        ),
      vpc: (binding) => vpc(env, binding),
    });

/** The way to what the configuration itself names by its URL, a remote or a source of discovery: through the binding that lists it, if one does. */
export function wayTo(env: Env, url: string): Fetch {
  const binding = bindingFor(networksOf(env), url);
  return binding === null ? networkOf(env) : vpc(env, binding);
}

/** The network as seen with a client certificate: a binding of mtls_certificates. A private network's is none, whatever a configuration says. */
export function withCertificate(env: Env, name: string): Fetch {
  return async (request) => {
    const binding = networksOf(env).bindings.has(name) ? undefined : bound(env, name);
    if (typeof (binding as Binding | undefined)?.fetch !== 'function' || /^NARTHEX_/i.test(name))
      throw new Error(
        `there is no client certificate ${JSON.stringify(name)}: mtls_certificates in wrangler.toml binds one`,
      );
    return await (binding as Binding).fetch(request);
  };
}

const vpc = (env: Env, binding: string): Fetch => throughBinding(binding, networksOf(env), (name) => bound(env, name));

/** A place counts when an object is first called; the name holds it, so one name is in one place. */
function outpost({ OUTPOST, NARTHEX_OPEN }: Env, region: string, index: number): DurableObjectStub<Outpost> {
  const place = PLACES.get(region)!;
  const name = `${region}/${index}`;
  if ('hint' in place) return OUTPOST.getByName(name, { locationHint: place.hint as DurableObjectLocationHint });
  // One machine has no jurisdictions, and its workerd refuses to speak of them.
  if (NARTHEX_OPEN !== undefined) return OUTPOST.getByName(name);
  return OUTPOST.jurisdiction(place.jurisdiction as DurableObjectJurisdiction).getByName(name);
}

const bound = (env: Env, name: string): unknown =>
  Object.hasOwn(env, name) ? (env as unknown as Record<string, unknown>)[name] : undefined;

let networks: { readonly text: string; readonly parsed: Networks } | null = null;

/** A variable of the deployment, so a new text comes with a new isolate, and is parsed once. */
export function networksOf({ NARTHEX_VPC: text = '' }: Pick<Env, 'NARTHEX_VPC'>): Networks {
  if (networks?.text !== text) networks = { text, parsed: parseNetworks(text) };
  return networks.parsed;
}
