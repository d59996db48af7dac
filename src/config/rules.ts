/**
 * The rules between keys: what is unique, what is at most what, what excludes what. They look at the tree, not at what the
 * schema made of it, so that they are checked also when something else is wrong. A value that is wrong by itself is the
 * schema's to report, and is not looked at here.
 */

import { DEFAULT_INTERVAL_MS } from './defaults.ts';
import { checkDiscoveries } from './discovery-rules.ts';
import { formatDuration } from './duration.ts';
import { checkHttp, HTTP2_NO_MEANING } from './http-rules.ts';
import { namesOf } from './names.ts';
import type { Path } from './positions.ts';
import { quote, type Problem } from './problems.ts';
import { checkRelabels } from './relabel.ts';
import { checkRemotes } from './remote-rules.ts';
import { checkMeaning, type NoMeaning, type Report, reporter, unique } from './report.ts';
import { checkTargets } from './target-rules.ts';
import type { Mapping, Tree } from './tree.ts';
import { duration, isYes, list, mapping, valueAt } from './values.ts';

const NO_RULES = 'Narthex evaluates no rules: they stay where the samples are written to';
/** Keys of a whole configuration that are right and mean nothing here. */
const GLOBAL_NO_MEANING: readonly NoMeaning[] = [
  [['runtime'], 'there is no Go runtime; the level of a log is chosen where it is read'],
  [['global', 'evaluation_interval'], NO_RULES],
  [['global', 'rule_query_offset'], NO_RULES],
  [['global', 'query_log_file'], 'there is no query engine here'],
];
/** The jobs of a configuration so far, and the file that each is in; `''` is the configuration itself. */
export type Jobs = Map<string, string>;

/** The rules of a file of `scrape_config_files`, under the `global` of the configuration that names it. */
export function checkFileRules(tree: Tree, global: Mapping, file: string, jobs: Jobs): Problem[] {
  const { problems, report } = reporter(tree);
  checkScrapes(tree, global, file, jobs, report);
  return problems;
}

export function checkRules(tree: Tree, jobs: Jobs = new Map()): Problem[] {
  const { problems, report } = reporter(tree);
  const global = mapping(valueAt(tree.value, ['global']));
  checkTimeout(global, ['global'], DEFAULT_INTERVAL_MS, report);
  checkProtocols(global, ['global'], report);
  checkFailureLog(global, ['global'], report);
  checkMeaning(mapping(tree.value), [], GLOBAL_NO_MEANING, report);
  if (global['metric_name_validation_scheme'] === 'legacy') {
    for (const name of Object.keys(mapping(global['external_labels']))) {
      if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) continue;
      const hint = 'metric_name_validation_scheme is legacy: letters, digits and underscores';
      report(['global', 'external_labels', name], { expected: 'a label name', got: quote(name), hint, part: 'key' });
    }
  }
  const otlp = mapping(valueAt(tree.value, ['otlp']));
  const promotesAll = isYes(otlp['promote_all_resource_attributes']);
  if (promotesAll && list(otlp['promote_resource_attributes']).length > 0) {
    report(['otlp', 'promote_resource_attributes'], {
      expected: 'nothing beside promote_all_resource_attributes',
      hint: 'ignore_resource_attributes names those that are not promoted',
    });
  }
  if (!promotesAll && list(otlp['ignore_resource_attributes']).length > 0) {
    report(['otlp', 'ignore_resource_attributes'], { expected: 'promote_all_resource_attributes: true beside it' });
  }

  checkScrapes(tree, global, '', jobs, report);

  const remotes = list(valueAt(tree.value, ['remote_write'])).map(mapping);
  checkRemotes(remotes, namesOf({}, global).metricNameValidationScheme, report);
  return problems;
}

