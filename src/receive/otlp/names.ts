/**
 * Names of metrics and labels as Prometheus makes them of OTLP's (prometheus/otlptranslator 1.0, metric_namer.go, label_namer.go). Whether they are
 * escaped to letters, digits and underscores, and whether units and types become suffixes, is the strategy's.
 */

export interface NameRules {
  /** Any UTF-8 stays as it is. */
  readonly utf8: boolean;
  /** Units, `_total` and `_ratio` are appended. */
  readonly suffixes: boolean;
  /** `key` before labels that begin with one underscore. */
  readonly underscoreSanitization: boolean;
  /** Underscores next to each other stay apart. */
  readonly preserveUnderscores: boolean;
}

const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '1': '',
  '%': 'percent',
};
const PER_UNITS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

const of = (table: Readonly<Record<string, string>>, unit: string): string =>
  Object.hasOwn(table, unit) ? table[unit]! : unit;

/** The name of a metric; an Error says why it has none. */
export function metricName(name: string, unit: string, kind: 'counter' | 'gauge' | 'other', rules: NameRules): string {
  const built = rules.utf8 ? utf8Name(name, unit, kind, rules) : escapedName(name, unit, kind, rules);
  if (built === '' && !rules.utf8)
    throw new Error(`normalization for metric ${JSON.stringify(name)} resulted in empty name`);
  if (!rules.utf8 && built !== name && /^_*$/.test(built)) {
    throw new Error(
      `normalization for metric ${JSON.stringify(name)} resulted in invalid name ${JSON.stringify(built)}`,
    );
  }
  return built;
}

function escapedName(name: string, unit: string, kind: string, { suffixes }: NameRules): string {
  let built: string;
  if (suffixes) {
    let tokens = name.split(/[^a-zA-Z0-9:]/u).filter((token) => token !== '');
    const [main, per] = unitsOf(unit);
    tokens = withUnits(tokens, cleaned(main), cleaned(per));
    const last = kind === 'counter' ? 'total' : unit === '1' && kind === 'gauge' ? 'ratio' : null;
    if (last !== null) tokens = [...tokens.filter((token) => token !== last), last];
    built = tokens.join('_');
  } else {
    built = name
      .split(/[^a-zA-Z0-9:_]/u)
      .filter((token) => token !== '')
      .join('_');
  }
  return /^[0-9]/.test(built) ? `_${built}` : built;
}

function withUnits(tokens: readonly string[], main: string, per: string): string[] {
  let mainSuffix = tokens.includes(main) ? '' : main;
  let perSuffix = per === 'per_' ? '' : per.replace(/_$/, '');
  if (tokens.includes(perSuffix)) perSuffix = '';
  if (perSuffix !== '') mainSuffix = mainSuffix.replace(/_$/, '');
  return [...tokens, mainSuffix, perSuffix].filter((token) => token !== '');
}

function utf8Name(name: string, unit: string, kind: string, { suffixes }: NameRules): string {
  if (!suffixes) return name;
  let built = name;
  let after = '';
  if (unit === '1' && kind === 'gauge') {
    built = trimmed(built, 'ratio');
    after = '_ratio';
  }
  if (kind === 'counter') {
    built = trimmed(built, 'total');
    after = `_total${after}`;
  }
  const [main, per] = unitsOf(unit);
  if (per !== '') {
    built = trimmed(built, per);
    after = `_${per}${after}`;
  }
  if (main !== '' && !built.endsWith(main)) built += `_${main}`;
  return built + after;
}

/** Without the suffix and the character before it. */
const trimmed = (name: string, suffix: string): string =>
  name.endsWith(suffix) && new TextEncoder().encode(name).length > suffix.length + 1
    ? name.slice(0, -(suffix.length + 1))
    : name;

/** `By/s` as `bytes` and `per_second`; what stands in braces is an annotation. */
function unitsOf(unit: string): [main: string, per: string] {
  const slash = unit.indexOf('/');
  const main = (slash < 0 ? unit : unit.slice(0, slash)).trim();
  const per = slash < 0 ? '' : unit.slice(slash + 1).trim();
  const isUnit = (text: string): boolean => text !== '' && !/[{}]/.test(text);
  const perText = isUnit(per) ? of(PER_UNITS, per) : '';
  return [isUnit(main) ? of(UNITS, main) : '', perText === '' ? '' : `per_${perText}`];
}

const cleaned = (unit: string): string =>
  unit
    .replaceAll(/[^a-zA-Z0-9:]/gu, '_')
    .replaceAll(/_+/g, '_')
    .replace(/^_/, '');

/** The unit as metadata tells it. */
export function unitName(unit: string): string {
  const [main, per] = unitsOf(unit).map(cleaned) as [string, string];
  return (main !== '' && per !== '' ? `${main}_${per}` : main || per).replace(/^_/, '').replace(/_$/, '');
}

/** The name of a label; an Error says why it has none. */
export function labelName(name: string, rules: NameRules): string {
  if (name === '') throw new Error('label name is empty');
  let built = name;
  if (!rules.utf8) {
    const reserved = !rules.preserveUnderscores && /^__(.*)__$/su.exec(name);
    built = (reserved ? reserved[1]! : name).replaceAll(
      rules.preserveUnderscores ? /[^a-zA-Z0-9]/gu : /[^a-zA-Z0-9]+/gu,
      '_',
    );
    if (reserved) built = `__${built}__`;
    if (/^[0-9]/.test(built)) built = `key_${built}`;
    else if (rules.underscoreSanitization && /^_(?!_)/.test(built)) built = `key${built}`;
  }
  if (/^_*$/.test(built)) {
    throw new Error(
      rules.utf8
        ? `label name ${JSON.stringify(name)} contains only underscores`
        : `normalization for label name ${JSON.stringify(name)} resulted in invalid name ${JSON.stringify(built)}`,
    );
  }
  return built;
}
