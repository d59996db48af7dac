/** `test` for scenarios: with a lab of its own. Everything else that a scenario needs is in `lab.ts`, and is had from here too. */
import { test as base } from 'vitest';
import { Lab } from './lab.ts';

export * from './lab.ts';

/** `test` with a `lab`, which is closed at the end and tells what its processes printed when the test failed. */
export const test = base.extend<{ lab: Lab }>({
  lab: async ({ onTestFailed }, use) => {
    const lab = await Lab.open('interop');
    onTestFailed(async () => {
      for (const started of lab.processes) console.error(`--- ${started.name}, last lines:\n${await started.tail(25)}`);
    });
    await use(lab);
    await lab.close();
  },
});
