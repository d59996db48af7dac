/** What `npm run bench` was asked for, and the machine that it runs on. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { peer } from '../interop/lab.ts';
import type { Lab } from '../interop/lab.ts';

export interface Options {
  /** Small sizes: seconds instead of minutes, to see that it works. Its figures say little. */
  readonly quick: boolean;
  /** Only contenders whose name holds this text. */
  readonly only: string;
  readonly series: number | null;
  readonly rounds: number | null;
  readonly seconds: number | null;
  readonly lab: Lab;
}

/** What each file `NAME.bench.ts` exports as `bench`. It prints its tables, and throws when something did not do what it measures. */
export type Bench = (options: Options) => Promise<void>;

/** Processor, load and versions: what figures mean nothing without. */
export function machine(): string {
  const models = cpus().map((cpu) => cpu.model.trim());
  const load = loadavg()[0]!.toFixed(1);
  return [
    `${new Date().toISOString().slice(0, 16)}Z, ${models.length} cores (${models[0]}), load ${load} before the start`,
    `narthex ${packageVersion('package.json')}, workerd ${packageVersion('node_modules/workerd/package.json')}, node ${process.versions.node}`,
  ].join('\n');
}

export function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

export function prometheusVersion(major: 2 | 3): string {
  const said = execFileSync(peer(`prometheus-${major}`), ['--version'], { encoding: 'utf8', stdio: 'pipe' });
  return /version (\S+?),? /.exec(said)?.[1] ?? String(major);
}

/** Debian's build of VictoriaMetrics says nothing: `peers.sh` keeps the package's version. */
export function victoriaMetricsVersion(): string {
  return readFileSync(`${peer('victoria-metrics')}.version`, 'utf8').replace(/[+-].*\s*/, '');
}
