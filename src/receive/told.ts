/**
 * What the senders of tenants were told, as far as one isolate knows: counts of events, and the newest request of which not all was taken. It is
 * memory of an isolate, and gone with it; what is stored is counted in the objects.
 */

export interface Told {
  /** `requests:204`, `samples_in`, `refused_samples:<reason>` … */
  readonly counts: Readonly<Record<string, number>>;
  readonly refusal: Refusal | null;
}

export interface Refusal {
  /** Unix ms. */
  readonly atMs: number;
  readonly status: number;
  /** The beginning of what was answered. */
  readonly message: string;
}

const MESSAGE_CHARS_MAX = 2000;
/** A token for all tenants may name any; those that were first go. */
const TENANTS_MAX = 1000;

export class ToldTenants {
  readonly #of = new Map<string, { counts: Record<string, number>; refusal: Refusal | null }>();

  count(tenant: string, event: string, n: number): void {
    const { counts } = this.#tenant(tenant);
    counts[event] = (counts[event] ?? 0) + n;
  }

  refused(tenant: string, refusal: Refusal): void {
    this.#tenant(tenant).refusal = { ...refusal, message: refusal.message.slice(0, MESSAGE_CHARS_MAX) };
  }

  /** In the order of their first requests. */
  all(): ReadonlyMap<string, Told> {
    return this.#of;
  }

  #tenant(tenant: string): { counts: Record<string, number>; refusal: Refusal | null } {
    let known = this.#of.get(tenant);
    if (known === undefined) {
      if (this.#of.size === TENANTS_MAX) this.#of.delete(this.#of.keys().next().value!);
      this.#of.set(tenant, (known = { counts: {}, refusal: null }));
    }
    return known;
  }
}
