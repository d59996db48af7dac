/** The worker as one module, bundled the way wrangler does when it deploys. */

import type { BuildFailure } from 'esbuild';
import { builtinModules } from 'node:module';
import { Failure } from './failure.ts';

export async function bundleWorker(entry: string, keepNames: boolean): Promise<string> {
  const { build, formatMessages, stop } = await import('esbuild');
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2024',
      platform: 'browser',
      conditions: ['workerd', 'worker', 'browser'],
      external: ['cloudflare:*', 'node:*', ...builtinModules],
      loader: { '.yml': 'text' },
      define: { 'process.env.NODE_ENV': '"production"' },
      keepNames,
      logLevel: 'silent',
    });
    return result.outputFiles[0]!.text;
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    throw new Failure(
      `the worker could not be bundled:\n${(await formatMessages(errors, { kind: 'error' })).join('')}`,
    );
  } finally {
    // Its process would otherwise stay as long as this one.
    await stop();
  }
}
