import { Page } from '../../../src/scrape/page/page.ts';

/** Keeps a page as an agent does: a whole, and at most one change. */
export class Keeper {
  #whole: Uint8Array | null = null;
  #change: Uint8Array | null = null;
  readonly #changeShare: number | undefined;
  changes = 0;

  /** How large a change may be, as a share of the whole; as agents have it when left out. Infinity makes a change of whatever can be one. */
  constructor(changeShare?: number) {
    this.#changeShare = changeShare;
  }

  /** The page after a sleep. */
  wake(): Page {
    return Page.decode(this.#whole, this.#change);
  }

  keep(page: Page): void {
    const { whole, change } = page.store(this.#changeShare);
    if (whole !== null) this.#whole = whole;
    else this.changes++;
    this.#change = change;
  }
}
