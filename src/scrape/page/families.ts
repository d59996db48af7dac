/**
 * Metadata of a page's metric families: type, help and unit, as the last lines about them had them.
 *
 * The one invariant: a stamp stands for one family with one type, so what was judged about a series under a stamp holds for as long as
 * the stamp is in use.
 */

import {
  COUNTER,
  GAUGE_HISTOGRAM,
  HELP,
  HISTOGRAM,
  INFO,
  type PageCursor,
  SUMMARY,
  UNIT,
} from '../exposition/cursor.ts';

export class Families {
  readonly names: string[] = [];
  readonly types: number[] = [];
  readonly helps: string[] = [];
  readonly units: string[] = [];
  /** Grows with every new family and every change of a type. Never 0. */
  readonly stamps: number[] = [];
  /** The family of the last such line of this page; −1 before the first. */
  current = -1;
  #lastStamp = 0;
  #ids: Map<string, number> | null = null;
  #knownCount = 0;
  /** What was said before of families that say something else in this scrape. */
  readonly #before = new Map<number, string>();

  get count(): number {
    return this.names.length;
  }

  /** `stamp` is that of the same family, with the same type, in the list that this one was made from. */
  add(name: string, type: number, help: string, unit = '', stamp = ++this.#lastStamp): number {
    const id = this.names.push(name) - 1;
    this.types.push(type);
    this.helps.push(help);
    this.units.push(unit);
    this.stamps.push(stamp);
    this.#ids?.set(name, id);
    return id;
  }

  /** Takes the HELP, TYPE or UNIT that the cursor stands on. What says what is known makes no strings. Throws TextError on invalid UTF-8. */
  enter(cursor: PageCursor, entry: number): void {
    const { bytes } = cursor;
    let id = this.current;
    if (!this.#isNamed(id, cursor) && !this.#isNamed(++id, cursor)) {
      const name = cursor.familyName();
      this.#ids ??= new Map(this.names.map((known, index) => [known, index]));
      id = this.#ids.get(name) ?? this.add(name, 0, '');
    }
    this.current = id;
    if (entry === HELP) {
      if (isText(bytes, cursor.textStart, cursor.textEnd, this.helps[id]!)) return;
      this.#remember(id);
      this.helps[id] = cursor.helpText();
    } else if (entry === UNIT) {
      if (isText(bytes, cursor.textStart, cursor.textEnd, this.units[id]!)) return;
      this.#remember(id);
      this.units[id] = cursor.unitText();
    } else if (this.types[id] !== cursor.type) {
      this.#remember(id);
      this.types[id] = cursor.type;
      this.stamps[id] = ++this.#lastStamp;
    }
  }

  /** A new scrape begins: what is known now is what was said before. */
  begin(): void {
    this.current = -1;
    this.#knownCount = this.count;
    this.#before.clear();
  }

  /** Whether a family that was known before this scrape says something else after it. */
  get changed(): boolean {
    for (const [id, before] of this.#before) if (id < this.#knownCount && this.#said(id) !== before) return true;
    return false;
  }

  #remember(id: number): void {
    if (!this.#before.has(id)) this.#before.set(id, this.#said(id));
  }

  #said(id: number): string {
    return JSON.stringify([this.types[id], this.helps[id], this.units[id]]);
  }

  /** Forgets families from `count` on: a page that fails leaves none behind. */
  truncate(count: number): void {
    if (count === this.count) return;
    this.names.length = this.types.length = this.helps.length = this.units.length = this.stamps.length = count;
    this.#ids = null;
  }

  /** As they are now, for good. */
  copy(): Families {
    return this.select(new Set(this.stamps));
  }

  /** A list without families, in which no stamp of this one is given anew. */
  empty(): Families {
    const none = new Families();
    none.#lastStamp = this.#lastStamp;
    return none;
  }

  /** Only the families of these stamps. */
  select(stamps: ReadonlySet<number>): Families {
    const kept = this.empty();
    for (let id = 0; id < this.count; id++) {
      const stamp = this.stamps[id]!;
      if (stamps.has(stamp)) kept.add(this.names[id]!, this.types[id]!, this.helps[id]!, this.units[id]!, stamp);
    }
    return kept;
  }

  #isNamed(id: number, cursor: PageCursor): boolean {
    const name = this.names[id];
    return name !== undefined && isText(cursor.bytes, cursor.nameStart, cursor.nameEnd, name);
  }
}

/** Whether the bytes are this text, ASCII only: false is no proof that they are not. */
function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = start, at = 0; i < end; i++, at++) {
    const c = bytes[i]!;
    if (c !== text.charCodeAt(at) || c >= 0x80 || c === 0x5c) return false;
  }
  return true;
}

/** Whether a series of this name belongs to a family (Prometheus, scrape/scrape.go, `isSeriesPartOfFamily`). */
export function isOfFamily(series: string, family: string, type: number): boolean {
  if (!series.startsWith(family)) return false;
  switch (type) {
    case COUNTER:
      return cut(series, ['_total']) === cut(family, ['_total']);
    case HISTOGRAM:
      return cut(series, ['_bucket', '_sum', '_count']) === family;
    case GAUGE_HISTOGRAM:
      return cut(series, ['_bucket', '_gsum', '_gcount']) === family;
    case INFO:
      return cut(series, ['_info']) === cut(family, ['_info']);
    case SUMMARY:
      return cut(series, ['_sum', '_count']) === family;
    default:
      return series === family;
  }
}

function cut(name: string, suffixes: readonly string[]): string {
  for (const suffix of suffixes) if (name.endsWith(suffix)) return name.slice(0, -suffix.length);
  return name;
}
