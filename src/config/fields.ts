/**
 * The kinds of values that a configuration holds: what each accepts, what it becomes, and what a report calls it. Every value comes as
 * text (`tree.ts`), so `true` and `"true"` are the same here; Prometheus refuses the second.
 *
 * A schema's message is what was *expected*; the reason goes into `params.hint`. `problems.ts` and `load.ts` put them together.
 */

import { regexpOf } from '../relabel/regexp.ts';
import { globOf, objectName } from '../model/glob.ts';
import { compareUtf8, labelsFrom, METRIC_NAME, type Labels } from '../model/labels.ts';
import { parseDuration } from './duration.ts';
import { yamlNumber } from './numbers.ts';
import { quote } from './problems.ts';
import { parseSize } from './sizes.ts';
import { SECRET } from './secrets.ts';
import type { Mapping } from './tree.ts';
import { headerProblem, parseRemoteUrl, SELF } from './addresses.ts';
import { ESCAPING_SCHEMES, RELABEL_ACTIONS, SCRAPE_PROTOCOLS, type ScrapeProtocol } from './model.ts';
import { isNo, isYes } from './values.ts';
import * as z from './zod.ts';

/** A value that is text, checked and converted by `parse`, which throws an Error whose message is the hint. */
export function field<T>(expected: string, parse: (text: string) => T) {
  return z.pipe(
    z.string({ error: expected }),
    z.transform((text: string, payload) => {
      try {
        return parse(text);
      } catch (error) {
        const hint = (error as Error).message;
        payload.issues.push({ code: 'custom', message: expected, input: text, params: hint === '' ? {} : { hint } });
        return z.NEVER;
      }
    }),
  );
}

/** An Error without a hint: the expectation says it all. */
const fail = (hint = ''): never => {
  throw new Error(hint);
};

const wellFormed = (value: string): string => (value.isWellFormed() ? value : fail('it is not valid Unicode'));

export const text = field('text', wellFormed);

export const nonEmpty = (what: string) => field(what, (value) => (value === '' ? fail() : wellFormed(value)));

export const oneOf = <const T extends string>(...allowed: readonly T[]) =>
  field(allowed.join(' or '), (value) => allowed.find((one) => one === value) ?? fail());

/** Of the actions of relabelling; in any case, as in Prometheus. */
export const relabelAction = field(
  'a relabel action',
  (value) =>
    RELABEL_ACTIONS.find((action) => action === value.toLowerCase()) ?? fail(`they are ${RELABEL_ACTIONS.join(', ')}`),
);

export const regex = field('a regular expression (RE2)', (value) => {
  regexpOf(wellFormed(value));
  return value;
});

/** As `oneOf`, but the empty text means "not set", as in Prometheus. */
export const oneOfOrNone = <const T extends string>(...allowed: readonly T[]) =>
  field(allowed.join(' or '), (value): T | '' =>
    value === '' ? '' : (allowed.find((one) => one === value) ?? fail()),
  );

export const validationScheme = oneOfOrNone('utf8', 'legacy');

export const escapingScheme = oneOfOrNone(...ESCAPING_SCHEMES);

const PROTOCOLS = `one of ${SCRAPE_PROTOCOLS.join(', ')}`;

export const scrapeProtocol = field(PROTOCOLS, protocolFrom);

/** The empty text means "not set", as in Prometheus. */
export const fallbackProtocol = field(PROTOCOLS, (value) => (value === '' ? value : protocolFrom(value)));

function protocolFrom(value: string): ScrapeProtocol {
  const found = SCRAPE_PROTOCOLS.find((one) => one.toLowerCase() === value.toLowerCase());
  if (found === value) return value;
  if (/^openmetricstext2/i.test(value)) fail('OpenMetrics 2.0 is an experiment of Prometheus, and not read here');
  return fail(found === undefined ? '' : `it is spelled ${found}`);
}

export const flag = field('true or false', (value) => {
  if (isYes(value)) return true;
  return isNo(value) ? false : fail();
});

/** `1e6` is a whole number too, and of 1.5 Prometheus takes the 1. */
function wholeFrom(least: number): (value: string) => number {
  return (value) => {
    const number = Math.trunc(yamlNumber(value) ?? -1);
    return Number.isSafeInteger(number) && number >= least ? number : fail();
  };
}

export const whole = field('a whole number, 0 or more', wholeFrom(0));

export const positive = field('a whole number, 1 or more', wholeFrom(1));

export const number = field('a number', (value) => yamlNumber(value) ?? fail());

export const size = field('a size like 10MB', parseSize);

/** Milliseconds of a duration; 0 where Prometheus takes 0 for "not set". */
export const duration = field('a duration like 15s or 1m30s', parseDuration);

export const positiveDuration = field(
  'a duration like 15s or 1m30s',
  (value) => parseDuration(value) || fail('it must be more than 0'),
);

/** A slot is claimed by a round, and rounds wait: a shorter interval would only queue up. */
export const interval = field('a duration like 15s or 1m30s', (value) => {
  const ms = parseDuration(value);
  return ms === 0 || ms >= 1000 ? ms : fail('the shortest interval is 1s');
});

