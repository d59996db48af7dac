/** What a scrape tells of itself besides its samples: the limit that failed it, its series, its exemplars. */

import { expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { Page, type PageTarget } from '../../../src/scrape/page/page.ts';
import { resultOf } from './results.ts';

const TARGET: PageTarget = {
  labels: [{ name: 'job', value: 'j' }],
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 3,
  labelLimits: { labelLimit: 4, labelNameLengthLimit: 20, labelValueLengthLimit: 20 },
  metricRelabelConfigs: [
    {
      action: 'drop',
      sourceLabels: ['__name__'],
      separator: ';',
      regex: 'dropped',
      modulus: 0,
      targetLabel: '',
      replacement: '$1',
      nameValidationScheme: 'utf8',
    },
  ],
  metricNameValidationScheme: 'utf8',
};

test.each([
  // Five report series are always there.
  ['a 1\nb{x="1"} 1\nb{ x="1" } 2\ndropped 1\n', { series: 7, limit: null, duplicates: 1 }],
  ['', { series: 5, limit: null }],
  ['a 1\nb 1\nc 1\nd 1\n', { series: 5, limit: 'sample_limit' }],
  ['a{a="1",b="2",c="3",d="4"} 1\n', { series: 5, limit: 'label_limit' }],
  [`a{${'n'.repeat(21)}="1"} 1\n`, { series: 5, limit: 'label_limit' }],
  [`a{n="${'v'.repeat(21)}"} 1\n`, { series: 5, limit: 'label_limit' }],
  ['a 1 99999999\n', { outOfBounds: 1, limit: null }],
  ['a one\n', { limit: null, health: 'down' }],
])('%j', (body, wanted) => {
  const scraped = Page.decode(null).scrape(
    TARGET,
    [],
    resultOf(1000, body),
    new RequestBuilder({ samplesMax: 100, bytesMax: 1e6 }),
  );
  expect(scraped).toMatchObject(wanted);
});

test('a body over its limit, too many targets, and exemplars', () => {
  const out = new RequestBuilder({ samplesMax: 100, bytesMax: 1e6 });
  const page = Page.decode(null);
  const tooLarge = { ...resultOf(1000, '', 'body size limit exceeded'), bodyBytes: -1 };
  expect(page.scrape(TARGET, [], tooLarge, out)).toMatchObject({ limit: 'body_size_limit', series: 5 });
  const tooMany = resultOf(1500, '', 'target_limit exceeded (number of targets: 3, limit: 2)');
  expect(page.scrape(TARGET, [], tooMany, out)).toMatchObject({ limit: 'target_limit', series: 5 });
  const body = '# TYPE a counter\na_total 1 # {trace="1"} 1 1.5\n# EOF\n';
  expect(page.scrape(TARGET, [], resultOf(2000, body, null, 'openmetrics'), out)).toMatchObject({
    exemplars: 1,
    series: 6,
  });
  expect(page.scrape(TARGET, [], resultOf(3000, body, null, 'openmetrics'), out)).toMatchObject({
    exemplars: 0,
    series: 6,
  });
});
