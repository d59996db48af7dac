/** What the Worker imports and only a bundler or workerd has, for tests that run a whole deployment in Node. */

const here = import.meta.dirname;

export const SIMULATED = [
  { find: 'cloudflare:workers', replacement: `${here}/platform.ts` },
  { find: /^\.\.\/prometheus\.yml$/, replacement: `${here}/bundled.ts` },
];
