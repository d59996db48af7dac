/** `http_sd_configs`: a URL that answers target groups as JSON. Source: Prometheus 3.14, discovery/http/http.go. */

import type { HttpDiscovery } from '../config/model.ts';
import { ask, parseJson } from './http-get.ts';
import { DiscoveryError, found, type Kind } from './kind.ts';
import { readGroups } from './read-groups.ts';

const CONTENT_TYPE = /^application\/json(;\s*charset=("utf-8"|utf-8))?$/i;

export const http: Kind<HttpDiscovery> = {
  where: ({ url }) => url,
  refresh: async (config, doors) => {
    const { headers, text } = await ask(
      {
        url: config.url,
        credentials: config,
        headers: {
          accept: 'application/json',
          'x-prometheus-refresh-interval-seconds': String(config.refreshIntervalMs / 1000),
        },
        followRedirects: config.followRedirects,
        timeoutMs: config.refreshIntervalMs,
      },
      doors,
    );
    const type = headers.get('content-type') ?? '';
    if (!CONTENT_TYPE.test(type.trim()))
      throw new DiscoveryError(
        `unsupported content type ${JSON.stringify(type.slice(0, 200))}: it must be application/json`,
      );
    return found(readGroups(parseJson(text), (i) => `${config.url}:${i}`, { __meta_url: config.url }));
  },
};
