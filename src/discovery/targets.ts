/**
 * From target groups to targets: Prometheus' `PopulateDiscoveredLabels`, `PopulateLabels` and `URL` (scrape/target.go).
 *
 * The one invariant: only `static_configs` make a target that is the deployment itself. Whatever discovery answers or relabelling makes of
 * it, it cannot point the deployment at itself.
 */

import { parseTarget } from '../config/addresses.ts';
import { formatDuration, parseDuration } from '../config/duration.ts';
import type { Config, ScrapeConfig } from '../config/model.ts';
import { type Labels, labelsFrom, labelValue } from '../model/labels.ts';
import { relabelled, rulesOf } from '../relabel/relabel.ts';
import { offsetOf } from '../scrape/slots.ts';
import { inRegion, routesOf, spread } from '../scrape/reach/routes.ts';
import { identityOf, keyOf, OVER_TARGET_LIMIT, SELF, type Target } from '../scrape/target.ts';
import { ADDRESS, type DiscoveredGroups, merged, NOTHING_DISCOVERED, type TargetGroup } from './group.ts';

const PARAM = '__param_';
const CONVERT = '__convert_classic_histograms_to_nhcb__';
const CLASSIC = '__always_scrape_classic_histograms__';
const NATIVE = '__scrape_native_histograms__';

/** A target that relabelling dropped. */
export interface DroppedTarget {
  readonly job: string;
  readonly discovered: Labels;
}

/** A target that cannot be scraped, and why; Prometheus logs these and drops them. */
export interface RefusedTarget extends DroppedTarget {
  readonly reason: string;
}

export interface ResolvedTargets {
  readonly targets: readonly Target[];
  readonly dropped: readonly DroppedTarget[];
  readonly refused: readonly RefusedTarget[];
}

/** All targets, in the order of the configuration. Two with the same labels and URL are one: the first. */
export const targetsOf = (config: Config, groups: DiscoveredGroups = NOTHING_DISCOVERED): readonly Target[] =>
  resolveTargets(config, groups).targets;

export function resolveTargets(config: Config, groups: DiscoveredGroups): ResolvedTargets {
  const targets = new Map<string, Target>();
  const dropped: DroppedTarget[] = [];
  const refused: RefusedTarget[] = [];
  // As in Prometheus, deployments that differ only in their external labels, a pair of replicas, scrape at different moments.
  const seed = config.externalLabels.length === 0 ? '' : JSON.stringify(config.externalLabels);
  for (const scrape of config.scrapeConfigs) {
    const found = groups.get(scrape.jobName) ?? [];
    const add = (group: TargetGroup, literal: boolean): void => {
      for (const labels of group.targets) {
        const discovered = discoveredLabels(scrape, labels, group.labels);
        const made = targetsOfOne(scrape, discovered, literal, seed);
        if (made === null) dropped.push({ job: scrape.jobName, discovered });
        for (const target of made ?? []) {
          if (typeof target === 'string') refused.push({ job: scrape.jobName, discovered, reason: target });
          else if (!targets.has(target.key)) targets.set(target.key, target);
        }
      }
    };
    const others = targets.size;
    for (const group of staticGroups(scrape)) add(group, true);
    for (const group of found) add(group, false);
    limit(targets, scrape, targets.size - others);
  }
  return { targets: spread([...targets.values()]), dropped, refused };
}

/** More targets than `target_limit`: none of the job is scraped, and all say why. */
function limit(targets: Map<string, Target>, { jobName, targetLimit }: ScrapeConfig, count: number): void {
  if (targetLimit === 0 || count <= targetLimit) return;
  const refusal = `${OVER_TARGET_LIMIT} (number of targets: ${count}, limit: ${targetLimit})`;
  for (const target of targets.values()) if (target.job === jobName) targets.set(target.key, { ...target, refusal });
}

/** `static_configs` as groups. */
const staticGroups = ({ staticConfigs }: ScrapeConfig): TargetGroup[] =>
  staticConfigs.map(({ targets, labels }, i) => ({
    source: String(i),
    labels,
    targets: targets.map((address) => [{ name: ADDRESS, value: address }]),
  }));

/** What a target has before relabelling: its own labels, its group's, and what the scrape configuration says. */
function discoveredLabels(config: ScrapeConfig, target: Labels, group: Labels): Labels {
  const own = merged(target, group);
  const firstParams = config.params.toReversed().map(([name, value]): [string, string] => [`${PARAM}${name}`, value]);
  return labelsFrom([
    ['job', config.jobName],
    ['__scrape_interval__', formatDuration(config.scrapeIntervalMs)],
    ['__scrape_timeout__', formatDuration(config.scrapeTimeoutMs)],
    ['__metrics_path__', config.metricsPath],
    ['__scheme__', config.scheme],
    [CONVERT, String(config.convertClassicHistogramsToNhcb)],
    [CLASSIC, String(config.alwaysScrapeClassicHistograms)],
    [NATIVE, String(config.scrapeNativeHistograms)],
    ...firstParams,
    ...own.map(({ name, value }): [string, string] => [name, value]),
  ]);
}

