/**
 * Writes Prometheus' text exposition format, version 0.0.4. The one invariant: a family is written once, its HELP and TYPE
 * before its samples, whatever order samples came in; a family without samples is not written.
 */

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'summary';
export type MetricLabels = Readonly<Record<string, string>>;

export interface Family {
  /** One sample; null is a value that nobody knows yet, and is left out. */
  add(value: number | null, labels?: MetricLabels): Family;
}

export class Exposition {
  readonly #families = new Map<string, string[]>();

  /** Begins a family, or continues the one of this name. */
  family(name: string, type: MetricType, help: string): Family {
    let lines = this.#families.get(name);
    if (lines === undefined) {
      lines = [`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`];
      this.#families.set(name, lines);
    }
    const family: Family = {
      add: (value, labels = {}) => {
        if (value !== null) lines.push(`${name}${formatLabels(labels)} ${formatValue(value)}\n`);
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
    this.family(name, 'summary', help);
    const lines = this.#families.get(name)!;
    lines.push(`${name}_sum${formatLabels(labels)} ${formatValue(sum)}\n`);
    lines.push(`${name}_count${formatLabels(labels)} ${formatValue(count)}\n`);
  }

  toString(): string {
    return [...this.#families.values()].map((lines) => (lines.length > 1 ? lines.join('') : '')).join('');
  }
}

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
