/** Targets of `static_configs`: Prometheus' `PopulateLabels` and `URL` (scrape/target.go), without relabelling. */

import type { Config, ScrapeConfig, StaticConfig } from '../config/model.ts';
import { type Labels, labelsFrom, labelValue } from '../model/labels.ts';
import { offsetOf } from '../scrape/slots.ts';
import { identityOf, keyOf, SELF, type Target } from '../scrape/target.ts';

const PARAM = '__param_';

/** All targets, in the order of the configuration. Two with the same labels and URL are one: the first. */
export function targetsOf(config: Config): Target[] {
  const targets = new Map<string, Target>();
  for (const scrape of config.scrapeConfigs) {
    for (const group of scrape.staticConfigs) {
      for (const address of group.targets) {
        const target = targetOf(scrape, group, address);
        if (!targets.has(target.key)) targets.set(target.key, target);
      }
    }
  }
  return [...targets.values()];
}

function targetOf(config: ScrapeConfig, group: StaticConfig, address: string): Target {
  // Labels that the group sets win over those that the configuration gives by itself.
  const labels = labelsFrom([
    ['job', config.jobName],
    ['instance', address],
    ...group.labels
      .filter(({ name, value }) => !name.startsWith('__') && value !== '')
      .map(({ name, value }) => [name, value] as const),
  ]);
  const self = address === SELF;
  const url = urlOf(config, group.labels, address);
  const identity = identityOf(labels, url);
  return {
    key: keyOf(identity),
    job: config.jobName,
    url,
    labels,
    intervalMs: config.scrapeIntervalMs,
    timeoutMs: config.scrapeTimeoutMs,
    offsetMs: offsetOf(identity, config.scrapeIntervalMs),
    config,
    self,
  };
}

/** The URL, with `__scheme__`, `__metrics_path__` and `__param_<name>` of the group's labels over what the configuration says. */
function urlOf(config: ScrapeConfig, labels: Labels, address: string): string {
  const scheme = address === SELF ? 'http' : labelValue(labels, '__scheme__') || config.scheme;
  const path = labelValue(labels, '__metrics_path__') || config.metricsPath;
  const params = config.params.map(([name, value]) => [name, value] as [string, string]);
  for (const { name, value } of labels) {
    if (!name.startsWith(PARAM)) continue;
    const first = params.find(([param]) => param === name.slice(PARAM.length));
    if (first === undefined) params.push([name.slice(PARAM.length), value]);
    else first[1] = value;
  }
  const query = params
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map((pair) => pair.map(escapeQuery).join('='))
    .join('&');
  // A question mark or hash in the path is part of the path.
  const escaped = encodeURI(path).replace(/[?#]/g, encodeURIComponent);
  return `${scheme}://${address}${escaped.startsWith('/') ? '' : '/'}${escaped}${query === '' ? '' : `?${query}`}`;
}

const escapeQuery = (text: string): string => encodeURIComponent(text).replace(/%20/g, '+');
