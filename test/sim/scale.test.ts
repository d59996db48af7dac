/** A small fleet over agents whose number changes; test/interop/scale.test.ts has the large one, and its figures. */

import { it } from 'vitest';
import { runAtScale } from './deployment/scale.ts';

it(
  '60 targets move from two agents to four, then to three: nothing lost, doubled or out of order, no false marker',
  { timeout: 120_000 },
  async () => {
    await runAtScale({ targets: 60, series: 20, lanes: 2, agents: [2, 4, 3], outage: true });
  },
);
