/** Which exposition format a target is asked for, and which one it answered with: Prometheus' `acceptHeader` (scrape/scrape.go) and `extractMediaType` (model/textparse/interface.go). */

import type { EscapingScheme, ScrapeProtocol } from '../../config/model.ts';

/** How a body is read. OpenMetrics 0.0.1 and 1.0.0 are read alike, so are the text formats 0.0.4 and 1.0.0. */
export type BodyFormat = 'text' | 'openmetrics' | 'protobuf';

const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
const HEADERS: Readonly<Record<ScrapeProtocol, readonly [format: BodyFormat, header: string, escapes: boolean]>> = {
  PrometheusProto: ['protobuf', PROTOBUF, false],
  'PrometheusText0.0.4': ['text', 'text/plain;version=0.0.4', false],
  'PrometheusText1.0.0': ['text', 'text/plain;version=1.0.0', true],
  'OpenMetricsText0.0.1': ['openmetrics', 'application/openmetrics-text;version=0.0.1', false],
  'OpenMetricsText1.0.0': ['openmetrics', 'application/openmetrics-text;version=1.0.0', true],
};
const MEDIA_TYPES: ReadonlyMap<string, BodyFormat> = new Map([
  ['text/plain', 'text'],
  ['application/openmetrics-text', 'openmetrics'],
  ['application/vnd.google.protobuf', 'protobuf'],
]);

/** Prometheus 3.15 knows six protocols, and counts down from one more than that. */
const WEIGHT = 7;

/** The `Accept` header: what is asked for, best first, then anything. */
export function acceptHeader(protocols: readonly ScrapeProtocol[], escaping: EscapingScheme): string {
  const values = protocols.map((protocol, i) => {
    const [, header, escapes] = HEADERS[protocol];
    return `${header}${escapes ? `;escaping=${escaping}` : ''};q=0.${WEIGHT - i}`;
  });
  return [...values, `*/*;q=0.${WEIGHT - protocols.length}`].join(',');
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const MEDIA_TYPE = new RegExp(`^\\s*(${TOKEN}(?:/${TOKEN})?)\\s*(;.*)?$`);
const PARAMETER = new RegExp(`^;\\s*(${TOKEN})\\s*=\\s*(${TOKEN}|"(?:[^"\\\\]|\\\\.)*")\\s*`);

/**
 * How to read a body of this `Content-Type`: as it says, else as the fallback says. Without a fallback what is missing or unknown is an
 * error, since guessing hides what is wrong.
 */
export function bodyFormat(
  contentType: string,
  fallback: ScrapeProtocol | null,
): { readonly format: BodyFormat } | { readonly error: string } {
  const parsed = parseMediaType(contentType);
  const known = parsed === null ? undefined : MEDIA_TYPES.get(parsed.type);
  const isVersion2 = known === 'openmetrics' && parsed?.version === '2.0.0';
  if (known !== undefined && !isVersion2) return { format: known };
  if (fallback !== null) return { format: HEADERS[fallback][0] };
  const shown = JSON.stringify(contentType.slice(0, 200));
  let error: string;
  if (contentType === '') error = 'non-compliant scrape target sending blank Content-Type';
  else if (parsed === null) error = `cannot parse Content-Type ${shown}`;
  else if (isVersion2) error = `received OpenMetrics 2.0 Content-Type ${shown}, which is not read here`;
  else error = `received unsupported Content-Type ${shown}`;
  return {
    error: `${error} and no fallback_scrape_protocol specified for target (set it, or let the target send "text/plain; version=0.0.4")`,
  };
}

/** Type and version, or null where Go's `mime.ParseMediaType` would find a mistake. */
function parseMediaType(text: string): { type: string; version: string } | null {
  const match = MEDIA_TYPE.exec(text);
  if (match === null) return null;
  const parameters = new Map<string, string>();
  let rest = (match[2] ?? '').trimEnd();
  while (rest !== '' && !/^;\s*$/.test(rest)) {
    const parameter = PARAMETER.exec(rest);
    if (parameter === null) return null;
    const name = parameter[1]!.toLowerCase();
    const value = parameter[2]!.replace(/^"|"$/g, '');
    // Twice the same is once.
    if ((parameters.get(name) ?? value) !== value) return null;
    parameters.set(name, value);
    rest = rest.slice(parameter[0].length);
  }
  return { type: match[1]!.toLowerCase(), version: parameters.get('version') ?? '' };
}
