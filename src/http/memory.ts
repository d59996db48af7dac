/**
 * What the app remembers in an isolate: the last status, for a few seconds, so that a page left open or an eager scraper
 * costs no object call each time. Nothing that decides correctness.
 */

import type { Services } from './services.ts';
import type { SystemStatus } from './status.ts';

export const STATUS_KEPT_MS = 3_000;

export class Memory {
  /** Whether the last reload that this isolate saw succeeded; null when it saw none. */
  lastReloadOk: boolean | null = null;
  #startedAtMs: number | null = null;
  // The value and never the promise: a promise belongs to the request that began it.
  #status: { readonly value: SystemStatus; readonly atMs: number } | null = null;

  async status(services: Services): Promise<SystemStatus> {
    this.startedAtMs(services);
    const kept = this.#status;
    if (kept !== null && Math.abs(services.nowMs - kept.atMs) < STATUS_KEPT_MS) return kept.value;
    const value = await services.status();
    this.#status = { value, atMs: services.nowMs };
    return value;
  }

  /** When this isolate answered first: before that, a Worker's clock stands still. */
  startedAtMs({ nowMs }: Pick<Services, 'nowMs'>): number {
    return (this.#startedAtMs ??= nowMs);
  }

  /** Something was changed from here: who did it wants to see it. */
  forgetStatus(): void {
    this.#status = null;
  }
}
