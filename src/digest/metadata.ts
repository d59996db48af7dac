/**
 * What senders say of metrics, kept for the query API: gathered while records are digested, stored as one value that is written again only when
 * something in it changed. Bounded in families and bytes; what is new beyond the bounds is left out and counted.
 *
 * It says nothing of samples, and nothing depends on it: it may be forgotten without harm.
 */

import { Interner } from '../block/intern.ts';
import type { Decoded } from '../encoding/remote-write/decoded.ts';
import { families1, familyName, nameLabel, textOf } from '../encoding/remote-write/metadata.ts';
import type { Blobs } from '../log/table.ts';
import { type FamilyMetadata, metricType } from '../model/metadata.ts';
import { FAMILIES_MAX } from '../receive/limits.ts';
import type { SeriesTable } from './series.ts';
import { TupleInterner } from './tuples.ts';

const NOWHERE = 0xffffffff;

/** As it is stored, of a shard, and of one. */
const BYTES_MAX = 2_000_000;
const FAMILY_BYTES_MAX = 8192;
/** Senders of several versions say several things of a metric; the one said first goes. */
const SAID_MAX = 4;
const DAY_MS = 24 * 60 * 60 * 1000;
/** What nobody said for so long makes room when it is needed. */
const FORGET_DAYS = 7;

/** What is said in a batch, each thing once. */
export class Said {
  readonly #texts = new Interner();
  /** Metric name (its label), type, help, unit. */
  readonly #tuples = new TupleInterner(0);
  readonly #tuple = new Uint32Array(4);
  /** By series: the tuple that was said with it last, from 1 on. Comparing with that is cheaper than hashes. */
  #saidOf = new Uint32Array(1024);
  /** Of the message at hand, by symbol: its text. A text is looked at once a message. */
  #textOf = new Uint32Array(1024);
  readonly #families = new Map<string, FamilyMetadata>();
  /** Families beyond the bounds. */
  leftOut = 0;

  families(): FamilyMetadata[] {
    return [...this.#families.values()];
  }

  /** `table` has decoded the message. */
  add(decoded: Decoded, table: SeriesTable): void {
    if (decoded.schema === 2) this.#series(decoded, table);
    else if (decoded.metadataCount > 0) this.#beside(decoded);
  }

  #beside(decoded: Decoded): void {
    for (const family of families1(decoded, FAMILIES_MAX)) this.#add(family);
    this.leftOut += Math.max(0, decoded.metadataCount - FAMILIES_MAX);
  }

  #series(decoded: Decoded, table: SeriesTable): void {
    const { metadataType, helpRef, unitRef, bad, symbolCount } = decoded;
    if (symbolCount > this.#textOf.length) this.#textOf = new Uint32Array(2 * symbolCount);
    this.#textOf.fill(NOWHERE, 0, symbolCount);
    if (table.count > this.#saidOf.length) {
      const saidOf = new Uint32Array(2 * table.count);
      saidOf.set(this.#saidOf);
      this.#saidOf = saidOf;
    }
    for (let s = 0, from = 0; s < decoded.seriesCount; s++) {
      const end = decoded.samplesBefore(s + 1);
      if ((metadataType[s]! | helpRef[s]! | unitRef[s]!) !== 0 && bad[s] === 0) {
        if (end > from) this.#ofSeries(decoded, s, table.ids[s]!, table);
        else this.#withoutSamples(decoded, s);
      }
      from = end;
    }
  }

  /** Most series say what they said before. */
  #ofSeries(decoded: Decoded, s: number, series: number, table: SeriesTable): void {
    const { items } = this.#tuples;
    const last = this.#saidOf[series]! - 1;
    const at = last < 0 ? -1 : this.#tuples.start(last);
    const type = decoded.metadataType[s]!;
    const help = this.#text(decoded, decoded.helpRef[s]!, at < 0 ? NOWHERE : items[at + 2]!);
    const unit = this.#text(decoded, decoded.unitRef[s]!, at < 0 ? NOWHERE : items[at + 3]!);
    if (at >= 0 && items[at + 1] === type && items[at + 2] === help && items[at + 3] === unit) return;
    const name = table.metricName(series);
    if (name < 0) return;
    const tuple = this.#tuple;
    tuple[0] = name;
    tuple[1] = type;
    tuple[2] = help;
    tuple[3] = unit;
    const before = this.#tuples.count;
    const said = this.#tuples.intern(tuple, 4);
    this.#saidOf[series] = said + 1;
    if (said === before) this.#say(decoded, s, table.valueOf(name));
  }

