/**
 * The texts of one page state, each once: label names and values. A label set is a run of references into it, name and value by turns.
 * Not the symbol table of a message: that one is made anew for each, and `Emitter` translates.
 *
 * The one invariant: a reference never changes its text. Reference 0 is `__name__`.
 */

import { METRIC_NAME } from '../../model/labels.ts';

export const NAME_REF = 0;

export class Symbols {
  readonly texts: string[];
  /** Made when the first text is looked up: a page whose series do not change needs none. */
  #refs: Map<string, number> | null = null;

  /** `texts[0]` must be `__name__`. */
  constructor(texts: string[] = [METRIC_NAME]) {
    this.texts = texts;
  }

  get count(): number {
    return this.texts.length;
  }

  text(ref: number): string {
    return this.texts[ref]!;
  }

  /** Adds a text that is new. */
  add(text: string): void {
    this.#refs?.set(text, this.texts.length);
    this.texts.push(text);
  }

  /** The reference of a text, which is added when it is new. */
  ref(text: string): number {
    this.#refs ??= new Map(this.texts.map((known, ref) => [known, ref]));
    const known = this.#refs.get(text);
    if (known !== undefined) return known;
    this.add(text);
    return this.texts.length - 1;
  }
}
