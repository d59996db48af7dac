import { expect, it } from 'vitest';
import { resultOf } from '../scrape/page/results.ts';
import { asleep } from './asleep.ts';
import { bindings, T0 } from './simulated.ts';

const page = {
  labels: [{ name: 'job', value: 'j' }],
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 0,
  metricRelabelConfigs: [],
  metricNameValidationScheme: 'utf8',
} as const;

it('what targets say of their metrics outlives the memory of the agent, and a failed scrape', async () => {
  const stub = bindings.AGENT.getByName('metadata');
  const { epoch } = await stub.takeBaton(T0, { configVersion: 1, targets: ['a', 'b', 'never'], remotes: [] });
  const append = (key: string, slotMs: number, body: string | null): Promise<unknown> =>
    asleep(stub, async () =>
      stub.append(
        slotMs,
        epoch,
        [],
        [
          {
            key,
            target: page,
            intervalMs: 1000,
            result: resultOf(slotMs, body ?? '', body === null ? 'down' : null, 'openmetrics'),
          },
        ],
      ),
    );
  const body = (help: string): string =>
    `# HELP a_seconds ${help}\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n# TYPE g gauge\ng 1\n# EOF\n`;
  await append('a', T0 + 1000, body('One.'));
  await append('b', T0 + 1000, body('One.'));
  await append('b', T0 + 2000, body('Two.'));
  await append('a', T0 + 3000, null);
  const told = (metric: string | null) =>
    asleep(stub, async () => structuredClone(await stub.metadata(['a', 'b', 'never', 'unknown'], metric)));
  const seconds = (help: string) => ({ metric: 'a_seconds', type: 'counter', help, unit: 'seconds' });
  expect(await told(null)).toEqual({
    families: [seconds('One.'), { metric: 'g', type: 'gauge', help: '', unit: '' }, seconds('Two.')],
    of: { a: [0, 1], b: [2, 1] },
  });
  expect(await told('a_seconds')).toEqual({ families: [seconds('One.'), seconds('Two.')], of: { a: [0], b: [1] } });
});
