import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { SIMULATED } from './test/sim/deployment/alias.ts';

/** Tokens of the deployment under test: `test-<name>-token`. */
const TOKENS = [
  'admin admin anonymous sha256:17d6bfe05d1b1fb7bc499f8e3f639c7b3eda4c40f321eef8887a0c04c89a99c5',
  'acme  admin acme      sha256:9892ea0a7c7b1457fa1ae61b43f0ae36a13b297fd8441401ff7df75fd8a27fd6',
  'any   write *          sha256:8fb26833ed809e96c902ffb739a89cd0944298be38c08ddaf42b8dab51dd1904',
].join('\n');

/** What is pure runs in Node; the objects run inside workerd, as in production. Neither needs anything but npm packages. */
export default defineConfig({
  test: {
    // Half of the machine's cores would be idle: the default leaves one for who watches.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'pure',
          include: ['test/**/*.test.ts'],
          exclude: ['test/durable/**', 'test/interop/**'],
          environment: 'node',
          // Files share a process and its modules: what is pure keeps nothing, and what a test stubs it puts back.
          isolate: false,
          alias: SIMULATED,
          // Busy machines are slow; what hangs is found all the same.
          testTimeout: 30_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: { bindings: { NARTHEX_TOKENS: TOKENS, SCRAPE_PASSWORD: 'hunter2' } },
          }),
        ],
        test: { name: 'workerd', include: ['test/durable/**/*.test.ts'], testTimeout: 60_000 },
      },
    ],
  },
});
