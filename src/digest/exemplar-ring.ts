/**
 * The last exemplars of a shard: a ring of messages, the oldest of which go when there are too many. Prometheus keeps as many in memory; here they
 * are rows, one a digest and megabyte, and outlive it.
 *
 * Invariant: what was ever put is in the ring or counted as evicted by the caller.
 */

import { decodeWrite } from '../encoding/remote-write/decoded.ts';
import { readExemplars } from '../encoding/remote-write/exemplars.ts';
import { textOf } from '../encoding/remote-write/metadata.ts';
import { snappyUncompress } from '../encoding/snappy.ts';
import type { Sql } from '../log/sql.ts';
import { owned } from '../model/bytes.ts';
import { compareUtf8, formatLabels, type Label, type Labels } from '../model/labels.ts';
import { type ExemplarPart, EXEMPLARS_MAX } from './exemplars.ts';

/** Of bodies. A caller gets them in one call, which takes 32 MiB. */
const RING_BYTES_MAX = 16 * 1024 * 1024;
/** A week of digests: what is read to find out whether there is room is bounded too. */
const ROWS_MAX = 2_000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

export class ExemplarRing {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS exemplar (seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, min_t INTEGER NOT NULL,
      max_t INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL)`);
  }

  /** Puts what a digest gathered; returns how many older ones made room for it. */
  put(parts: readonly ExemplarPart[]): number {
    for (const { body, count, minT, maxT } of parts) {
      this.#sql.exec(
        'INSERT INTO exemplar (count, min_t, max_t, bytes, body) VALUES (?, ?, ?, ?, ?)',
        count,
        minT,
        maxT,
        body.byteLength,
        body,
      );
    }
    if (parts.length === 0) return 0;
    let [rows, count, bytes, evicted] = [0, 0, 0, 0];
    for (const row of this.#sql.exec('SELECT seq, count, bytes FROM exemplar ORDER BY seq DESC')) {
      // A message goes as a whole, so a bound is passed by less than one.
      if (rows >= ROWS_MAX || count >= EXEMPLARS_MAX || bytes >= RING_BYTES_MAX) {
        evicted += row['count'] as number;
        this.#sql.exec('DELETE FROM exemplar WHERE seq = ?', row['seq']!);
        continue;
      }
      rows++;
      count += row['count'] as number;
      bytes += row['bytes'] as number;
    }
    return evicted;
  }

  count(): number {
    return (this.#sql.exec('SELECT sum(count) AS n FROM exemplar')[0]?.['n'] as number | null) ?? 0;
  }

  /** The messages that hold any of these times (Unix ms, both inclusive), oldest first; each owns its buffer. */
  read(startMs: number, endMs: number): Uint8Array<ArrayBuffer>[] {
    return this.#sql
      .exec('SELECT body FROM exemplar WHERE min_t <= ? AND max_t >= ? ORDER BY seq', endMs, startMs)
      .map((row) => owned(new Uint8Array(row['body'] as ArrayBuffer)));
  }
}

export interface Exemplar {
  readonly labels: Labels;
  /** Unix ms. */
  readonly t: number;
  readonly value: number;
}

export interface SeriesExemplars {
  readonly labels: Labels;
  /** Ascending by time, each once. */
  readonly exemplars: readonly Exemplar[];
}

/** What messages of one or more rings say of the series that match, in a time range (Unix ms, both inclusive); ascending by labels. */
export function selectExemplars(
  messages: readonly Uint8Array[],
  startMs: number,
  endMs: number,
  matches: (labels: Labels) => boolean,
): SeriesExemplars[] {
  const found = new Map<string, { labels: Labels; exemplars: Map<string, Exemplar> }>();
  const bits = new DataView(new ArrayBuffer(8));
  for (const body of messages) {
    const decoded = decodeWrite(2, snappyUncompress(body, MESSAGE_BYTES_MAX));
    const { message, nameStart, nameEnd, valueStart, valueEnd } = decoded;
    for (let s = 0; s < decoded.seriesCount; s++) {
      const labels: Label[] = [];
      for (let i = s === 0 ? 0 : decoded.labelEnd[s - 1]!; i < decoded.labelEnd[s]!; i++) {
        labels.push({
          name: textOf(message, nameStart[i]!, nameEnd[i]!),
          value: textOf(message, valueStart[i]!, valueEnd[i]!),
        });
      }
      labels.sort((a, b) => compareUtf8(a.name, b.name));
      if (!matches(labels)) continue;
      const key = formatLabels(labels);
      readExemplars(decoded, s, ({ labels: ranges, t, hi, lo }) => {
        if (t < startMs || t > endMs) return;
        const own: Label[] = [];
        for (let i = 0; i + 3 < ranges.length; i += 4) {
          own.push({
            name: textOf(message, ranges[i]!, ranges[i + 1]!),
            value: textOf(message, ranges[i + 2]!, ranges[i + 3]!),
          });
        }
        own.sort((a, b) => compareUtf8(a.name, b.name));
        bits.setUint32(0, hi);
        bits.setUint32(4, lo);
        let series = found.get(key);
        if (series === undefined) found.set(key, (series = { labels, exemplars: new Map() }));
        const exemplar = { labels: own, t, value: bits.getFloat64(0) };
        series.exemplars.set(`${t} ${hi} ${lo} ${formatLabels(own)}`, exemplar);
      });
    }
  }
  return [...found]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([, { labels, exemplars }]) => ({
      labels,
      exemplars: [...exemplars.values()].sort((a, b) => a.t - b.t),
    }));
}
