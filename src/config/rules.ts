/**
 * The rules between keys: what is unique, what is at most what, what excludes what. They look at the tree, not at what the
 * schema made of it, so that they are checked also when something else is wrong. A value that is wrong by itself is the
 * schema's to report, and is not looked at here.
 */

import { isBareIp } from './addresses.ts';
import { checkDiscoveries } from './discovery-rules.ts';
import { formatDuration, parseDuration } from './duration.ts';
import type { ValidationScheme } from './model.ts';
import { namesOf } from './names.ts';
import type { Path } from './positions.ts';
import { describe, problem, quote, type Problem } from './problems.ts';
import { checkRelabel } from './relabel.ts';
import { valueAt } from './schema-problems.ts';
import { BARE_IP, checkTargets } from './target-rules.ts';
import type { Mapping, Tree, Value } from './tree.ts';

export const DEFAULT_INTERVAL_MS = 60_000;
export const DEFAULT_MIN_BACKOFF_MS = 30;
export const DEFAULT_MAX_BACKOFF_MS = 5000;
export const DEFAULT_MIN_SHARDS = 1;
export const DEFAULT_MAX_SHARDS = 50;

export type Said = { expected: string; got?: string; hint?: string; level?: 'warning'; part?: 'key' | 'value' };

/** Where a report of this tree goes. */
function reporter(tree: Tree): { problems: Problem[]; report: Report } {
  const problems: Problem[] = [];
  const report: Report = (path, { got, part, ...said }) => {
    const value = got ?? describe(valueAt(tree.value, path), path);
    problems.push(problem(path, tree.positions.of(tree.value, path, part ?? 'value'), { ...said, got: value }));
  };
  return { problems, report };
}

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
  const promotesAll = /^(y|yes|on|true)$/i.test(String(otlp['promote_all_resource_attributes']));
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
  for (const [i, remote] of remotes.entries()) {
    const path = ['remote_write', i];
    checkAuth(remote, path, report);
    checkIdentity(remote, path, report);
    checkHeaders(remote, 'headers', path, report);
    checkRelabels(remote, 'write_relabel_configs', namesOf({}, global).metricNameValidationScheme, path, report);
    checkBackoff(mapping(remote['queue_config']), [...path, 'queue_config'], report);
    checkShards(mapping(remote['queue_config']), [...path, 'queue_config'], report);
    checkMeaning(remote, path, NO_MEANING, report);
    checkOneSided(remote, path, report);
    checkSends(remote, path, report);
    const url = remote['url'];
    if (typeof url === 'string' && isBareIp(url)) report([...path, 'url'], BARE_IP);
  }
  unique(
    remotes.map((remote) => remote['name'] || remote['url']),
    (i) => ['remote_write', i, remotes[i]?.['name'] ? 'name' : 'url'],
    (path) =>
      path.at(-1) === 'name'
        ? report(path, {
            expected: 'a name of its own',
            hint: 'each remote has its own place in the log, kept by name',
          })
        : report(path, { expected: 'a URL of its own', hint: 'two remotes with one URL each need a name' }),
  );
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
    checkAuth(scrape, path, report);
    checkIdentity(scrape, path, report);
    checkHeaders(scrape, 'http_headers', path, report);
    checkMeaning(scrape, path, SCRAPE_NO_MEANING, report);
    checkNative(scrape, global, path, report);
    checkFailureLog(scrape, path, report);
    checkTargets(scrape, path, report);
    const { metricNameValidationScheme: scheme } = namesOf(scrape, global);
    checkRelabels(scrape, 'relabel_configs', scheme, path, report);
    checkRelabels(scrape, 'metric_relabel_configs', scheme, path, report);
    checkDiscoveries(scrape, path, {
      report,
      checkAuth: (section, at) => {
        checkAuth(section, at, report);
        checkIdentity(section, at, report);
        checkHeaders(section, 'http_headers', at, report);
        checkMeaning(section, at, SCRAPE_NO_MEANING, report);
      },
      warnIp: (at) => report(at, BARE_IP),
    });
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

