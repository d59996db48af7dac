/**
 * What of `cloudflare:workers` the objects extend: enough to make them in Node. vitest.*.config.ts put it in the place of that module.
 */

export class DurableObject<T> {
  protected readonly ctx: unknown;
  protected readonly env: T;

  constructor(ctx: unknown, env: T) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkerEntrypoint<T> extends DurableObject<T> {}
