/** The rules of remotes: of each, and between them. `rules.ts` runs them. */

import { isBareIp } from './addresses.ts';
import { DEFAULT_MAX_BACKOFF_MS, DEFAULT_MAX_SHARDS, DEFAULT_MIN_BACKOFF_MS, DEFAULT_MIN_SHARDS } from './defaults.ts';
import { formatDuration } from './duration.ts';
import { checkHttp, HTTP2_NO_MEANING } from './http-rules.ts';
import type { ValidationScheme } from './model.ts';
import type { Path } from './positions.ts';
import { checkRelabels } from './relabel.ts';
import { BARE_IP, checkMeaning, type NoMeaning, type Report, unique } from './report.ts';
import type { Mapping } from './tree.ts';
import { duration, isNo, isYes, mapping, valueAt } from './values.ts';

/** `scheme` is the one of names in the configuration. */
export function checkRemotes(remotes: readonly Mapping[], scheme: ValidationScheme, report: Report): void {
  for (const [i, remote] of remotes.entries()) {
    const path = ['remote_write', i];
    checkHttp(remote, 'headers', path, report);
    checkCertificate(remote, path, report);
    checkRelabels(remote, 'write_relabel_configs', scheme, path, report);
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
}

/** Keys of a remote that are right and mean nothing here: taken, so that a file works as it is, and said. */
const NO_MEANING: readonly NoMeaning[] = [
  HTTP2_NO_MEANING,
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
    const value = valueAt(remote, keys);
    if (side ? isNo(value) : isYes(value))
      report([...path, ...keys], { expected: String(side), hint, level: 'warning' });
  }
}

function checkSends(remote: Mapping, path: Path, report: Report): void {
  if (remote['protobuf_message'] === 'prometheus.WriteRequest') return;
  if (!isNo(remote['send_native_histograms'])) return;
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

/** Of a client certificate, which only a remote may have. */
function checkCertificate(remote: Mapping, path: Path, report: Report): void {
  const { cert_file: cert, key_file: keyFile } = mapping(remote['tls_config']);
  if (cert !== undefined && keyFile !== undefined && keyFile !== cert) {
    const hint = 'a binding is a certificate with its key';
    report([...path, 'tls_config', 'key_file'], { expected: 'the path of cert_file', hint });
  }
}
