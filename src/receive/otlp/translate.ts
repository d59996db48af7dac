/**
 * From OTLP metrics to series, as Prometheus translates them (storage/remote/otlptranslator/prometheusremotewrite, 3.15): resource attributes become
 * `job`, `instance` and `target_info`, histograms classic ones, exponential histograms native ones, summaries quantiles. A data point that
 * cannot be translated is refused with its reason and the others go on, where Prometheus refuses the request. Delta temporality is refused, as in
 * Prometheus by default.
 */

import type { OtlpConfig } from '../../config/model.ts';
import type { RequestBuilder } from '../../encoding/remote-write/builder.ts';
import type { Histogram } from '../../model/histogram.ts';
import { compareUtf8, METRIC_NAME } from '../../model/labels.ts';
import { STALE_HI, STALE_LO } from '../../model/sample.ts';
import {
  type Attributes,
  CUMULATIVE,
  type Exemplar,
  type Metric,
  type Point,
  type ResourceMetrics,
  type ScopeMetrics,
} from './model.ts';
import { customHistogram, exponentialHistogram } from './histograms.ts';
import { labelName, metricName, type NameRules, unitName } from './names.ts';

export interface Translated {
  /** By reason: how many data points. */
  readonly refused: ReadonlyMap<string, number>;
  /** Exemplars that have no value, or are of a gauge, which has none in Prometheus. */
  readonly exemplarsRefused: number;
  /** Whether all was translated: false when there are more samples than are taken. */
  readonly whole: boolean;
}

export interface TranslateLimits {
  readonly samplesMax: number;
  /** How old a sample may be: `target_info` is not repeated from before. */
  readonly pastMs: number;
}

/** Half of Prometheus' lookback: how often `target_info` is repeated from the first to the last sample of a resource. */
const TARGET_INFO_EVERY_MS = 150_000;
const IDENTIFYING = ['service.namespace', 'service.name', 'service.instance.id'];
const STALE = Symbol('stale');
/** Types of the metadata of Remote Write 2.0. */
const TYPES = { unknown: 0, counter: 1, gauge: 2, histogram: 3, exponential_histogram: 3, summary: 5 } as const;
/** Labels of an exemplar have so many characters together, names included; beyond it the attributes are left out. */
const EXEMPLAR_CHARACTERS_MAX = 128;

/** Texts beyond this are no reasons any more. */
const REASONS_MAX = 20;

export function translate(
  request: readonly ResourceMetrics[],
  config: OtlpConfig,
  builder: RequestBuilder,
  limits: TranslateLimits,
  nowMs: number,
): Translated {
  return new Translator(config, builder, limits, nowMs).request(request);
}

interface Family {
  readonly name: string;
  readonly type: number;
  readonly help: string;
  readonly unit: string;
}

/** What becomes a series. */
interface Sample {
  readonly labels: ReadonlyMap<string, string>;
  readonly name: string;
  readonly extra?: readonly [string, string];
  readonly t: number;
  readonly startT: number;
  readonly value: number | typeof STALE | Histogram;
  readonly exemplars?: readonly Exemplar[];
}

class Translator {
  readonly #config: OtlpConfig;
  readonly #rules: NameRules;
  readonly #builder: RequestBuilder;
  readonly #limits: TranslateLimits;
  readonly #nowMs: number;
  readonly #refused = new Map<string, number>();
  readonly #labelNames = new Map<string, string>();
  readonly #targetInfo = new Set<string>();
  #samples = 0;
  #exemplarsRefused = 0;
  /** Of the resource and scope at hand. */
  #promoted: readonly (readonly [string, string])[] = [];
  #identity: readonly (readonly [string, string])[] = [];
  #scope: readonly (readonly [string, string])[] = [];

