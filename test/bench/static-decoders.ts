/**
 * The two remote-write messages as `pbjs -t static-module` generates decoders for them: protobufjs at its best, an object for each
 * message and a string for each text. What our decoder into columns is measured against.
 */
import { Reader } from 'protobufjs/minimal.js';

interface Label {
  name: string;
  value: string;
}

interface Sample {
  value: number;
  timestamp: unknown;
}

interface Series {
  labels: Label[];
  labelsRefs: number[];
  samples: Sample[];
}

export interface WriteRequest {
  symbols: string[];
  timeseries: Series[];
}

export function decodeStatic(schema: 1 | 2, bytes: Uint8Array): WriteRequest {
  const reader = Reader.create(bytes);
  const message: WriteRequest = { symbols: [], timeseries: [] };
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (schema === 1 && tag >>> 3 === 1) message.timeseries.push(seriesV1(reader, reader.uint32()));
    else if (schema === 2 && tag >>> 3 === 4) message.symbols.push(reader.string());
    else if (schema === 2 && tag >>> 3 === 5) message.timeseries.push(seriesV2(reader, reader.uint32()));
    else reader.skipType(tag & 7);
  }
  return message;
}

function seriesV1(reader: Reader, length: number): Series {
  const end = reader.pos + length;
  const message: Series = { labels: [], labelsRefs: [], samples: [] };
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) message.labels.push(label(reader, reader.uint32()));
    else if (tag >>> 3 === 2) message.samples.push(sample(reader, reader.uint32()));
    else reader.skipType(tag & 7);
  }
  return message;
}

function seriesV2(reader: Reader, length: number): Series {
  const end = reader.pos + length;
  const message: Series = { labels: [], labelsRefs: [], samples: [] };
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1)
      for (const stop = reader.uint32() + reader.pos; reader.pos < stop;) message.labelsRefs.push(reader.uint32());
    else if (tag >>> 3 === 2) message.samples.push(sample(reader, reader.uint32()));
    else reader.skipType(tag & 7);
  }
  return message;
}

function label(reader: Reader, length: number): Label {
  const end = reader.pos + length;
  const message: Label = { name: '', value: '' };
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) message.name = reader.string();
    else if (tag >>> 3 === 2) message.value = reader.string();
    else reader.skipType(tag & 7);
  }
  return message;
}

function sample(reader: Reader, length: number): Sample {
  const end = reader.pos + length;
  const message: Sample = { value: 0, timestamp: 0 };
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) message.value = reader.double();
    else if (tag >>> 3 === 2) message.timestamp = reader.int64();
    else reader.skipType(tag & 7);
  }
  return message;
}
