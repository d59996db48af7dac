import { defineConfig } from 'vitest/config';
import { SIMULATED } from './test/sim/deployment/alias.ts';

/** The suite against real peers: `npm run test:interop`, after `test/interop/peers.sh` has prepared them. */
export default defineConfig({
  test: {
    include: ['test/interop/*.test.ts'],
    environment: 'node',
    alias: SIMULATED,
    globalSetup: ['test/interop/setup.ts'],
    // Each file starts whole systems, which mostly wait: for slots, crons and outages.
    maxWorkers: 3,
    // Crons run every minute, so a scenario that restarts something waits for minutes.
    testTimeout: 8 * 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 60_000,
    reporters: ['verbose'],
  },
});
