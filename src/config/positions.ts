/**
 * Where in the text a value of the configuration stands: from a path (`['scrape_configs', 0, 'job_name']`, as zod reports it) to
 * line and column. Filled while the text is read; a lookup costs one step for each segment of the path.
 */

import type { LineCounter } from 'yaml';

export type Path = readonly (string | number)[];

/** Both count from 1; columns count UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Offsets in the text of an entry of a mapping or list; a list's entry has no key of its own. */
export interface Place {
  readonly keyAt: number;
  readonly valueAt: number;
}

export class Positions {
  readonly #lines: LineCounter;
  readonly #places = new WeakMap<object, Map<string | number, Place>>();

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  /** Notes where the entry `key` of `container` stands. */
  note(container: object, key: string | number, place: Place): void {
    let places = this.#places.get(container);
    if (places === undefined) this.#places.set(container, (places = new Map()));
    places.set(key, place);
  }

  /** Where an entry of `container` stands, if it was noted. */
  place(container: object, key: string | number): Place | undefined {
    return this.#places.get(container)?.get(key);
  }

  /** The position of an offset in the text. */
  ofOffset(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  }

  /** The position of a path below `root`: of its key or of its value; of the deepest part that exists when it does not. */
  of(root: unknown, path: Path, part: 'key' | 'value'): Position {
    let offset = 0;
    let container = root;
    for (const [i, segment] of path.entries()) {
      if (typeof container !== 'object' || container === null) break;
      const place = this.place(container, segment);
      if (place === undefined) break;
      offset = part === 'key' && i === path.length - 1 ? place.keyAt : place.valueAt;
      container = (container as Record<string | number, unknown>)[segment];
    }
    return this.ofOffset(offset);
  }
}

/** A path as people write it: `scrape_configs[0].static_configs[1].targets`. Keys that are no plain words are quoted. */
export function formatPath(path: Path): string {
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (!/^[\w-]{1,80}$/.test(segment)) text += `[${JSON.stringify(segment.slice(0, 80))}]`;
    else text += text === '' ? segment : `.${segment}`;
  }
  return text;
}