export type Report = (path: Path, said: Said) => void;

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
  if (!/^(y|yes|on|true)$/i.test(String(wanted)) || !Array.isArray(protocols)) return;
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

function checkAuth(section: Mapping, path: Path, report: Report): void {
  const at = [...path, 'authorization'];
  const authorization = section['authorization'];
  if (authorization === undefined) return;
  if (section['basic_auth'] !== undefined) {
    report(at, { expected: 'basic_auth or authorization', got: 'both', part: 'key' });
  }
  if (typeof authorization !== 'object' || Array.isArray(authorization)) return;
  // Of its other keys, credentials_file and the like, the schema says that they are not supported.
  const others = Object.keys(authorization).filter((key) => key !== 'type');
  if (authorization['credentials'] === undefined && others.every((key) => key === 'credentials'))
    report([...at, 'credentials'], { expected: 'credentials' });
}

function checkRelabels(section: Mapping, key: string, scheme: ValidationScheme, path: Path, report: Report): void {
  for (const [i, rule] of list(section[key]).entries()) {
    if (typeof rule === 'string' || Array.isArray(rule)) continue;
    checkRelabel(mapping(rule), scheme, [...path, key, i], report);
  }
}

/** A request says in one way who it is from. */
function checkIdentity(remote: Mapping, path: Path, report: Report): void {
  const ways = ['basic_auth', 'authorization', 'bearer_token', 'oauth2', 'sigv4', 'azuread', 'google_iam'];
  const set = ways.filter((way) => remote[way] !== undefined);
  // Of the first two the rule above speaks.
  const second = set.slice(1).find((way) => way !== 'authorization');
  if (second !== undefined) {
    report([...path, second], {
      expected: `at most one of ${ways.join(', ')}`,
      got: `${set.join(' and ')}`,
      part: 'key',
    });
  }
  const { cert_file: cert, key_file: keyFile } = mapping(remote['tls_config']);
  if (cert !== undefined && keyFile !== undefined && keyFile !== cert) {
    const hint = 'a binding is a certificate with its key';
    report([...path, 'tls_config', 'key_file'], { expected: 'the path of cert_file', hint });
  }
  const sigv4 = mapping(remote['sigv4']);
  if (sigv4['external_id'] !== undefined && sigv4['role_arn'] === undefined)
    report([...path, 'sigv4', 'external_id'], { expected: 'role_arn beside it', part: 'key' });
  const oauth2 = mapping(remote['oauth2']);
  const key = [...path, 'oauth2', 'client_certificate_key'];
  const isJwt = String(oauth2['grant_type']).endsWith(':jwt-bearer');
  const others = Object.keys(oauth2).some(
    (name) => name.startsWith('client_certificate_key_') && !name.endsWith('_id'),
  );
  if (isJwt && oauth2['client_certificate_key'] === undefined && !others) {
    report(key, { expected: 'a key in PEM: the grant is a signed JWT' });
  }
}

/** Header names are compared without case, so YAML does not see that two are the same. */
function checkHeaders(section: Mapping, key: string, path: Path, report: Report): void {
  const names = Object.keys(mapping(section[key]));
  unique(
    names.map((name) => name.toLowerCase()),
    (i) => [...path, key, names[i]!],
    (at) => report(at, { expected: 'each header once', got: `${quote(String(at.at(-1)))} again`, part: 'key' }),
  );
}

type NoMeaning = readonly [path: readonly string[], hint: string];
const HTTP_VERSION = 'Workers choose the HTTP version themselves';
const NO_RULES = 'Narthex evaluates no rules: they stay where the samples are written to';
/** Keys of a whole configuration that are right and mean nothing here. */
const GLOBAL_NO_MEANING: readonly NoMeaning[] = [
  [['runtime'], 'there is no Go runtime; the level of a log is chosen where it is read'],
  [['global', 'evaluation_interval'], NO_RULES],
  [['global', 'rule_query_offset'], NO_RULES],
  [['global', 'query_log_file'], 'there is no query engine here'],
];
/** The same of scrapes and discoveries. */
const SCRAPE_NO_MEANING: readonly NoMeaning[] = [[['enable_http2'], HTTP_VERSION]];