function checkScrapes(tree: Tree, global: Mapping, file: string, jobs: Jobs, report: Report): void {
  const intervalMs = duration(global['scrape_interval']) || DEFAULT_INTERVAL_MS;
  const scrapes = list(valueAt(tree.value, ['scrape_configs'])).map(mapping);
  for (const [i, scrape] of scrapes.entries()) {
    const path = ['scrape_configs', i];
    checkTimeout(scrape, path, intervalMs, report);
    checkProtocols(scrape, path, report);
    checkNames(scrape, global, path, report);
    checkHttp(scrape, 'http_headers', path, report);
    checkMeaning(scrape, path, [HTTP2_NO_MEANING], report);
    checkNative(scrape, global, path, report);
    checkFailureLog(scrape, path, report);
    checkTargets(scrape, path, report);
    const { metricNameValidationScheme: scheme } = namesOf(scrape, global);
    checkRelabels(scrape, 'relabel_configs', scheme, path, report);
    checkRelabels(scrape, 'metric_relabel_configs', scheme, path, report);
    checkDiscoveries(scrape, path, report);
  }
  for (const [i, { job_name: job }] of scrapes.entries()) {
    if (typeof job !== 'string' || job === '') continue;
    const first = jobs.get(job);
    if (first === undefined) {
      jobs.set(job, file);
      continue;
    }
    const hint = first === file ? 'each job_name stands once' : `it is in ${first || 'the configuration itself'} too`;
    report(['scrape_configs', i, 'job_name'], { expected: 'a job name of its own', hint });
  }
}

/** A timeout that is set may not exceed the interval; one that is not set adapts. 0 is "not set", as in Prometheus. */
function checkTimeout(section: Mapping, path: Path, defaultMs: number, report: Report): void {
  const intervalMs = duration(section['scrape_interval']);
  const timeoutMs = duration(section['scrape_timeout']);
  // An interval that is wrong is reported by itself; what it should be is not known.
  if (timeoutMs === undefined || (section['scrape_interval'] !== undefined && intervalMs === undefined)) return;
  const limitMs = intervalMs || defaultMs;
  if (timeoutMs <= limitMs) return;
  report([...path, 'scrape_timeout'], {
    expected: `at most the scrape_interval, ${formatDuration(limitMs)}`,
    ...(intervalMs ? {} : { hint: `scrape_interval is not set here, so it is ${formatDuration(defaultMs)}` }),
  });
}

function checkProtocols(section: Mapping, path: Path, report: Report): void {
  const protocols = section['scrape_protocols'];
  if (!Array.isArray(protocols)) return;
  const at = [...path, 'scrape_protocols'];
  if (protocols.length === 0) report(at, { expected: 'at least one protocol' });
  unique(
    protocols.map((one) => (typeof one === 'string' ? one.toLowerCase() : one)),
    (i) => [...at, i],
    (again) => report(again, { expected: 'each protocol once' }),
  );
}

/** A job that wants native histograms must ask for the one format that has them. */
function checkNative(scrape: Mapping, global: Mapping, path: Path, report: Report): void {
  const wanted = scrape['scrape_native_histograms'] ?? global['scrape_native_histograms'];
  const protocols = scrape['scrape_protocols'] ?? global['scrape_protocols'];
  if (!isYes(wanted) || !Array.isArray(protocols)) return;
  if (protocols.includes('PrometheusProto')) return;
  const at = scrape['scrape_protocols'] === undefined ? ['global'] : path;
  report([...at, 'scrape_protocols'], {
    expected: 'PrometheusProto among them',
    hint: 'scrape_native_histograms is true, and no other format has native histograms',
    level: 'warning',
  });
}

/** Names cannot be kept as they are where they must be legacy names. */
function checkNames(scrape: Mapping, global: Mapping, path: Path, report: Report): void {
  const names = namesOf(scrape, global);
  if (names.metricNameValidationScheme !== 'legacy' || names.metricNameEscapingScheme !== 'allow-utf-8') return;
  const at = scrape['metric_name_escaping_scheme'] ? path : ['global'];
  report([...at, 'metric_name_escaping_scheme'], {
    expected: 'underscores, dots or values',
    hint: 'metric_name_validation_scheme is legacy, so UTF-8 names cannot be asked for',
  });
}

function checkFailureLog(section: Mapping, path: Path, report: Report): void {
  if (!section['scrape_failure_log_file']) return;
  const hint = 'a Worker has no files: each scrape that fails is a line of its log, with job and target';
  report([...path, 'scrape_failure_log_file'], { expected: 'no file', hint, level: 'warning' });
}
