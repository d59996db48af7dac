/**
 * Writes Prometheus' text exposition format, version 0.0.4, or the same as JSON. The one invariant: a family is written once, its HELP and TYPE
 * before its samples, whatever order samples came in; a family without samples is not written.
 */

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'summary';
export type MetricLabels = Readonly<Record<string, string>>;

export interface Family {
  /** One sample; null is a value that nobody knows yet, and is left out. */
  add(value: number | null, labels?: MetricLabels): Family;
}

interface Sample {
  readonly labels: MetricLabels;
  readonly value: number;
  /** Of a summary, whose sum the value is. */
  readonly count?: number;
}

export class Exposition {
  readonly #families = new Map<
    string,
    { readonly type: MetricType; readonly help: string; readonly samples: Sample[] }
  >();

  /** Begins a family, or continues the one of this name. */
  family(name: string, type: MetricType, help: string): Family {
    const samples = this.#samples(name, type, help);
    const family: Family = {
      add: (value, labels = {}) => {
        if (value !== null) samples.push({ labels, value });
        return family;
      },
    };
    return family;
  }

  counter(name: string, help: string): Family {
    return this.family(name, 'counter', help);
  }

  gauge(name: string, help: string): Family {
    return this.family(name, 'gauge', help);
  }

  /** Sum and count of what was observed, without quantiles. */
  summary(name: string, help: string, sum: number, count: number, labels: MetricLabels): void {
    this.#samples(name, 'summary', help).push({ labels, value: sum, count });
  }

  #samples(name: string, type: MetricType, help: string): Sample[] {
    let family = this.#families.get(name);
    if (family === undefined) this.#families.set(name, (family = { type, help, samples: [] }));
    return family.samples;
  }

  toString(): string {
    let text = '';
    for (const [name, { type, help, samples }] of this.#families) {
      if (samples.length === 0) continue;
      text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
      for (const { labels, value, count } of samples) {
        const set = formatLabels(labels);
        if (count === undefined) text += `${name}${set} ${formatValue(value)}\n`;
        else text += `${name}_sum${set} ${formatValue(value)}\n${name}_count${set} ${formatValue(count)}\n`;
      }
    }
    return text;
  }

  /** The families that `wanted` takes, by name, as Go's protojson writes `io.prometheus.client.MetricFamily`: what is not there is left out, 64 bits are text. */
  toJson(wanted: (name: string) => boolean): object[] {
    return [...this.#families]
      .filter(([name, { samples }]) => samples.length > 0 && wanted(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { type, help, samples }]) => ({
        name,
        help,
        type: type.toUpperCase(),
        metric: samples.map((sample) => {
          const label = Object.entries(sample.labels)
            .map(([labelName, value]) => ({ name: labelName, value }))
            .sort((a, b) => (a.name < b.name ? -1 : 1));
          return { ...(label.length === 0 ? {} : { label }), [type]: jsonOf(sample) };
        }),
      }));
  }
}

const jsonOf = ({ value, count }: Sample): object =>
  count === undefined ? { value: jsonNumber(value) } : { sampleCount: String(count), sampleSum: jsonNumber(value) };

const jsonNumber = (value: number): number | string => {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
};

function formatLabels(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeValue = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');