/** Keys of a remote that are right and mean nothing here: taken, so that a file works as it is, and said. */
const NO_MEANING: readonly NoMeaning[] = [
  [['enable_http2'], HTTP_VERSION],
  [['failed_request_logging'], 'the page says why a request failed; what was in it is never written down'],
  [['queue_config', 'capacity'], 'there is no queue in memory: what is not sent yet waits in the log'],
  [['queue_config', 'batch_send_deadline'], 'samples are logged within 5s of their scrape, and sent from there'],
];

/** Flags of a remote of which only one side exists here. */
const ONE_SIDED: readonly (readonly [path: readonly string[], side: boolean, hint: string])[] = [
  [['queue_config', 'retry_on_http_429'], true, 'a 429 is always tried again: dropping samples is loss'],
  [['round_robin_dns'], false, 'Workers resolve names themselves'],
];

function checkOneSided(remote: Mapping, path: Path, report: Report): void {
  for (const [keys, side, hint] of ONE_SIDED) {
    const other = side ? /^(n|no|off|false)$/i : /^(y|yes|on|true)$/i;
    if (other.test(String(valueAt(remote, keys))))
      report([...path, ...keys], { expected: String(side), hint, level: 'warning' });
  }
}

function checkMeaning(section: Mapping, path: Path, meaningless: readonly NoMeaning[], report: Report): void {
  for (const [keys, hint] of meaningless) {
    if (valueAt(section, keys) === undefined) continue;
    report([...path, ...keys], { expected: 'no such key: it has no effect', hint, level: 'warning', part: 'key' });
  }
}

function checkFailureLog(section: Mapping, path: Path, report: Report): void {
  if (!section['scrape_failure_log_file']) return;
  const hint = 'a Worker has no files: each scrape that fails is a line of its log, with job and target';
  report([...path, 'scrape_failure_log_file'], { expected: 'no file', hint, level: 'warning' });
}

function checkSends(remote: Mapping, path: Path, report: Report): void {
  if (remote['protobuf_message'] === 'prometheus.WriteRequest') return;
  if (!/^(n|no|off|false)$/i.test(String(remote['send_native_histograms']))) return;
  const hint = 'Remote Write 2.0 always has native histograms; they are left out only where 1.0 is sent';
  report([...path, 'send_native_histograms'], { expected: 'true', hint, level: 'warning' });
}

function checkBackoff(queue: Mapping, path: Path, report: Report): void {
  const min = queue['min_backoff'] === undefined ? DEFAULT_MIN_BACKOFF_MS : duration(queue['min_backoff']);
  const max = queue['max_backoff'] === undefined ? DEFAULT_MAX_BACKOFF_MS : duration(queue['max_backoff']);
  if (min === undefined || max === undefined || min <= max) return;
  const [key, expected] =
    queue['max_backoff'] === undefined
      ? ['min_backoff', `at most max_backoff, ${formatDuration(max)} when it is not set`]
      : ['max_backoff', `at least min_backoff, ${formatDuration(min)}`];
  report([...path, key], { expected });
}

function checkShards(queue: Mapping, path: Path, report: Report): void {
  const min = queue['min_shards'] === undefined ? DEFAULT_MIN_SHARDS : Number(queue['min_shards']);
  const max = queue['max_shards'] === undefined ? DEFAULT_MAX_SHARDS : Number(queue['max_shards']);
  if (min > max) report([...path, 'min_shards'], { expected: `at most max_shards, ${max}` });
}

/** Calls `again` for each value that stood earlier in the list. */
function unique(values: readonly Value[], pathOf: (i: number) => Path, again: (path: Path) => void): void {
  const seen = new Set<string>();
  for (const [i, value] of values.entries()) {
    if (typeof value !== 'string' || value === '') continue;
    if (seen.has(value)) again(pathOf(i));
    seen.add(value);
  }
}

function duration(value: Value): number | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return parseDuration(value);
  } catch {
    return undefined;
  }
}

const list = (value: Value): Value[] => (Array.isArray(value) ? value : []);

const mapping = (value: Value): Mapping => (typeof value === 'object' && !Array.isArray(value) ? value : {});
