/** A million series over agents whose number changes, on the simulated clock. It needs no peer; here it keeps nobody waiting who runs `npm test`. */

import { it } from 'vitest';
import { runAtScale } from '../sim/deployment/scale.ts';

it(
  '5,000 targets with 1,000,000 series move from 8 agents to 12, then to 8 again: nothing lost, doubled or out of order, no false marker',
  { timeout: 60 * 60_000 },
  async () => {
    console.info(
      (await runAtScale({ targets: 5_000, series: 200, lanes: 8, agents: [8, 12, 8], outage: false })).join('\n'),
    );
  },
);
