/**
 * Ways to do the same thing in this process, measured by turns, so that what disturbs one disturbs all. CPU is that of the whole process: garbage
 * collection and compilation are paid for, other programs are not.
 */
import { quantile } from './table.ts';

export interface Way {
  readonly name: string;
  /** Does the work once. */
  run(): unknown;
}

/** CPU seconds of one run of each way: the median over several turns. */
export async function compare(ways: readonly Way[], quick: boolean): Promise<number[]> {
  const [turns, turnS, warmS] = quick ? [3, 0.05, 0.1] : [9, 0.2, 0.5];
  for (const way of ways) await repeat(way, warmS);
  const found = ways.map((): number[] => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, way] of ways.entries()) found[i]!.push(await repeat(way, turnS));
  }
  return found.map((seconds) => quantile(seconds, 0.5));
}

/** Runs for about `seconds` of CPU, once at least; the CPU seconds of a run. */
async function repeat(way: Way, seconds: number): Promise<number> {
  const before = process.cpuUsage();
  for (let runs = 1; ; runs++) {
    const result = way.run();
    if (result instanceof Promise) await result;
    const { user, system } = process.cpuUsage(before);
    const used = (user + system) / 1e6;
    if (used >= seconds) return used / runs;
  }
}
