/** The byte work of every station, in this process and on one thread, next to the npm packages that could do the same. */
import snappy from 'snappyjs';
import { BlockWriter } from '../../src/block/writer.ts';
import { Digest, type DigestedSegment } from '../../src/digest/digest.ts';
import { Known } from '../../src/digest/known.ts';
import { mergeSegments } from '../../src/digest/merge.ts';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { Decoded, decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { labelsFrom } from '../../src/model/labels.ts';
import { REQUEST_LIMITS } from '../../src/model/request.ts';
import { rangeStart } from '../../src/model/sample.ts';
import { accept } from '../../src/receive/accept.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import { validate } from '../../src/receive/validate.ts';
import { Page } from '../../src/scrape/page/page.ts';
import { END } from '../../src/scrape/exposition/cursor.ts';
import { TextCursor } from '../../src/scrape/exposition/text.ts';
import { compare, type Way } from './compare.ts';
import { exposition } from './exposition.ts';
import type { Bench, Options } from './options.ts';
import { decodeStatic } from './static-decoders.ts';
import { type Cell, ratio, table } from './table.ts';
import { messages, type Schema } from './workload.ts';

const SAMPLES_A_REQUEST = 2000;
const STEP_MS = 15_000;
const BYTES_MAX = 64 * 1024 * 1024;
/** As the objects have them (durable/ingester.ts). */
const DIGEST_LIMITS = { samplesMax: 400_000, partBytesMax: 256 * 1024 };
const PAGE_SERIES = 10_000;
/** Pages that are prepared and scraped by turns. */
const PAGES = 16;
const NOTHING = new Uint8Array(0);

type Bytes = Uint8Array<ArrayBuffer>;

/** Rows of the table. The first way of a group is Narthex', and what the ratios are against. */
interface Group {
  readonly title: string;
  readonly samples: number;
  /** Bytes that a run takes in or gives, uncompressed, for MB/s. */
  readonly bytes?: number;
  readonly ways: readonly Way[];
}

export const bench: Bench = async (options) => {
  const rows: Cell[][] = [];
  for (const group of [...receiving(options), ...scraping(options)]) rows.push(...(await measured(group, options)));
  for (const schema of [1, 2] as const) rows.push(...(await digesting(schema, options)));
  console.log(
    `\ncodecs: one thread of this process; ${SAMPLES_A_REQUEST} samples a request of 10 labels, ${pageSeries(options)} series a page\n`,
  );
  const columns = [
    { title: 'what', text: true },
    { title: 'by', text: true },
    { title: 'µs CPU/sample' },
    { title: 'ratio' },
    { title: 'MB/s', digits: 0 },
    { title: 'B/sample' },
  ];
  console.log(table(columns, rows));
};

async function measured({ title, samples, bytes, ways }: Group, { quick, only }: Options): Promise<Cell[][]> {
  const wanted = ways.filter((way) => `${title} ${way.name}`.includes(only));
  const seconds = await compare(wanted, quick);
  return wanted.map((way, i) => [
    i === 0 ? title : '',
    way.name,
    (seconds[i]! * 1e6) / samples,
    wanted.length > 1 ? ratio(seconds[i], seconds[0]) : null,
    bytes === undefined ? null : bytes / seconds[i]! / 1e6,
  ]);
}

/** One request at a time, as it comes in. */
function receiving({ quick }: Options): Group[] {
  const nowMs = Date.now();
  return ([1, 2] as const).flatMap((schema): Group[] => {
    const count = quick ? 2 : 10;
    const series = count * SAMPLES_A_REQUEST;
    const [round = []] = messages({
      schema,
      series,
      rounds: 1,
      samplesMax: SAMPLES_A_REQUEST,
      startMs: nowMs,
      stepMs: STEP_MS,
    });
    const bodies = round.map((message) => snappyCompress(message));
    const decoded = round.map((message) => decodeWrite(schema, message));
    const bytes = round.reduce((sum, message) => sum + message.length, 0);
    const into = new Decoded();
    const each =
      <T>(items: readonly T[], work: (item: T) => unknown) =>
      (): void => {
        for (const item of items) work(item);
      };
    const group = (title: string, ways: Way[]): Group => ({
      title: `${title} ${schema}.0`,
      samples: series,
      bytes,
      ways,
    });
    return [
      group('compress', [
        { name: 'narthex', run: each(round, (message) => snappyCompress(message)) },
        { name: 'snappyjs', run: each(round, (message) => snappy.compress(message)) },
      ]),
      group('uncompress', [
        { name: 'narthex', run: each(bodies, (body) => snappyUncompress(body, BYTES_MAX)) },
        { name: 'snappyjs', run: each(bodies, (body) => snappy.uncompress(body)) },
      ]),
      group('decode', [
        { name: 'narthex', run: each(round, (message) => decodeWrite(schema, message, into)) },
        { name: 'protobufjs, static', run: each(round, (message) => decodeStatic(schema, message)) },
      ]),
      group('validate', [
        { name: 'narthex', run: each(decoded, (one) => validate(one, DEFAULT_RECEIVE_LIMITS, nowMs)) },
      ]),
      group('accept (all three)', [
        { name: 'narthex', run: each(bodies, (body) => accept(schema, body, DEFAULT_RECEIVE_LIMITS, nowMs)) },
      ]),
    ];
  });
}

const pageSeries = ({ quick, series }: Pick<Options, 'quick' | 'series'>): number =>
  series ?? (quick ? 1000 : PAGE_SERIES);

/** One scrape at a time: parse, final labels, stale markers, encode, compress. Cold is with a page state that has to be decoded first. */
function scraping({ quick, series }: Options): Group[] {
  const count = pageSeries({ quick, series });
  const groups: Group[] = [];
  for (const churn of [0, 0.01]) {
    const pages = Array.from({ length: PAGES }, (_, scrape) => exposition({ series: count, churn }, scrape));
    const bytes = pages.reduce((sum, page) => sum + page.length, 0) / PAGES;
    const group = (title: string, run: (body: Bytes) => void): Group => {
      let scrape = 0;
      const way = { name: 'narthex', run: () => run(pages[scrape++ % PAGES]!) };
      return {
        title: `${title}, ${churn === 0 ? 'same series' : `${churn * 100} % churn`}`,
        samples: count,
        bytes,
        ways: [way],
      };
    };
    const warm = new Scraper();
    const cold = new Scraper();
    if (churn === 0) groups.push({ ...group('parse alone', parse), title: 'parse alone' });
    groups.push(group('scrape, warm', (body) => warm.scrape(body)));
    groups.push(
      group('scrape, cold', (body) => {
        cold.sleep();
        cold.scrape(body);
      }),
    );
  }
  return groups;
}

function parse(body: Uint8Array): void {
  const cursor = new TextCursor(body);
  while (cursor.next(NOTHING, 0, 0) !== END);
}

/** A target's page as an agent keeps it. */
class Scraper {
  #page = Page.decode(null);
  #whole: Uint8Array | null = null;
  #change: Uint8Array | null = null;
  #timeMs = 1_700_000_000_000;
  readonly #target = {
    labels: labelsFrom([
      ['instance', '10.0.0.1:9100'],
      ['job', 'bench'],
    ]),
    honorLabels: false,
    honorTimestamps: true,
    sampleLimit: 0,
    metricRelabelConfigs: [],
    metricNameValidationScheme: 'utf8' as const,
  };

  sleep(): void {
    this.#page = Page.decode(this.#whole, this.#change);
  }

  scrape(body: Bytes): void {
    const timestampMs = (this.#timeMs += 1000);
    const out = new RequestBuilder(REQUEST_LIMITS);
    const result = {
      slotMs: timestampMs,
      timestampMs,
      durationMs: 5,
      bodyBytes: body.length,
      body,
      format: 'text' as const,
      error: null,
    };
    const { changed, error } = this.#page.scrape(this.#target, [], result, out);
    if (error !== null) throw new Error(error);
    if (changed) this.#store();
    for (const { message } of out.finish()) snappyCompress(message);
  }

  #store(): void {
    const { whole, change } = this.#page.store();
    this.#whole = whole ?? this.#whole;
    this.#change = change;
  }
}

