import { expect, it } from 'vitest';
import { parseCron } from '../../src/cli/cron.ts';
import { readDeployment } from '../../src/cli/deployment.ts';
import { lanesOf, lanesProblem, SCRAPE_CRONS } from '../../src/scrape/lanes.ts';

it('all are different, and mean every minute', () => {
  expect(new Set(SCRAPE_CRONS).size).toBe(SCRAPE_CRONS.length);
  for (const cron of SCRAPE_CRONS) expect(parseCron(cron).everyMinute).toBe(true);
});

it('the number of them is a variable, 1 without it', () => {
  expect([undefined, '', '1', ' 8 '].map(lanesOf)).toEqual([1, 1, 1, 8]);
  for (const text of ['0', '9', '1.5', 'two', '-1']) expect(() => lanesOf(text)).toThrow('it may be 1 to 8');
});

it('crons and variable must fit', () => {
  const crons = ['* * * * *', '*/1 * * * *', '35 * * * *'];
  expect(lanesProblem(crons, 1)).toBe(null);
  expect(lanesProblem(crons, 2)).toBe('NARTHEX_SCRAPE_LANES is 2, and [triggers] crons lacks "0-59 * * * *"');
  expect(lanesProblem([...crons, '0-59 * * * *'], 2)).toBe(null);
  expect(lanesProblem([...crons, '0-59 * * * *'], 1)).toBe(
    'NARTHEX_SCRAPE_LANES is 1, and [triggers] crons has "0-59 * * * *": make it 2, or remove them',
  );
});

it('those of this deployment fit', () => {
  const { crons, vars } = readDeployment(new URL('../..', import.meta.url).pathname);
  const texts = crons.map(({ text }) => text);
  expect(lanesProblem(texts, lanesOf(vars['NARTHEX_SCRAPE_LANES']))).toBe(null);
});
