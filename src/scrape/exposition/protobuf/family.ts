/**
 * Walks the families of a body, and the metrics of a family. Nothing is read but where they stand.
 *
 * The one invariant: after `next` the family's fields are all known, wherever in the message they stand; metrics come in their order.
 */

import type { Cursor } from '../../../encoding/protobuf-reader.ts';
import { byteError } from './errors.ts';
import { FAMILY, TYPES } from './messages.ts';

export class FamilyReader {
  readonly #reader: Cursor;
  /** Its texts: ranges of the body, empty when it has none. */
  nameStart = 0;
  nameEnd = 0;
  helpStart = 0;
  helpEnd = 0;
  unitStart = 0;
  unitEnd = 0;
  /** The type as Remote Write has it, and the tag of the field of Metric that holds the value. */
  type = 0;
  field = 0;
  /** Where the family ends, and where its next metric is looked for. */
  #end = 0;
  #metricAt = 0;

  constructor(reader: Cursor) {
    this.#reader = reader;
  }

  /** Goes to the next family that has metrics; false at the end of the body. */
  next(): boolean {
    const reader = this.#reader;
    const bodyEnd = reader.bytes.length;
    while (this.#end < bodyEnd) {
      reader.offset = this.#end;
      const end = reader.length(bodyEnd);
      const start = reader.offset;
      this.#end = end;
      const type = this.#readFields(start, end);
      if (type < 0) continue;
      const known = TYPES[type];
      if (known === undefined) throw byteError(start, `a metric type from 0 to 5, got ${type}`);
      [this.type, this.field] = known;
      this.#metricAt = start;
      return true;
    }
    return false;
  }

  /** Goes to the next metric of the family: the reader stands at its start. Returns its end, or −1 when there is none. */
  nextMetric(): number {
    const reader = this.#reader;
    const end = this.#end;
    reader.offset = this.#metricAt;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag !== FAMILY.metric) {
        reader.skip(tag, end);
        continue;
      }
      return (this.#metricAt = reader.length(end));
    }
    this.#metricAt = end;
    return -1;
  }

  /** The number of the family's type, or −1 when it has no metrics. */
  #readFields(start: number, end: number): number {
    const reader = this.#reader;
    this.nameStart = this.nameEnd = this.helpStart = this.helpEnd = this.unitStart = this.unitEnd = start;
    let type = 0;
    let hasMetrics = false;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === FAMILY.type) {
        type = reader.uint32(end);
        continue;
      }
      if (tag !== FAMILY.name && tag !== FAMILY.help && tag !== FAMILY.unit && tag !== FAMILY.metric) {
        reader.skipOther(tag, end, 'MetricFamily', 5);
        continue;
      }
      const to = reader.length(end);
      if (tag === FAMILY.name) [this.nameStart, this.nameEnd] = [reader.offset, to];
      else if (tag === FAMILY.help) [this.helpStart, this.helpEnd] = [reader.offset, to];
      else if (tag === FAMILY.unit) [this.unitStart, this.unitEnd] = [reader.offset, to];
      else hasMetrics = true;
      reader.offset = to;
    }
    return hasMetrics ? type : -1;
  }
}