/** Log records to segments, and segments to a block: what a batch costs, and what a sample takes where it is stored. */
async function digesting(schema: Schema, options: Options): Promise<Cell[][]> {
  const { quick, only } = options;
  const series = options.series ?? (quick ? 2000 : 10_000);
  const rounds = options.rounds ?? (quick ? 20 : 120);
  // All in one block range.
  const startMs = rangeStart(1_763_800_000_000);
  const all = messages({ schema, series, rounds, samplesMax: SAMPLES_A_REQUEST, startMs, stepMs: STEP_MS }).flat();
  const bodies = all.map((message) => snappyCompress(message));
  const requests = Math.floor(DIGEST_LIMITS.samplesMax / Math.min(series, SAMPLES_A_REQUEST));

  const segments: DigestedSegment[] = [];
  const digest = { name: 'narthex', run: () => digestAll(bodies, requests, schema, segments) };
  let size = { chunks: 0, index: 0 };
  const block = {
    name: 'narthex',
    run: async () => {
      size = await writeBlock(segments);
    },
  };
  const rows: Cell[][] = [];
  const samples = series * rounds;
  const row = (title: string, seconds: number, bytes: number): Cell[] => [
    title,
    'narthex',
    (seconds * 1e6) / samples,
    null,
    null,
    bytes / samples,
  ];
  const title = `digest ${schema}.0`;
  if (!title.includes(only) && !'merge and block'.includes(only)) return rows;
  const [seconds = NaN] = await compare([digest], quick);
  rows.push(
    row(
      title,
      seconds,
      segments.reduce((sum, segment) => sum + segment.bytes, 0),
    ),
  );
  if (schema === 1) {
    const [blockSeconds = NaN] = await compare([block], quick);
    rows.push(row(`merge and block, ${rounds} samples a series`, blockSeconds, size.chunks + size.index));
  }
  return rows;
}

function digestAll(bodies: readonly Uint8Array[], requests: number, schema: Schema, out: DigestedSegment[]): void {
  out.length = 0;
  const known = new Known();
  for (let from = 0; from < bodies.length; from += requests) {
    const digest = new Digest(DIGEST_LIMITS, known, out.length + 1);
    for (const body of bodies.slice(from, from + requests)) digest.add(schema, snappyUncompress(body, BYTES_MAX));
    out.push(...digest.finish().segments);
  }
}

async function writeBlock(segments: readonly DigestedSegment[]): Promise<{ chunks: number; index: number }> {
  let chunks = 0;
  const writer = new BlockWriter({
    chunks: async (_file, part) => {
      chunks += part.byteLength;
    },
  });
  const sources = segments.map(({ id, parts }) => {
    let part = 0;
    return { id, next: async () => parts[part++] ?? null };
  });
  await mergeSegments(sources, (merged) => writer.add(merged.labels, merged, merged.count));
  const { index } = await writer.finish();
  return { chunks, index: index.byteLength };
}
