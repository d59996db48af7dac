/**
 * A label set while rules change it. Labels have an order here: first those that it began with and that were never set anew, then those
 * that were set, as in Prometheus' `labels.Builder`. It shows when a labelmap gives two labels the same new name: the later one wins.
 */

import { type Labels, labelsFrom } from '../model/labels.ts';
import { keepShape } from '../model/shape.ts';

export class LabelBuilder {
  readonly #labels: Map<string, string>;
  readonly #set = new Set<string>();

  /** Begins with labels in the order given, which is by name where Prometheus has them in a label set. Empty values are no labels. */
  constructor(base: Iterable<readonly [name: string, value: string]> = []) {
    this.#labels = new Map();
    for (const [name, value] of base) if (value !== '') this.#labels.set(name, value);
  }

  static of(labels: Labels): LabelBuilder {
    return new LabelBuilder(labels.map(({ name, value }) => [name, value]));
  }

  /** `''` when there is no such label. */
  get(name: string): string {
    return this.#labels.get(name) ?? '';
  }

  /** An empty value deletes the label. */
  set(name: string, value: string): void {
    if (!this.#set.has(name) || value === '') {
      this.#labels.delete(name);
      this.#set.delete(name);
    }
    if (value === '') return;
    this.#labels.set(name, value);
    this.#set.add(name);
  }

  delete(name: string): void {
    this.set(name, '');
  }

  /** A copy, so that labels may be set while it is gone through. */
  entries(): [name: string, value: string][] {
    return [...this.#labels];
  }

  labels(): Labels {
    return labelsFrom(this.#labels);
  }
}

keepShape(new LabelBuilder());
