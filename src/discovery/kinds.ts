/** The kinds of discovery there are, by the name that their section of a configuration begins with. */

import type { DiscoveryConfig } from '../config/model.ts';
import { consul } from './consul.ts';
import { dns } from './dns.ts';
import { file } from './file.ts';
import { http } from './http.ts';
import type { Kind } from './kind.ts';
import { kubernetes } from './kubernetes/kubernetes.ts';

const KINDS: { readonly [K in DiscoveryConfig['kind']]: Kind<Extract<DiscoveryConfig, { kind: K }>> } = {
  http,
  file,
  dns,
  consul,
  kubernetes,
};

export const kindOf = (config: DiscoveryConfig): Kind<DiscoveryConfig> => KINDS[config.kind] as Kind<DiscoveryConfig>;
