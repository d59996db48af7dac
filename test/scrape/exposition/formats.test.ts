import { describe, expect, test } from 'vitest';
import { SCRAPE_PROTOCOLS } from '../../../src/config/model.ts';
import { acceptHeader, bodyFormat } from '../../../src/scrape/exposition/formats.ts';

describe('what is asked for', () => {
  test('counts down, and names the escaping where a format knows it', () => {
    expect(acceptHeader(SCRAPE_PROTOCOLS, 'dots')).toBe(
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,' +
        'application/openmetrics-text;version=1.0.0;escaping=dots;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
        'text/plain;version=1.0.0;escaping=dots;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    );
    expect(acceptHeader(['PrometheusText0.0.4'], 'values')).toBe('text/plain;version=0.0.4;q=0.7,*/*;q=0.6');
  });
});

describe('what is answered', () => {
  test.each([
    ['text/plain', 'text'],
    ['text/plain; version=0.0.4; charset=utf-8; escaping=underscores', 'text'],
    ['Text/Plain ; Version="1.0.0"', 'text'],
    ['text/plain;', 'text'],
    ['text/plain; version=0.0.4; version="0.0.4"', 'text'],
    ['application/openmetrics-text', 'openmetrics'],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'openmetrics'],
    ['application/openmetrics-text; version=7', 'openmetrics'],
    ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited', 'protobuf'],
  ])('%s', (contentType, format) => {
    expect(bodyFormat(contentType, null)).toEqual({ format });
    expect(bodyFormat(contentType, 'PrometheusProto')).toEqual({ format });
  });

  test.each([
    ['', /^non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified/],
    ['text/html', /^received unsupported Content-Type "text\/html" and no fallback_scrape_protocol specified/],
    ['text/plain; version', /^cannot parse Content-Type "text\/plain; version" and no fallback/],
    ['text/plain; a=1; a=2', /^cannot parse/],
    ['text/plain, text/html', /^cannot parse/],
    ['application/openmetrics-text; version=2.0.0', /^received OpenMetrics 2.0 Content-Type/],
    ['x'.repeat(10_000), /^received unsupported Content-Type "x{200}" and/],
  ])('%s is an error, unless there is a fallback', (contentType, error) => {
    expect(bodyFormat(contentType, null)).toEqual({ error: expect.stringMatching(error) });
    expect(bodyFormat(contentType, 'OpenMetricsText0.0.1')).toEqual({ format: 'openmetrics' });
    expect(bodyFormat(contentType, 'PrometheusText0.0.4')).toEqual({ format: 'text' });
    expect(bodyFormat(contentType, 'PrometheusProto')).toEqual({ format: 'protobuf' });
  });
});