  /** Its labels are in the columns. */
  #withoutSamples(decoded: Decoded, s: number): void {
    const label = nameLabel(decoded, s);
    if (label < 0) return;
    this.#say(decoded, s, textOf(decoded.message, decoded.valueStart[label]!, decoded.valueEnd[label]!));
  }

  #text({ message, symbolStart, symbolEnd }: Decoded, ref: number, likely: number): number {
    const known = this.#textOf[ref]!;
    if (known !== NOWHERE) return known;
    const start = symbolStart[ref]!;
    const end = symbolEnd[ref]!;
    return (this.#textOf[ref] =
      likely !== NOWHERE && this.#texts.is(likely, message, start, end)
        ? likely
        : this.#texts.intern(message, start, end));
  }

  #say(decoded: Decoded, s: number, metric: string): void {
    const { message, symbolStart, symbolEnd } = decoded;
    const help = decoded.helpRef[s]!;
    const unit = decoded.unitRef[s]!;
    const type = metricType(decoded.metadataType[s]!);
    this.#add({
      metric: familyName(metric, type),
      type,
      help: textOf(message, symbolStart[help]!, symbolEnd[help]!),
      unit: textOf(message, symbolStart[unit]!, symbolEnd[unit]!),
    });
  }

  #add(family: FamilyMetadata): void {
    const key = keyOf(family);
    if (this.#families.has(key)) return;
    if (this.#families.size >= FAMILIES_MAX || sizeOf(family) > FAMILY_BYTES_MAX) this.leftOut++;
    else this.#families.set(key, family);
  }
}

/** As it is stored: JSON, in the order in which it was said first. `day` is when it was said last, in days since 1970. */
type Row = readonly [metric: string, type: string, help: string, unit: string, day: number];

const NAME = 'metadata';

/** What was said of all metrics of a shard. */
export class MetadataTable {
  readonly #blobs: Blobs;

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** Of the family of this name, or of all. */
  get(metric: string | null): FamilyMetadata[] {
    return this.#read()
      .filter(([name]) => metric === null || name === metric)
      .map(([metric, type, help, unit]) => ({ metric, type, help, unit }));
  }

  /** Takes what was said; returns how many families were left out for want of room. Writes only when something is new, or was not said for a day. */
  put(nowMs: number, families: readonly FamilyMetadata[]): { leftOut: number; families: number } {
    const day = Math.floor(nowMs / DAY_MS);
    const rows = new Map<string, Row>();
    const said = new Map<string, string[]>();
    let bytes = 0;
    const insert = (key: string, row: Row): void => {
      rows.set(key, row);
      const keys = said.get(row[0]);
      if (keys === undefined) said.set(row[0], [key]);
      else keys.push(key);
      bytes += sizeOf(familyOf(row));
    };
    const remove = (key: string): void => {
      const row = rows.get(key)!;
      rows.delete(key);
      said.set(
        row[0],
        said.get(row[0])!.filter((other) => other !== key),
      );
      bytes -= sizeOf(familyOf(row));
      changed = true;
    };
    let changed = false;
    for (const row of this.#read()) insert(keyOf(familyOf(row)), row);
    let leftOut = 0;
    let forgotten = false;
    for (const family of families) {
      const key = keyOf(family);
      const row: Row = [family.metric, family.type, family.help, family.unit, day];
      const known = rows.get(key);
      if (known !== undefined) {
        if (known[4] < day) {
          rows.set(key, row);
          changed = true;
        }
        continue;
      }
      const others = said.get(family.metric) ?? [];
      if (others.length >= SAID_MAX) remove(others[0]!);
      const isFull = (): boolean => rows.size >= FAMILIES_MAX || bytes + sizeOf(family) > BYTES_MAX;
      if (isFull() && !forgotten) {
        forgotten = true;
        for (const [old, [, , , , lastDay]] of rows) if (day - lastDay > FORGET_DAYS) remove(old);
      }
      if (isFull() || sizeOf(family) > FAMILY_BYTES_MAX) {
        leftOut++;
        continue;
      }
      insert(key, row);
      changed = true;
    }
    if (changed) this.#blobs.set(NAME, new TextEncoder().encode(JSON.stringify([...rows.values()])));
    return { leftOut, families: rows.size };
  }

  #read(): readonly Row[] {
    const bytes = this.#blobs.get(NAME);
    return bytes === null ? [] : (JSON.parse(new TextDecoder().decode(bytes)) as Row[]);
  }
}

const keyOf = ({ metric, type, help, unit }: FamilyMetadata): string => JSON.stringify([metric, type, help, unit]);
const familyOf = ([metric, type, help, unit]: Row): FamilyMetadata => ({ metric, type, help, unit });
/** About its bytes as it is stored. */
const sizeOf = ({ metric, type, help, unit }: FamilyMetadata): number =>
  20 + metric.length + type.length + help.length + unit.length;
