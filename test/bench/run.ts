/**
 * `npm run bench`: runs the benchmarks, each a file NAME.bench.ts in this folder, one after the other.
 *
 *     npm run bench                         all of them, tens of minutes on a machine that does nothing else
 *     npm run bench -- receive scrape       these
 *     npm run bench -- --quick              small sizes, to see that they work
 *     npm run bench -- receive --only narthex --series 20000 --rounds 5
 *     npm run bench -- scrape --seconds 30
 *
 * Everything runs on this machine and on loopback; peers come from test/interop/peers.sh. When it ends, however it does, nothing that it
 * has started is left.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Lab } from '../interop/lab.ts';
import { type Bench, machine } from './options.ts';

const SUFFIX = '.bench.ts';
const known = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length))
  .sort();

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    series: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
});
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) throw new Error(`no benchmark ${unknown}: there are ${known.join(', ')}`);

let lab: Lab | null = null;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.resolve(lab?.close()).finally(() => process.exit(130)));
}

console.log(machine());
for (const name of positionals.length > 0 ? positionals : known) {
  const { bench } = (await import(`./${name}${SUFFIX}`)) as { bench: Bench };
  lab = await Lab.open('bench');
  try {
    await bench({
      quick: values.quick,
      only: values.only,
      series: count(values.series),
      rounds: count(values.rounds),
      seconds: count(values.seconds),
      lab,
    });
  } finally {
    await lab.close();
    lab = null;
  }
}

function count(text: string | undefined): number | null {
  if (text === undefined) return null;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${text} is not a number of things`);
  return number;
}