/** The target, in each of its regions, or why there is none; null when a rule drops it. `fromFile`: the configuration file itself names the address. */
function targetsOfOne(
  config: ScrapeConfig,
  discovered: Labels,
  fromFile: boolean,
  seed: string,
): readonly (Target | string)[] | null {
  const all = relabelled(rulesOf(config.relabelConfigs), discovered);
  if (all === null) return null;
  const invalid = all.find(({ name, value }) => !name.isWellFormed() || !value.isWellFormed());
  if (invalid !== undefined) return [`invalid label value for ${JSON.stringify(invalid.name)}`];
  const address = labelValue(all, ADDRESS);
  if (address === '') return ['no address'];
  // What a rule made of it, the file does not name.
  const literal = fromFile && address === labelValue(discovered, ADDRESS);
  const unfit = addressProblem(address);
  if (address === SELF && !literal) return [`"${SELF}" is the deployment itself, which only static_configs can name`];
  if (unfit !== null && (address.includes('/') || /^self(:|$)/i.test(address))) return [unfit];
  // Prometheus has such a target, and each of its scrapes fails.
  const refusal = unfit ?? schemeProblem(labelValue(all, '__scheme__'));
  const times = timesOf(all);
  if (typeof times === 'string') return [times];
  const convert = flagOf(all, CONVERT, config.convertClassicHistogramsToNhcb);
  const classic = flagOf(all, CLASSIC, config.alwaysScrapeClassicHistograms);
  const native = flagOf(all, NATIVE, config.scrapeNativeHistograms);
  if (typeof convert === 'string') return [`error parsing convert classic histograms to nhcb: ${convert}`];
  if (typeof classic === 'string') return [`error parsing always scrape classic histograms: ${classic}`];
  if (typeof native === 'string') return [`error parsing scrape native histograms: ${native}`];

  const own = labelsFrom([
    ['instance', address],
    ...all.filter(({ name }) => !name.startsWith('__')).map(({ name, value }): [string, string] => [name, value]),
  ]);
  const url = urlOf(config, all, address);
  return routesOf(all, literal && address === SELF).map((route) => {
    if (typeof route === 'string') return route;
    const labels = route.kind === 'outpost' ? labelsFrom(inRegion(own, route.region)) : own;
    const identity = identityOf(labels, url);
    return {
      key: keyOf(identity),
      job: config.jobName,
      url,
      labels,
      discovered,
      ...times,
      offsetMs: offsetOf(seed + identity, times.intervalMs),
      histograms: { native, classic, convert },
      config,
      route,
      ...(refusal === null ? {} : { refusal }),
    };
  });
}

/** Why nothing can be asked at an address; null when something can. */
export function addressProblem(address: string): string | null {
  if (address === '') return 'no address';
  try {
    parseTarget(address);
  } catch (error) {
    const hint = (error as Error).message;
    return `${JSON.stringify(address)} is not a valid hostname${hint === '' ? '' : `: ${hint.replace(/^not a valid hostname: /, '')}`}`;
  }
  return null;
}

const schemeProblem = (scheme: string): string | null =>
  scheme === 'http' || scheme === 'https' ? null : `scheme ${JSON.stringify(scheme)} is neither http nor https`;

function timesOf(labels: Labels): { intervalMs: number; timeoutMs: number } | string {
  const interval = labelValue(labels, '__scrape_interval__');
  const timeout = labelValue(labels, '__scrape_timeout__');
  const [intervalMs, timeoutMs] = [parsed(interval), parsed(timeout)];
  if (intervalMs === null) return `error parsing scrape interval: ${JSON.stringify(interval)}`;
  if (intervalMs === 0) return 'scrape interval cannot be 0';
  if (intervalMs < 1000) return `scrape interval ${interval} is below the shortest, 1s`;
  if (timeoutMs === null) return `error parsing scrape timeout: ${JSON.stringify(timeout)}`;
  if (timeoutMs === 0) return 'scrape timeout cannot be 0';
  if (timeoutMs > intervalMs) {
    return `scrape timeout cannot be greater than scrape interval ("${timeout}" > "${interval}")`;
  }
  return { intervalMs, timeoutMs };
}

/** Go's `strconv.ParseBool`. */
const TRUE = /^(1|t|T|TRUE|true|True)$/;
const FALSE = /^(0|f|F|FALSE|false|False)$/;

/** What the label says, the configuration when it says nothing, or the text that is neither true nor false. */
function flagOf(labels: Labels, name: string, config: boolean): boolean | string {
  const value = labelValue(labels, name);
  if (value === '') return config;
  if (TRUE.test(value)) return true;
  return FALSE.test(value) ? false : JSON.stringify(value);
}

function parsed(duration: string): number | null {
  try {
    return parseDuration(duration);
  } catch {
    return null;
  }
}

/** The URL, of `__scheme__`, `__metrics_path__` and `__param_<name>`, which stand for the first value of a parameter. */
function urlOf(config: ScrapeConfig, labels: Labels, address: string): string {
  const scheme = address === SELF ? 'http' : labelValue(labels, '__scheme__');
  const path = labelValue(labels, '__metrics_path__');
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