export const metricsPath = field('a path like /metrics', (value) => {
  if (/[?#]/.test(value)) fail('query parameters go under params');
  if (/^[a-z]+:\/\//i.test(value)) fail('only the path; scheme and host have their own places');
  return value.startsWith('/') ? wellFormed(value) : `/${wellFormed(value)}`;
});

/** What it must be is a rule (`target-rules.ts`): relabelling may make an address of any text. */
export const target = field('a target like "host:9100", or "self"', wellFormed);

export const remoteUrl = field('a URL like https://host/api/v1/write', parseRemoteUrl);

export const tokenUrl = field('a URL like https://host/oauth2/token', (value) =>
  URL.canParse(value) && new URL(value).hostname === SELF
    ? fail('a deployment gives no tokens')
    : parseRemoteUrl(value),
);

/** The name of an mTLS certificate binding of the Worker, in the place of a file. */
export const certificate = field('a path like /bindings/NAME', (value) => {
  const name = /^\/bindings\/([A-Za-z_]\w{0,127})$/.exec(value)?.[1];
  if (name === undefined) fail('a Worker has no files: NAME is a binding of mtls_certificates in wrangler.toml');
  return name!;
});

/** A service account's key, as Google gives it: what of it a token is asked with. */
export const googleKey = field('the key of a service account, as JSON', (value) => {
  // Without a deployment there is none to look at.
  if (value === SECRET)
    return { client_email: SECRET, private_key: SECRET, private_key_id: '', token_uri: GOOGLE_TOKEN };
  let key: Record<string, unknown> = {};
  try {
    key = Object(JSON.parse(value)) as Record<string, unknown>;
  } catch {
    fail('it is not JSON');
  }
  const { client_email, private_key, private_key_id, token_uri = GOOGLE_TOKEN, type } = key;
  if (type !== undefined && type !== 'service_account') fail('its type is not service_account');
  if (typeof client_email !== 'string' || typeof private_key !== 'string')
    fail('client_email and private_key are not in it');
  if (typeof token_uri !== 'string' || !/^https:\/\/[^/]/.test(token_uri)) fail('its token_uri is no https:// address');
  return {
    client_email: client_email as string,
    private_key: private_key as string,
    private_key_id: typeof private_key_id === 'string' ? private_key_id : '',
    token_uri: token_uri as string,
  };
});

const GOOGLE_TOKEN = 'https://oauth2.googleapis.com/token';

/** A secret that is no header of its own. */
export const secret = field('a secret', (value) => (value === '' ? fail() : wellFormed(value)));

/** Where a service discovery is asked. Never the deployment itself: it answers no such question, and an answer is not to be trusted that much. */
export const httpUrl = field('a URL like https://host/path', (value) => {
  const url = new URL(parseRemoteUrl(value));
  return url.hostname === SELF ? fail('the deployment itself answers no discovery') : value;
});

/** Shorter ones cost more than they find. */
export const discoveryInterval = field('a duration like 30s or 5m', (value) => {
  const ms = parseDuration(value);
  return ms === 0 || ms >= 1000 ? ms : fail('the shortest refresh_interval is 1s');
});

export const port = field('a port', (value) => {
  const number = Number(value);
  return /^[0-9]{1,5}$/.test(value) && number < 65_536 ? number : fail();
});

/** The pattern is Prometheus' (discovery/file). */
export const fileName = field('a name like targets/*.json', (value) => {
  if (!/^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$/.test(value))
    fail('the name ends in .json, .yml or .yaml, and only its last part may hold one "*"');
  if (/(^|\/)\.{1,2}(\/|$)/.test(value))
    fail('no "." and ".." in a name: it names an object under files/ in the bucket');
  return wellFormed(value);
});

/** The pattern is Prometheus' (config/config.go, `patRulePath`). */
export const configFile = field('a name like jobs/*.yml', (value) => {
  const name = objectName(wellFormed(value));
  if (name === '' || !/^[^*]*(\*[^/]*)?$/.test(name)) fail('only its last part may hold one "*"');
  if (/(^|\/)\.{1,2}(\/|$)/.test(name))
    fail('no "." and ".." in a name: it names an object under files/ in the bucket');
  return globOf(name) === null ? fail('a "[" or a backslash ends too early') : value;
});

/** As Prometheus checks it (storage/remote/azuread). */
export const azureScope = field('a scope like https://monitor.azure.com//.default', (value) =>
  /^[\w\s:/.-]*$/.test(value) ? value : fail('it has letters, digits, blanks and :/._- only'),
);

/** Kubernetes checks the rest. */
export const selector = field('a selector like app=web', wellFormed);

export const separator = text;

export const secretText = field('a secret', (value) => {
  const unfit = headerProblem(value);
  return unfit === undefined ? value : fail(unfit);
});

export const password = field('a password', wellFormed);

export const credentials = field('credentials', (value) => {
  if (value === '') fail();
  const unfit = headerProblem(value);
  return unfit === undefined ? value : fail(unfit);
});

export const authorizationType = field('an authorization type like Bearer', (value) => {
  const type = value.trim() || 'Bearer';
  if (type.toLowerCase() === 'basic') fail('use basic_auth for this');
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(type) ? type : fail('it must be one word');
});

/** A mapping with keys of the user's own; `parse` throws `[hint, part]` for an entry that is wrong. */
function entries<T>(what: string, one: string, parse: (key: string, value: unknown) => T) {
  return z.pipe(
    z.custom<Mapping>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), { error: what }),
    z.transform((mapping: Mapping, payload) => {
      const parsed: T[] = [];
      for (const [key, value] of Object.entries(mapping)) {
        try {
          parsed.push(parse(key, value));
        } catch (error) {
          const { message, part, expected } = error as EntryError;
          const params = { part, ...(message === '' ? {} : { hint: message }) };
          payload.issues.push({ code: 'custom', message: expected ?? one, input: mapping, path: [key], params });
        }
      }
      return parsed;
    }),
  );
}

class EntryError extends Error {
  readonly part: 'key' | 'value';
  readonly expected: string | undefined;

  constructor(part: 'key' | 'value', hint = '', expected?: string) {
    super(hint);
    this.part = part;
    this.expected = expected;
  }
}

/** A label: its value may be a scalar or nothing, which is the empty value, which is no label. */
function label(name: string, value: unknown): [string, string] {
  if (name === '' || !name.isWellFormed()) throw new EntryError('key', '', 'a label name');
  if (name === METRIC_NAME) throw new EntryError('key', 'it is the name of the metric', 'another label name');
  if (value !== undefined && typeof value !== 'string') throw new EntryError('value');
  const known = value ?? '';
  if (!known.isWellFormed()) throw new EntryError('value', 'it is not valid Unicode');
  return [name, known];
}

const toLabels = z.transform((pairs: [string, string][]): Labels => labelsFrom(pairs));

export const labels = z.pipe(entries('a mapping of labels', 'a label value', label), toLabels);

/** URL parameters, one entry a value, sorted by name as Prometheus sends them. */
export const params = z.pipe(
  entries('a mapping of lists', 'a list of texts', (name, value): [string, string[]] => {
    if (typeof value === 'string') throw new EntryError('value', `write it as a list: [${quote(value)}]`);
    if (value === undefined) return [name, []];
    if (!Array.isArray(value)) throw new EntryError('value');
    return [
      name,
      value.map((one) => {
        if (one !== undefined && typeof one !== 'string') throw new EntryError('value');
        return one ?? '';
      }),
    ];
  }),
  z.transform((lists: [string, string[]][]) =>
    lists
      .toSorted(([a], [b]) => compareUtf8(a, b))
      .flatMap(([name, values]) => values.map((value): [string, string] => [name, value])),
  ),
);

/** Names and texts, in the order of the file. */
export const texts = entries('a mapping of texts', 'a text', (name, value): [string, string] => {
  if (typeof value !== 'string') throw new EntryError('value');
  return [name, wellFormed(value)];
});

/** Set by Narthex itself, or about the connection; the list is Prometheus'. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    'host content-encoding content-length content-type user-agent connection keep-alive transfer-encoding ' +
    'proxy-authenticate proxy-authorization www-authenticate accept-encoding x-prometheus-remote-write-version ' +
    'x-prometheus-remote-read-version x-prometheus-scrape-timeout-seconds x-amz-date x-amz-security-token x-amz-content-sha256'
  ).split(' '),
);

export const headers = entries('a mapping of headers', 'a header value', (name, value): [string, string] => [
  headerName(name),
  headerValue(value),
]);

/** Where the values of a header stand: all alike but for who may see them. */
const HEADER_LISTS: readonly string[] = ['values', 'secrets', 'files'];

/** `X-Name: { values: […], secrets: […], files: […] }`, one entry a value, in Prometheus' order. */
export const httpHeaders = z.pipe(
  entries('a mapping of headers', 'lists of header values', (name, value): [string, string][] => {
    const header = headerName(name);
    if (value === undefined) return [];
    const lists = value as Mapping;
    if (
      typeof value === 'string' ||
      Array.isArray(value) ||
      Object.keys(lists).some((key) => !HEADER_LISTS.includes(key))
    ) {
      throw new EntryError('value', `its keys are ${HEADER_LISTS.join(', ')}`);
    }
    return HEADER_LISTS.flatMap((key) => {
      const list = lists[key] ?? [];
      if (!Array.isArray(list)) throw new EntryError('value', `${key} is a list`);
      return list.map((one): [string, string] => [header, headerValue(one)]);
    });
  }),
  z.transform((lists: [string, string][][]) => lists.flat()),
);

function headerName(name: string): string {
  const lower = name.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new EntryError('key', '', 'a header name');
  if (lower === 'authorization') {
    throw new EntryError('key', 'use basic_auth or authorization for this', 'another header name');
  }
  if (RESERVED.has(lower)) throw new EntryError('key', 'it is reserved', 'another header name');
  return name;
}

function headerValue(value: unknown): string {
  if (typeof value !== 'string') throw new EntryError('value');
  const unfit = headerProblem(value);
  if (unfit !== undefined) throw new EntryError('value', unfit);
  return value;
}