  constructor(config: OtlpConfig, builder: RequestBuilder, limits: TranslateLimits, nowMs: number) {
    this.#config = config;
    this.#builder = builder;
    this.#limits = limits;
    this.#nowMs = nowMs;
    const strategy = config.translationStrategy;
    this.#rules = {
      utf8: strategy === 'NoUTF8EscapingWithSuffixes' || strategy === 'NoTranslation',
      suffixes: strategy === 'UnderscoreEscapingWithSuffixes' || strategy === 'NoUTF8EscapingWithSuffixes',
      underscoreSanitization: config.labelNameUnderscoreSanitization,
      preserveUnderscores: config.labelNamePreserveMultipleUnderscores,
    };
  }

  request(request: readonly ResourceMetrics[]): Translated {
    for (const resource of request) {
      const points = resource.scopes.flatMap(({ metrics }) => metrics.flatMap((metric) => metric.points));
      if (
        !this.#try(
          () => points.length,
          () => this.#resource(resource.attributes),
        )
      )
        continue;
      for (const scope of resource.scopes) this.#scopeMetrics(scope);
      if (points.length > 0) {
        let minMs = Infinity;
        let maxMs = 0;
        for (const { timeMs } of points) {
          minMs = Math.min(minMs, timeMs);
          maxMs = Math.max(maxMs, timeMs);
        }
        this.#try(
          () => 0,
          () => this.#addTargetInfo(resource.attributes, minMs, maxMs),
        );
      }
    }
    return {
      refused: this.#refused,
      exemplarsRefused: this.#exemplarsRefused,
      whole: this.#samples <= this.#limits.samplesMax,
    };
  }

  /** Does a part of the work; when it cannot be done, as many data points as `points` says then are refused with the reason. */
  #try(points: () => number, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const { message } = error as Error;
      const reason = this.#refused.has(message) || this.#refused.size < REASONS_MAX ? message : 'other reasons';
      this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + points());
      return false;
    }
  }

  #resource(attributes: Attributes): void {
    const all = new Map(attributes);
    const name = all.get('service.name');
    const namespace = all.get('service.namespace');
    const instance = all.get('service.instance.id');
    this.#identity = [
      ['job', name === undefined ? '' : namespace === undefined ? name : `${namespace}/${name}`] as const,
      ['instance', instance ?? ''] as const,
    ].filter(([, value]) => value !== '');
    const {
      promoteAllResourceAttributes: everything,
      promoteResourceAttributes,
      ignoreResourceAttributes,
    } = this.#config;
    const listed = everything ? ignoreResourceAttributes : promoteResourceAttributes;
    this.#promoted = attributes
      .filter(([key]) => listed.includes(key) !== everything)
      .map(([key, value]) => [this.#label(key), value]);
  }

  #scopeMetrics({ name, version, schemaUrl, attributes, metrics }: ScopeMetrics): void {
    this.#scope = [];
    const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
    if (this.#config.promoteScopeMetadata && name !== '') {
      const promoted = this.#try(
        () => points,
        () => {
          this.#scope = [
            ...attributes.map(([key, value]) => [this.#label(`otel_scope_${key}`), value] as const),
            ['otel_scope_name', name],
            ['otel_scope_version', version],
            ['otel_scope_schema_url', schemaUrl],
          ];
        },
      );
      if (!promoted) return;
    }
    for (const metric of metrics) {
      if (this.#samples > this.#limits.samplesMax) return;
      let done = 0;
      const add = (): void => {
        const family = this.#family(metric);
        for (const point of metric.points) {
          this.#point(metric, family, point);
          done++;
        }
      };
      this.#try(() => metric.points.length - done, add);
    }
  }

  #family({ name, unit, description, kind, monotonic, temporality }: Metric): Family {
    if (kind === null) throw new Error(`metric ${JSON.stringify(name)} has an unsupported metric type`);
    if (kind !== 'gauge' && kind !== 'summary' && temporality !== CUMULATIVE) {
      throw new Error(`invalid temporality and type combination for metric ${JSON.stringify(name)}`);
    }
    const counter = kind === 'sum' && monotonic;
    const built = metricName(name, unit, counter ? 'counter' : kind === 'gauge' ? 'gauge' : 'other', this.#rules);
    const type = counter ? TYPES.counter : kind === 'sum' ? TYPES.gauge : TYPES[kind];
    return { name: built, type, help: description, unit: unitName(unit) };
  }

  #point({ kind }: Metric, family: Family, point: Point): void {
    const labels = this.#labels(point.attributes, [METRIC_NAME], true);
    const { name } = family;
    const { timeMs: t, startMs: startT, stale } = point;
    const add = (
      name: string,
      value: number | Histogram,
      extra?: readonly [string, string],
      exemplars?: readonly Exemplar[],
    ): void =>
      this.#add(
        {
          labels,
          name,
          t,
          startT,
          value: stale && typeof value === 'number' ? STALE : value,
          ...(extra && { extra }),
          ...(exemplars && { exemplars }),
        },
        family,
      );
    if (kind === 'gauge') {
      add(name, point.value);
      this.#exemplarsRefused += point.exemplars.length;
      return;
    }
    const exemplars = point.exemplars.filter(({ value }) => value !== null);
    this.#exemplarsRefused += point.exemplars.length - exemplars.length;
    if (kind === 'sum') {
      add(name, point.value, undefined, exemplars);
      return;
    }
    if (kind === 'exponential_histogram') {
      add(name, exponentialHistogram(point), undefined, exemplars);
      return;
    }
    if (kind === 'histogram' && this.#config.convertHistogramsToNhcb) {
      add(name, customHistogram(point), undefined, exemplars);
      return;
    }
    if (point.sum !== null) add(`${name}_sum`, point.sum);
    add(`${name}_count`, point.count);
    if (kind === 'summary') {
      for (const [quantile, value] of point.quantiles) add(name, value, ['quantile', plain(quantile)]);
      return;
    }
    let cumulative = 0;
    // Buckets ascend, and so do exemplars where they matter: each goes to the first bucket that it fits into, behind the one before.
    let next = 0;
    for (let i = 0; i < point.bounds.length && i < point.bucketCounts.length; i++) {
      const bound = point.bounds[i]!;
      const first = next;
      while (next < exemplars.length && !(exemplars[next]!.value! > bound)) next++;
      cumulative += point.bucketCounts[i]!;
      add(`${name}_bucket`, cumulative, ['le', plain(bound)], exemplars.slice(first, next));
    }
    add(`${name}_bucket`, point.count, ['le', '+Inf'], exemplars.slice(next));
  }

  /** Labels of attributes, and what every series of the resource and scope has. */
  #labels(attributes: Attributes, ignored: readonly string[], ofPoint: boolean): Map<string, string> {
    const labels = new Map<string, string>();
    const sorted = attributes.filter(([key]) => !ignored.includes(key)).toSorted(([a], [b]) => compareUtf8(a, b));
    for (const [key, value] of sorted) {
      const name = this.#rules.utf8 ? key : this.#label(key);
      const there = labels.get(name) ?? '';
      set(labels, name, there === '' || this.#rules.utf8 ? value : `${there};${value}`);
    }
    if (ofPoint) {
      for (const [name, value] of this.#promoted) if (!labels.has(name)) set(labels, name, value);
    }
    for (const [name, value] of this.#identity) set(labels, name, value);
    if (ofPoint) for (const [name, value] of this.#scope) set(labels, name, value);
    return labels;
  }

  #label(key: string): string {
    const known = this.#labelNames.get(key);
    if (known !== undefined) return known;
    const name = labelName(key, this.#rules);
    this.#labelNames.set(key, name);
    return name;
  }

  /** One sample of 1 at least at every interval from the first to the last of the resource, where that tells more than job and instance. */
  #addTargetInfo(attributes: Attributes, minMs: number, maxMs: number): void {
    const identifying = IDENTIFYING.filter((key) => attributes.some(([name]) => name === key));
    if (attributes.length - identifying.length === 0) return;
    const ignored = this.#config.keepIdentifyingResourceAttributes ? [] : IDENTIFYING;
    const labels = this.#labels(attributes, ignored, false);
    if (!labels.has('job') && !labels.has('instance')) return;
    const family = { name: 'target_info', type: TYPES.gauge, help: 'Target metadata', unit: '' };
    const key = JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
    const add = (t: number): void => {
      const seen = `${t} ${key}`;
      if (this.#targetInfo.has(seen)) return;
      this.#targetInfo.add(seen);
      this.#add({ labels, name: 'target_info', t, startT: 0, value: 1 }, family);
    };
    // What is older would be refused as too old, one by one.
    const skipped = Math.max(0, Math.ceil((this.#nowMs - this.#limits.pastMs - minMs) / TARGET_INFO_EVERY_MS));
    const untilMs = Math.min(maxMs, this.#nowMs + this.#limits.pastMs);
    for (let t = minMs + skipped * TARGET_INFO_EVERY_MS; t < untilMs; t += TARGET_INFO_EVERY_MS) add(t);
    add(maxMs);
  }

  #add({ labels: base, name, extra, t, startT, value, exemplars = [] }: Sample, family: Family): void {
    const labels = new Map(base);
    if (extra !== undefined) labels.set(...(extra as [string, string]));
    labels.set(METRIC_NAME, name);
    this.#samples++;
    const builder = this.#builder;
    const refs = this.#refs(labels);
    const help = builder.symbol(family.help);
    const unit = builder.symbol(family.unit);
    for (const exemplar of exemplars) this.#exemplar(exemplar, t);
    if (typeof value === 'object') {
      builder.addHistogram(refs, refs.length, t, value, family.type, help, unit, startT);
    } else if (value === STALE) {
      builder.add(refs, refs.length, t, STALE_HI, STALE_LO, family.type, help, unit, startT);
    } else {
      BITS.setFloat64(0, value);
      builder.add(refs, refs.length, t, BITS.getUint32(0), BITS.getUint32(4), family.type, help, unit, startT);
    }
  }

  /** One of the series that is added next; without a time of its own it has the sample's. */
  #exemplar({ timeMs, value, traceId, spanId, attributes }: Exemplar, t: number): void {
    const labels = new Map<string, string>();
    if (traceId !== '') labels.set('trace_id', traceId);
    if (spanId !== '') labels.set('span_id', spanId);
    let characters = 0;
    for (const [name, text] of [...labels, ...attributes]) characters += runes(name) + runes(text);
    if (characters <= EXEMPLAR_CHARACTERS_MAX)
      for (const [name, text] of attributes) if (name !== '') labels.set(name, text);
    BITS.setFloat64(0, value!);
    this.#builder.exemplar(this.#refs(labels), timeMs === 0 ? t : timeMs, BITS.getUint32(0), BITS.getUint32(4));
  }

  #refs(labels: ReadonlyMap<string, string>): number[] {
    const refs: number[] = [];
    for (const [label, text] of [...labels].sort(([a], [b]) => compareUtf8(a, b))) {
      refs.push(this.#builder.symbol(label), this.#builder.symbol(text));
    }
    return refs;
  }
}

/** How many code points a text has, which is what Go counts. */
const runes = (text: string): number => Array.from(text).length;

const BITS = new DataView(new ArrayBuffer(8));

/** An empty value is no label. */
function set(labels: Map<string, string>, name: string, value: string): void {
  if (value === '') labels.delete(name);
  else labels.set(name, value);
}

/** As Go's `FormatFloat(x, 'f', -1, 64)`: the shortest digits, never an exponent. */
export function plain(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = Object.is(value, -0) ? '-0' : String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign = '', first = '', rest = '', exponent = ''] = match;
  const digits = first + rest;
  const power = Number(exponent);
  return power < 0 ? `${sign}0.${'0'.repeat(-power - 1)}${digits}` : `${sign}${digits.padEnd(power + 1, '0')}`;
}
