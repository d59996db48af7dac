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
import { TupleInterner } from './tuples.ts';

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
  readonly #tuples = new TupleInterner(0);
  readonly #tuple = new Uint32Array(4);
  /** By series: the tuple that was said with it last, from 1 on. Comparing with that is cheaper than hashes. */
  #saidOf = new Uint32Array(1024);
  /** Of the message at hand, by the symbol of a metric's name: the series that said something of it last, from 1 on. */
  #saidBy = new Uint32Array(1024);
  readonly #families = new Map<string, FamilyMetadata>();
  /** Families beyond the bounds. */
  leftOut = 0;

  families(): FamilyMetadata[] {
    return [...this.#families.values()];
  }

  /** `ids` tell series of several messages apart, where they have samples. */
  add(decoded: Decoded, ids: Uint32Array): void {
    if (decoded.schema === 2) this.#series(decoded, ids);
    else if (decoded.metadataCount > 0) this.#beside(decoded);
  }

  #beside(decoded: Decoded): void {
    for (const family of families1(decoded, FAMILIES_MAX)) this.#add(family);
    this.leftOut += Math.max(0, decoded.metadataCount - FAMILIES_MAX);
  }

  /** Most series say what one before them in the message said of the same metric: that is not looked up again. */
  #series(decoded: Decoded, ids: Uint32Array): void {
    const { metadataType, helpRef, unitRef, nameRef, valueRef, labelEnd, bad, symbolCount } = decoded;
    if (symbolCount > this.#saidBy.length) this.#saidBy = new Uint32Array(2 * symbolCount);
    const saidBy = this.#saidBy.fill(0, 0, symbolCount);
    // The reference of `__name__`: mostly one in a message.
    let known = -1;
    for (let s = 0, label = 0; s < decoded.seriesCount; s++) {
      const end = labelEnd[s]!;
      const type = metadataType[s]!;
      const help = helpRef[s]!;
      const unit = unitRef[s]!;
      if ((type !== 0 || help !== 0 || unit !== 0) && bad[s] === 0) {
        let at = label;
        while (at < end && nameRef[at] !== known) at++;
        if (at === end) at = nameLabel(decoded, s);
        if (at >= 0) {
          known = nameRef[at]!;
          const name = valueRef[at]!;
          const before = saidBy[name]! - 1;
          if (before < 0 || metadataType[before] !== type || helpRef[before] !== help || unitRef[before] !== unit) {
            saidBy[name] = s + 1;
            this.#symbols(decoded, ids[s] ?? 0, name, type, help, unit);
          }
        }
      }
      label = end;
    }
  }

  #symbols(decoded: Decoded, series: number, name: number, type: number, help: number, unit: number): void {
    const { message, symbolStart, symbolEnd } = decoded;
    const last = this.#saidOf[series] ?? 0;
    if (last > 0 && this.#isTuple(last - 1, decoded, name, type, help, unit)) return;
    const id = (ref: number): number => this.#texts.intern(message, symbolStart[ref]!, symbolEnd[ref]!);
    const tuple = this.#tuple;
    tuple[0] = id(name);
    tuple[1] = type;
    tuple[2] = id(help);
    tuple[3] = id(unit);
    const before = this.#tuples.count;
    const said = this.#tuples.intern(tuple, 4);
    if (series >= this.#saidOf.length) {
      const saidOf = new Uint32Array(2 * series);
      saidOf.set(this.#saidOf);
      this.#saidOf = saidOf;
    }
    this.#saidOf[series] = said + 1;
    if (said < before) return;
    const text = (ref: number): string => textOf(message, symbolStart[ref]!, symbolEnd[ref]!);
    const typeName = metricType(type);
    this.#add({ metric: familyName(text(name), typeName), type: typeName, help: text(help), unit: text(unit) });
  }

  #isTuple(said: number, decoded: Decoded, name: number, type: number, help: number, unit: number): boolean {
    const { message, symbolStart, symbolEnd } = decoded;
    const { items } = this.#tuples;
    const at = this.#tuples.start(said);
    const is = (id: number, ref: number): boolean => this.#texts.is(id, message, symbolStart[ref]!, symbolEnd[ref]!);
    return items[at + 1] === type && is(items[at]!, name) && is(items[at + 2]!, help) && is(items[at + 3]!, unit);
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
