import protobuf from 'protobufjs/minimal.js';
import { expect, test } from 'vitest';
import { type BuiltRequest, RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import { Page, type PageTarget } from '../../../src/scrape/page/page.ts';
import { resultOf } from './results.ts';

const TARGET: PageTarget = {
  labels: labelsFrom([['job', 'j']]),
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 0,
  metricRelabelConfigs: [],
  metricNameValidationScheme: 'utf8',
};
const LIMITS = { samplesMax: 10_000, bytesMax: 512 * 1024 };

/** Exemplars of 2.0 messages as lines, `series{labels} value @ms`. */
function exemplarsOf(requests: readonly BuiltRequest[]): string[] {
  const lines: string[] = [];
  const refs = (reader: protobuf.Reader, symbols: string[]): string[] => {
    const texts: string[] = [];
    for (const end = reader.uint32() + reader.pos; reader.pos < end;) texts.push(symbols[reader.uint32()]!);
    return texts;
  };
  for (const { message } of requests) {
    // Whatever is in it, the receiver's own reader takes it too.
    decodeWrite(2, message);
    const symbols: string[] = [];
    const reader = protobuf.Reader.create(message);
    while (reader.pos < reader.len) {
      if (reader.uint32() >>> 3 === 4) {
        symbols.push(reader.string());
        continue;
      }
      let name = '';
      for (const end = reader.uint32() + reader.pos; reader.pos < end;) {
        const tag = reader.uint32();
        if (tag >>> 3 === 1) name = refs(reader, symbols)[1]!;
        else if (tag >>> 3 === 4) {
          let labels: string[] = [];
          let value = 0;
          let t = 0;
          for (const stop = reader.uint32() + reader.pos; reader.pos < stop;) {
            const field = reader.uint32() >>> 3;
            if (field === 1) labels = refs(reader, symbols);
            else if (field === 2) value = reader.double();
            else t = Number(reader.int64());
          }
          lines.push(`${name} ${JSON.stringify(labels)} ${value} @${t}`);
        } else reader.skipType(tag & 7);
      }
    }
  }
  return lines;
}

function scrape(page: Page, at: number, body: string): string[] {
  const out = new RequestBuilder(LIMITS);
  page.scrape(TARGET, [], resultOf(at, body, null, 'openmetrics'), out);
  return exemplarsOf(out.finish());
}

test('an exemplar travels with its sample, once', () => {
  const page = Page.decode(null);
  const first = 'a_total 1 # {z="1",trace_id="x"} 0.5 1.5\nb_total 1\nc_total 1 # {} -0\n# EOF\n';
  expect(scrape(page, 2000, first)).toEqual(['a_total ["trace_id","x","z","1"] 0.5 @1500', 'c_total [] 0 @2000']);
  expect(scrape(page, 3000, first)).toEqual([]);
  // Another value, another time, and another series in the same place.
  expect(scrape(page, 4000, 'a_total 2 # {trace_id="x",z="1"} 0.6 1.5\n# EOF\n')).toHaveLength(1);
  expect(scrape(page, 5000, 'a_total 2 # {trace_id="x",z="1"} 0.6 1.6\n# EOF\n')).toHaveLength(1);
  expect(scrape(page, 6000, 'b_total 2 # {trace_id="x",z="1"} 0.6 1.6\n# EOF\n')).toHaveLength(1);
});

test('a page that fails gives none, and its exemplars come again', () => {
  const page = Page.decode(null);
  expect(scrape(page, 1000, 'a_total 1 # {t="x"} 1 1\nb{\n# EOF\n')).toEqual([]);
  expect(scrape(page, 2000, 'a_total 1 # {t="x"} 1 1\n# EOF\n')).toHaveLength(1);
});

test('after a sleep they are sent once more', () => {
  const page = Page.decode(null);
  const body = 'a_total 1 # {t="x"} 1 1\n# EOF\n';
  scrape(page, 1000, body);
  const slept = Page.decode(page.encode());
  expect(scrape(slept, 2000, body)).toHaveLength(1);
  expect(scrape(slept, 3000, body)).toEqual([]);
});

test.each([
  ['128 characters', `{t="${'x'.repeat(127)}"}`, 1],
  ['129 characters', `{t="${'x'.repeat(128)}"}`, 0],
  ['128 characters beyond the first plane', `{t="${'😀'.repeat(127)}"}`, 1],
  ['129 characters beyond the first plane', `{t="${'😀'.repeat(128)}"}`, 0],
  ['a megabyte', `{t="${'x'.repeat(1_000_000)}"}`, 0],
  ['a label twice', '{t="x",t="y"}', 0],
  [
    '64 labels',
    `{${Array.from({ length: 64 }, (_, i) => `${String.fromCharCode(65 + (i % 26))}${i > 25 ? '_'.repeat(Math.floor(i / 26)) : ''}=""`).join()}}`,
    1,
  ],
])('of %s', (_, labels, count) => {
  const out = new RequestBuilder(LIMITS);
  const got = Page.decode(null).scrape(
    TARGET,
    [],
    resultOf(1000, `a_total 1 # ${labels} 1 1\n# EOF\n`, null, 'openmetrics'),
    out,
  );
  expect(got).toMatchObject({ error: null, samples: 1 });
  expect(exemplarsOf(out.finish())).toHaveLength(count);
});

test('messages stay within their limits', () => {
  let body = '';
  for (let i = 0; i < 3000; i++) body += `a_total{i="${i}"} 1 # {t="${i}${'x'.repeat(120)}"} 1 1\n`;
  const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 64 * 1024 });
  Page.decode(null).scrape(TARGET, [], resultOf(1000, `${body}# EOF\n`, null, 'openmetrics'), out);
  const requests = out.finish();
  expect(Math.max(...requests.map(({ message }) => message.byteLength))).toBeLessThanOrEqual(64 * 1024);
  expect(exemplarsOf(requests)).toHaveLength(3000);
});
