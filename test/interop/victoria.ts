/** Starts VictoriaMetrics, and reads all that it has. */
import { type Lab, type Started, get, peer, waitUntil } from './harness.ts';
import { lineOf } from './promtool.ts';

export interface VictoriaOptions {
  readonly name: string;
  readonly port: number;
  readonly dir: string;
}

export async function startVictoria(lab: Lab, { name, port, dir }: VictoriaOptions): Promise<Started> {
  const args = [`-storageDataPath=${dir}`, '-retentionPeriod=10y', `-httpListenAddr=127.0.0.1:${port}`];
  const started = lab.start(name, peer('victoria-metrics'), args);
  await waitUntil('VictoriaMetrics answers', 30_000, async () => await get(`http://127.0.0.1:${port}/health`));
  return started;
}

/** It keeps about twelve digits of a value. */
const rounded = (value: number): number => Number(value.toPrecision(10));

/** Lines of another as they are in `exported`. */
export function asVictoria(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !line.endsWith(' NaN'))
    .map((line) => line.replace(/\S+$/, (value) => String(rounded(Number(value)))));
}

/** A sorted line a sample, as of promtool's dump, the values rounded. Stale markers are left out: they are exported as null. */
export async function exported(port: number, selector = '{__name__!=""}'): Promise<string[]> {
  await get(`http://127.0.0.1:${port}/internal/force_flush`);
  const text = await get(`http://127.0.0.1:${port}/api/v1/export?match[]=${encodeURIComponent(selector)}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const { metric, values, timestamps } = JSON.parse(line) as {
        metric: Record<string, string>;
        values: (number | null)[];
        timestamps: number[];
      };
      const labels = Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1));
      const series = `{${labels.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(', ')}}`;
      return values.flatMap((value, i) =>
        value === null ? [] : [lineOf({ series, timestamp: timestamps[i]!, value: String(rounded(value)) })],
      );
    })
    .sort();
}
