import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/** What is pure runs in Node; the objects run inside workerd, as in production. Neither needs anything but npm packages. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'pure',
          include: ['test/**/*.test.ts'],
          exclude: ['test/durable/**', 'test/interop/**'],
          environment: 'node',
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: './wrangler.toml' } })],
        test: { name: 'workerd', include: ['test/durable/**/*.test.ts'], testTimeout: 60_000 },
      },
    ],
  },
});
