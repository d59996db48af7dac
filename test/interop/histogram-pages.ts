/** Pages of native histograms, and of classic ones that become native: each setting of a scrape configuration that concerns them. */
import { encodeFamilies, type TestFamily, type TestMetric } from '../scrape/exposition/metric-family.ts';

interface HistogramPages {
  readonly job: string;
  readonly contentType: string;
  readonly config: string;
  readonly labels?: string;
  /** Those of three phases, of which the last fails at once. */
  readonly pages: readonly (string | Uint8Array)[];
}

const proto = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

/** Exemplars are at or after `startMs`. */
export function histogramPages(startMs: number): readonly HistogramPages[] {
  // Two for each histogram: Prometheus' agent sends again what is not the last one, so none is lost while its series is not known yet.
  const exemplar = (trace: string, value: number, ms?: number) => ({
    labels: { trace_id: trace },
    value,
    ...(ms === undefined ? {} : { ms }),
  });
  const buckets = [
    [0.5, 1],
    [1, 1, exemplar('one', 0.7, startMs)],
    [2, 3],
    [8, 3],
    [16, 5, exemplar('two', 9, startMs + 500)],
  ] as const;
  const classic: TestMetric = { count: 6, sum: 20.5, buckets };
  const ints: TestMetric = {
    count: 32,
    sum: -2.5,
    native: {
      schema: 3,
      zeroThreshold: 2 ** -128,
      zeroCount: 2,
      positiveSpans: [
        [-3, 4],
        [2, 3],
      ],
      positiveDeltas: [1, 2, -3, 4, 0, 1, -1],
      negativeSpans: [[5, 2]],
      negativeDeltas: [4, 1],
      exemplars: [exemplar('b', 2, startMs + 500), exemplar('none', 3), exemplar('a', 1, startMs)],
    },
  };
  const floats: TestMetric = {
    countFloat: 4.5,
    sum: 1,
    native: { schema: -1, zeroCountFloat: 0.5, positiveSpans: [[0, 3]], positiveCounts: [1.5, 0, 2.5], packed: true },
  };
  const fine: TestMetric = {
    count: 12,
    sum: 1,
    native: { schema: 8, positiveSpans: [[700, 12]], positiveDeltas: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
  };
  const none: TestMetric = { native: { positiveSpans: [[0, 0]] } };
  const family = (
    name: string,
    metrics: readonly TestMetric[],
    type: TestFamily['type'] = 'histogram',
  ): TestFamily => ({
    name,
    type,
    help: 'Help.',
    metrics,
  });
  const gaugeOf = (name: string): TestFamily => family(name, [{ value: 7 }], 'gauge');
  const first: readonly TestFamily[] = [
    family('n_ints', [{ ...ints, buckets }]),
    family('n_floats', [floats, { ...floats, labels: { a: '1' } }]),
    family('n_gauge', [{ ...ints, labels: { a: 'é "\\' } }], 'gaugehistogram'),
    family('n_fine', [fine]),
    family('n_none', [none]),
    family('n_classic', [classic, { ...classic, labels: { a: '1' }, countFloat: 6.5, count: 0, buckets: [[1, 2]] }]),
    family('n_summary', [{ count: 1, sum: 2, quantiles: [[0.5, 1]] }], 'summary'),
    family('n_timed', [{ ...ints, ms: startMs }]),
    gaugeOf('n_turns'),
  ];
  // One kind turns into another, others are gone.
  const second: readonly TestFamily[] = [
    family('n_ints', [{ ...floats, buckets: [[1, 2, exemplar('three', 0.5, startMs)]] }]),
    family('n_floats', [{ ...ints, labels: { a: '1' } }]),
    family('n_fine', [{ ...fine, labels: { new: '1' } }]),
    family('n_turns', [ints]),
    gaugeOf('n_classic'),
  ];
  const bad = encodeFamilies(first).slice(1);
  const protobuf = [encodeFamilies(first), encodeFamilies(second), bad];

  const text = `# TYPE c histogram
c_bucket{a="1",le="0.5"} 1
c_bucket{a="1",le="1"} 1
c_bucket{a="1",le="2.0"} 1
c_bucket{a="1",le="1e1"} 1
c_bucket{a="1",le="+Inf"} 5
c_sum{a="1"} 7.5
c_count{a="1"} 5
c_bucket{le="2",a="2"} 3
c_bucket{a="2",le="1"} 1.5
c_count{a="2"} 3
c_bucket{a="3",le="1"} 3
c_bucket{a="3",le="2"} 2
c_count{a="3"} 3
c_other 4
# TYPE d histogram
d_count 2
# TYPE utf8 histogram
{"utf8_bucket","b c"="x",le="1"} 1
{"utf8_count","b c"="x"} 1
# TYPE s summary
s{quantile="0.5"} 1
s_count 1
loose_bucket{le="1"} 1
`;
  const texts = [
    text,
    text.replace('c_count{a="1"} 5', 'c_count{a="1"} 6').replaceAll('d_count 2', 'd 5'),
    `a{ 1\n${text}`,
  ];

  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const om = `# TYPE o histogram
o_bucket{le="1"} 1 # {trace_id="om1"} 0.7 ${seconds(startMs)}
o_bucket{le="2"} 2 # {trace_id="none"} 1.7
o_bucket{le="+Inf"} 4 # {trace_id="om2"} 9 ${seconds(startMs + 500)}
o_count 4
o_sum 12
o_created 1.7e9
# TYPE og gaugehistogram
og_bucket{le="+Inf"} 3
og_gcount 3
# EOF
`;
  const oms = [om, om.replace('o_count 4', 'o_count 5'), `\n${om}`];
  const openmetrics = 'application/openmetrics-text; version=1.0.0';

  const lines = (...config: string[]): string => config.join('\n    ');
  const native = 'scrape_native_histograms: true';
  const keep = 'always_scrape_classic_histograms: true';
  const convert = 'convert_classic_histograms_to_nhcb: true';
  const wide = family('w', [
    {
      ...fine,
      native: {
        positiveSpans: [
          [0, 1],
          [2000, 1],
        ],
        positiveDeltas: [6, 0],
      },
    },
  ]);
  return [
    { job: 'native', contentType: proto, config: native, pages: protobuf },
    { job: 'native-classic', contentType: proto, config: lines(native, keep), pages: protobuf },
    {
      job: 'native-limits',
      contentType: proto,
      config: lines(native, 'native_histogram_bucket_limit: 4', 'native_histogram_min_bucket_factor: 1.2'),
      pages: protobuf,
    },
    { job: 'native-nhcb', contentType: proto, config: lines(native, convert), pages: protobuf },
    { job: 'nhcb-protobuf', contentType: proto, config: convert, pages: protobuf },
    { job: 'nhcb-protobuf-classic', contentType: proto, config: lines(convert, keep), pages: protobuf },
    { job: 'nhcb-text', contentType: 'text/plain', config: convert, pages: texts },
    { job: 'nhcb-text-classic', contentType: 'text/plain', config: lines(convert, keep, native), pages: texts },
    { job: 'nhcb-openmetrics', contentType: openmetrics, config: convert, pages: oms },
    { job: 'nhcb-openmetrics-classic', contentType: openmetrics, config: lines(convert, keep), pages: oms },
    // Nothing else on the page: of what stands beside, Prometheus marks nothing stale.
    {
      job: 'native-too-many',
      contentType: proto,
      config: lines(native, 'native_histogram_bucket_limit: 1'),
      pages: [encodeFamilies([family('w', [none])]), encodeFamilies([wide]), bad],
    },
    {
      job: 'native-invalid',
      contentType: proto,
      config: native,
      pages: [encodeFamilies([family('v', [ints])]), encodeFamilies([family('v', [{ ...ints, count: 33 }])]), bad],
    },
    {
      job: 'nhcb-invalid',
      contentType: proto,
      config: convert,
      pages: [encodeFamilies([family('v', [classic])]), encodeFamilies([family('v', [{ ...classic, count: 4 }])]), bad],
    },
    {
      job: 'native-by-label',
      contentType: proto,
      config: lines(convert, 'scrape_protocols: [PrometheusText0.0.4, PrometheusProto]'),
      labels: '__scrape_native_histograms__: "1", __convert_classic_histograms_to_nhcb__: "F"',
      pages: protobuf,
    },
  ];
}
