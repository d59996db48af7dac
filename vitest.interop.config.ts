import { defineConfig } from 'vitest/config';
import { SIMULATED } from './test/sim/deployment/alias.ts';

/** Simulated: it works all the time where the others mostly wait, so it comes behind them. */
const SIMULATION = 'test/interop/scale.test.ts';

/** The suite against real peers: `npm run test:interop`, after `test/interop/peers.sh` has prepared them. */
export default defineConfig({
  test: {
    globalSetup: ['test/interop/setup.ts'],
    teardownTimeout: 60_000,
    reporters: ['verbose'],
    projects: [
      {
        test: {
          name: 'peers',
          include: ['test/interop/*.test.ts'],
          exclude: [SIMULATION],
          environment: 'node',
          // Each file starts whole systems, which mostly wait: for slots, crons and outages.
          maxWorkers: 3,
          // Crons run every minute, so a scenario that restarts something waits for minutes.
          testTimeout: 8 * 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'scale',
          include: [SIMULATION],
          environment: 'node',
          alias: SIMULATED,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
