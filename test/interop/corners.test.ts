/**
 * Corner cases of answers and pages, each a job of its own, scraped by a real Prometheus 3 in agent mode and by Narthex: what arrives of each series, in
 * order, must be the same, the report series with their values among them. Three phases: the corner, a plain page, the corner again.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { type Lab, freePort, test, waitUntil } from './harness.ts';
import { startNarthex } from './narthex.ts';
import { messages, queryValue, startPrometheus } from './prometheus.ts';
import { difference, dump, select, type Sample } from './promtool.ts';

const startMs = Date.now() + 240_000;
const S = startMs / 1000;
const om = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const txt = 'text/plain; version=0.0.4; charset=utf-8';

interface Corner {
  readonly job: string;
  readonly config?: string;
  readonly answer: (response: ServerResponse, path: string, host: string) => void;
}

const PLAIN = 'plain{a="b"} 1\nplain{a="c"} 2\n';
const page = (job: string, body: string | Uint8Array, type = txt, config = ''): Corner => ({
  job,
  config,
  answer: (response) => response.writeHead(200, { 'content-type': type }).end(body),
});
const answer = (job: string, answers: Corner['answer'], config = ''): Corner => ({ job, answer: answers, config });
const pages = (
  kind: string,
  type: string,
  bodies: Readonly<Record<string, string | Uint8Array>>,
  config = '',
): Corner[] => Object.entries(bodies).map(([name, body]) => page(`${kind}-${name}`, body, type, config));

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const TEXT: Record<string, string | Uint8Array> = {
  numbers:
    'n{i="1"} 0x1p-3\nn{i="2"} 0x10\nn{i="3"} +5\nn{i="4"} .5\nn{i="5"} 5.\nn{i="6"} 1E3\nn{i="7"} infinity\nn{i="8"} -INFINITY\nn{i="9"} nan\nn{i="10"} +Inf\nn{i="11"} 1e400\n',
  hexfloat: 'n 0x1p-3\n',
  hexint: 'n 0x10\n',
  under: 'n 1_000\n',
  huge: 'n 1e400\n',
  tiny: 'n 1e-400\nm 4.9e-324\no 2.4e-324\n',
  infs: 'a inf\nb Infinity\nc iNf\nd -inf\ne +infinity\nf nan\ng NaN\nh NAN\n',
  plusnan: 'a +NaN\n',
  dotted: 'a .5\nb 5.\nc +5\nd 1E3\ne 00012\nf -0\n',
  dot: 'a .\n',
  empty: 'a \n',
  novalue: 'a\n',
  braceonly: 'a{} 1\nb{ } 2\nc{,} 3\n',
  commas: 'a{x="1",} 1\nb{x="1",y="2",} 2\n',
  doublecomma: 'a{x="1",,y="2"} 1\n',
  commafirst: 'a{,x="1"} 1\n',
  nocomma: 'a{x="1"y="2"} 1\n',
  spaces: 'a  {  x  =  "1"  ,  y="2"  }   5   \n',
  tabs: 'a\t{x="1"}\t5\t\nb 1\n',
  crlf: 'a 1\r\nb 2\r\n',
  blank: '\n\n\na 1\n\n   \nb 2\n\n',
  noeol: 'a 1\nb 2',
  comment: '# a comment\n#another\n#\n# HELP\n# TYPE\n# HELP a\n# TYPE a counter\na 1\n# FOO a b\n',
  typebad: '# TYPE a foo\na 1\n',
  typetwice: '# TYPE a counter\n# TYPE a gauge\na 1\n',
  helpodd: '# HELP a \\n \\\\ \\x "q"\n# HELP a again\na 1\n',
  helptab: '#\tHELP\ta\thelp text\n#\tTYPE a\tgauge\na 1\n',
  unit: '# UNIT a seconds\na 1\n',
  eof: 'a 1\n# EOF\nb 2\n',
  escapes: 'a{x="\\n\\\\\\"\\t\\q"} 1\n',
  newline: 'a{x="1\n2"} 1\n',
  unterminated: 'a{x="1} 1\n',
  noclose: 'a{x="1" 1\n',
  badutf8: bytes('a{x="\xff\xfe"} 1\n'),
  badutf8name: bytes('a\xff 1\n'),
  badutf8help: bytes('# HELP a \xff\na 1\n'),
  overlong: bytes('a{x="\xc0\x80"} 1\n'),
  surrogate: bytes('a{x="\xed\xa0\x80"} 1\n'),
  nul: 'a{x="\0"} 1\n',
  control: 'a{x="\x01\x7f"} 1\n',
  wide: 'a{x="😀é中"} 1\n',
  bom: '\ufeffa 1\n',
  dup: 'a 1\na 1\nb{x="1",y="2"} 3\nb{y="2",x="1"} 3\n',
  duplabel: 'a{x="1",x="2"} 1\n',
  duplabelsame: 'a{x="1",x="1"} 1\n',
  namelabel: 'a{__name__="b"} 1\n',
  nameonly: '{__name__="b",x="1"} 1\n',
  noname: '{x="1"} 1\n',
  emptybraces: '{} 1\n',
  quoted: '{"a.b",x="1"} 1\n{"c",x="1"} 2\n{"a b"} 3\n{x="1","d"} 4\n',
  quotedlabel: 'a{"x.y"="1","z"="2"} 1\n',
  quotedtwice: '{"a","b"} 1\n',
  quotedempty: '{""} 1\n',
  quotedboth: 'a{"b"} 1\n',
  quotedescape: '{"a\\"b\\\\c\\n"} 1\n',
  quotedtype: '# HELP "a.b" help\n# TYPE "a.b" counter\n{"a.b"} 1\n',
  labelempty: 'a{""="1"} 1\n',
  emptyvalue: 'a{x=""} 1\nb{x="",y="1"} 2\n',
  reserved: 'a{__x="1",job="j",instance="i",exported_job="e"} 1\nb{__address__="z"} 2\n',
  colon: 'a:b:c 1\n:d 2\n',
  digit: '1a 1\n',
  dash: 'a-b 1\n',
  utf8name: 'é 1\n',
  ts: `a 1 ${startMs}\nb 2 ${startMs + 0}\n`,
  tsfloat: 'a 1 123.5\n',
  tsneg: 'a 1 -5\n',
  tsbad: 'a 1 x\n',
  tstwo: 'a 1 1 1\n',
  tsdup: `a 1 ${startMs}\na 2 ${startMs + 1000}\n`,
  tsback: `a 1 ${startMs + 1000}\na 2 ${startMs}\n`,
  tsfar: `a 1 ${startMs + 3_600_000}\nb 1\n`,
  tshuge: 'a 1 99999999999999999999\n',
  tsplus: `a 1 +${startMs}\n`,
  tssame: `a 1\nb 2 ${startMs}\n`,
  exemplar: 'a 1 # {x="1"} 1\n',
  le: '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="1e3"} 2\nh_bucket{le="0.50"} 1\nh_bucket{le="+Inf"} 3\nh_bucket{le="inf"} 3\nh_bucket{le="x"} 3\nh_count 3\nh_sum 1\n',
  leuntyped: 'h_bucket{le="1"} 1\nh_bucket{le="10"} 2\ns{quantile="1"} 2\ns{quantile="0.50"} 2\n',
  q: '# TYPE s summary\ns{quantile="1"} 1\ns{quantile="0.90"} 2\ns{quantile="1e-3"} 2\ns{quantile="x"} 2\ns_sum 1\ns_count 1\n',
  legauge: '# TYPE h gauge\nh_bucket{le="1"} 1\nh{quantile="1"} 1\n',
  long: `a{x="${'y'.repeat(70_000)}"} 1\n`,
  many: Array.from({ length: 300 }, (_, i) => `m{i="${i}"} ${i}`).join('\n') + '\n',
  html: '<html><body>hi</body></html>\n',
  json: '{"status":"success"}\n',
  longname: `${'n'.repeat(3000)} 1\n`,
};

const OM: Record<string, string | Uint8Array> = {
  plain: '# TYPE a gauge\na 1\n# EOF\n',
  noeof: 'a 1\n',
  eofnonl: 'a 1\n# EOF',
  aftereof: 'a 1\n# EOF\nb 2\n',
  twoeof: 'a 1\n# EOF\n# EOF\n',
  onlyeof: '# EOF\n',
  blank: 'a 1\n\n# EOF\n',
  spaces: 'a  1\n# EOF\n',
  spacelead: ' a 1\n# EOF\n',
  tab: 'a\t1\n# EOF\n',
  crlf: 'a 1\r\n# EOF\r\n',
  comment: '# foo\na 1\n# EOF\n',
  helpesc: '# HELP a x\\n\\"\\\\ y\n# TYPE a counter\na_total 1\n# EOF\n',
  badtype: '# TYPE a foo\na 1\n# EOF\n',
  untyped: '# TYPE a untyped\na 1\n# EOF\n',
  unitbad: '# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n',
  unitok: '# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n',
  ts: `a 1 ${S}\nb 2 ${S}.0\nc 3 ${S}e0\n# EOF\n`,
  tsfrac: `a 1 ${S + 0.0005}\nb 1 ${S + 0.1239}\n# EOF\n`,
  tsnan: 'a 1 NaN\n# EOF\n',
  tsinf: 'a 1 +Inf\n# EOF\n',
  tsneg: 'a 1 -1.5\n# EOF\n',
  exemplar: '# TYPE a counter\na_total 1 # {x="1"} 1\nb_total 1 # {} 2 3\n# EOF\n',
  exemplarlong: `# TYPE a counter\na_total 1 # {x="${'é'.repeat(127)}"} 1\na_total{b="1"} 1 # {x="${'é'.repeat(128)}"} 1\n# EOF\n`,
  exemplarbad: 'a_total 1 # {x="1"}\n# EOF\n',
  exemplarnospace: 'a_total 1 #{x="1"} 1\n# EOF\n',
  exemplargauge: '# TYPE a gauge\na 1 # {x="1"} 1\n# EOF\n',
  exemplarts: `a_total 1 ${S} # {x="1"} 1 ${S}\n# EOF\n`,
  exemplarnan: 'a_total 1 # {x="1"} NaN\n# EOF\n',
  exemplardup: 'a_total 1 # {x="1",x="2"} 1\n# EOF\n',
  numbers: 'n{i="1"} 0x1p-3\n# EOF\n',
  under: 'n 1_0\n# EOF\n',
  nan: 'a NaN\nb nan\nc +Inf\nd -Inf\ne Inf\n# EOF\n',
  created:
    '# TYPE a counter\na_total 1\na_created 1.5e9\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\nh_created 1\n# EOF\n',
  info: '# TYPE a info\na_info{x="1"} 1\n# TYPE s stateset\ns{s="a"} 1\n# EOF\n',
  quoted: '# TYPE "a.b" gauge\n{"a.b",x="1"} 1\n# EOF\n',
  emptybraces: 'a{} 1\n# EOF\n',
  commas: 'a{x="1",} 1\n# EOF\n',
  dup: 'a 1\na 1\n# EOF\n',
  tsdup: `a 1 ${S}\na 2 ${S + 1}\n# EOF\n`,
  le: '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="1e6"} 1\nh_bucket{le="1e-7"} 1\nh_bucket{le="100000000000000000000000"} 1\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\n# EOF\n',
  interleaved: '# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x="1"} 2\n# EOF\n',
  badutf8: bytes('a{x="\xff"} 1\n# EOF\n'),
  empty: '',
  stext: 'a{x="\\t"} 1\n# EOF\n',
};

const CORNERS: readonly Corner[] = [
  ...pages('text', txt, TEXT),
  ...pages('om', om, OM),
  ...pages(
    'textl',
    txt,
    { quoted: TEXT['quoted']!, colon: TEXT['colon']!, utf8name: 'é 1\n', quotedlabel: TEXT['quotedlabel']! },
    'metric_name_validation_scheme: legacy',
  ),
  // Content types.
  ...Object.entries({
    upper: 'TEXT/PLAIN; VERSION=0.0.4',
    nover: 'text/plain',
    version9: 'text/plain; version=9.9',
    json: 'application/json',
    garbage: ';;;',
    omnover: 'application/openmetrics-text',
    om2: 'application/openmetrics-text; version=2.0.0',
    omold: 'application/openmetrics-text; version=0.0.1',
    comma: 'text/plain, text/html',
    protono: 'application/vnd.google.protobuf',
    prototext: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text',
    quoted: 'text/plain; version="0.0.4"',
    semi: 'text/plain;',
    dupparam: 'text/plain; version=0.0.4; version=0.0.4',
    badparam: 'text/plain; version',
    star: 'text/*',
  }).flatMap(([name, type]) => [
    page(`ct-${name}`, 'a 1\n# EOF\n', type),
    page(`ctf-${name}`, 'a 1\n', type, 'fallback_scrape_protocol: PrometheusText0.0.4'),
  ]),
  // Statuses.
  ...[201, 202, 204, 206, 301, 304, 400, 401, 404, 429, 500, 503].map((status) =>
    answer(`status-${status}`, (response) =>
      response.writeHead(status, { 'content-type': txt }).end(status === 204 || status === 304 ? '' : 'a 1\n'),
    ),
  ),
  ...[301, 302, 303, 307, 308].map((status) =>
    answer(`redirect-${status}`, (response, path) =>
      path.endsWith('/to')
        ? response.writeHead(200, { 'content-type': txt }).end('redirected 1\n')
        : response.writeHead(status, { location: `${path}/to` }).end(),
    ),
  ),
  answer(
    'redirect-no',
    (response, path) => response.writeHead(302, { location: `${path}/to` }).end(),
    'follow_redirects: false',
  ),
  answer('redirect-loop', (response, path) => response.writeHead(302, { location: path }).end()),
  answer('redirect-body', (response) => response.writeHead(302, { 'content-type': txt }).end('a 1\n')),
  // Bodies.
  answer('gzip', (response) =>
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'gzip' }).end(gzipSync('a 1\n')),
  ),
  answer('gzip-cut', (response) =>
    response
      .writeHead(200, { 'content-type': txt, 'content-encoding': 'gzip' })
      .end(gzipSync('a 1\nb 2\n').subarray(0, -6)),
  ),
  answer('gzip-not', (response) =>
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'gzip' }).end('a 1\n'),
  ),
  answer('gzip-empty', (response) =>
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'gzip' }).end(),
  ),
  answer('gzip-two', (response) =>
    response
      .writeHead(200, { 'content-type': txt, 'content-encoding': 'gzip' })
      .end(Buffer.concat([gzipSync('a 1\n'), gzipSync('b 2\n')])),
  ),
  answer('gzip-crc', (response) => {
    const body = Buffer.from(gzipSync('a 1\n'));
    body[body.length - 6]! ^= 255;
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'gzip' }).end(body);
  }),
  answer('gzip-upper', (response) =>
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'GZIP' }).end(gzipSync('a 1\n')),
  ),
  answer('encoding-identity', (response) =>
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'identity' }).end('a 1\n'),
  ),
  answer('encoding-other', (response) =>
    response.writeHead(200, { 'content-type': txt, 'content-encoding': 'zzz' }).end('a 1\n'),
  ),
  answer('length-long', (response) => {
    response.writeHead(200, { 'content-type': txt, 'content-length': '100' });
    response.write('a 1\n');
    setTimeout(() => response.destroy(), 50);
  }),
  answer('chunk-cut', (response) => {
    response.writeHead(200, { 'content-type': txt });
    response.write('a 1\n');
    setTimeout(() => response.destroy(), 50);
  }),
  answer('closes', (response) => response.destroy()),
  answer('hangs', () => undefined),
  answer('hangs-body', (response) => {
    response.writeHead(200, { 'content-type': txt });
    response.write('a 1\n');
  }),
  answer('empty', (response) => response.writeHead(200, { 'content-type': txt }).end()),
  answer('empty-blank', (response) => response.writeHead(200).end()),
  answer('connection-close', (response) =>
    response.writeHead(200, { 'content-type': txt, connection: 'close' }).end('a 1\n'),
  ),
  answer(
    'no-compression',
    (response) => response.writeHead(200, { 'content-type': txt }).end('a 1\n'),
    'enable_compression: false',
  ),
  // Limits.
  page('limit-samples', 'a 1\nb 2\nc 3\n', txt, 'sample_limit: 2'),
  page('limit-samples-at', 'a 1\nb 2\n', txt, 'sample_limit: 2'),
  page(
    'limit-samples-after',
    'a 1\nb 2\nc 3\n',
    txt,
    'sample_limit: 2\n    metric_relabel_configs: [{ action: drop, source_labels: [__name__], regex: a }]',
  ),
  page('limit-body', 'a 1\nb 2\nc 3\n', txt, 'body_size_limit: 5B'),
  page('limit-body-at', 'a 1\nb 2\n', txt, 'body_size_limit: 8B'),
  page('limit-body-under', 'a 1\nb 2\n', txt, 'body_size_limit: 9B'),
  page('limit-labels', 'a{x="1",y="2"} 1\n', txt, 'label_limit: 4'),
  page('limit-labels-at', 'a{x="1"} 1\n', txt, 'label_limit: 4'),
  page('limit-label-name', 'a{xxxxxxxxxx="1"} 1\n', txt, 'label_name_length_limit: 9'),
  page('limit-label-value', 'a{x="1234567890123456789012345678"} 1\n', txt, 'label_value_length_limit: 27'),
  page('limit-label-utf8', 'a{x="éééééééééééééé"} 1\n', txt, 'label_value_length_limit: 27'),
  page('limit-target', 'a 1\n', txt, 'target_limit: 1'),
  // Labels, relabelling, timestamps.
  page('honor-labels', 'a{job="x",instance="",exported_job="y"} 1\nb{instance="i"} 2\n', txt, 'honor_labels: true'),
  page('clash', 'a{job="x",instance="",exported_job="y",exported_instance="z"} 1\nb{exported_job="q"} 1\n'),
  page('drop-name', 'a 1\nb 2\n', txt, 'metric_relabel_configs: [{ action: labeldrop, regex: __name__ }]'),
  page('rename', 'a 1\nb 2\n', txt, 'metric_relabel_configs: [{ target_label: __name__, replacement: c }]'),
  page(
    'rename-bad',
    'a 1\nb 2\n',
    txt,
    'metric_relabel_configs: [{ source_labels: [__name__], regex: a, target_label: __name__, replacement: "" }]',
  ),
  page(
    'rename-legacy',
    'a 1\n',
    txt,
    'metric_name_validation_scheme: legacy\n    metric_relabel_configs: [{ source_labels: [__name__], target_label: __name__, replacement: "$1-x" }]',
  ),
  page('drop-all', 'a 1\nb 2\n', txt, 'metric_relabel_configs: [{ action: drop, regex: ".*" }]'),
  page('drop-job', 'a 1\n', txt, 'metric_relabel_configs: [{ action: labeldrop, regex: job|instance }]'),
  page(
    'le-relabel',
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="2"} 1\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\n',
    txt,
    'metric_relabel_configs: [{ source_labels: [le], regex: "1|2", action: drop }]',
  ),
  page('no-timestamps', `a 1 ${startMs}\nb 2 5\n`, txt, 'honor_timestamps: false'),
  page('track', `a 1 ${startMs}\nb 2\n`, txt, 'track_timestamps_staleness: true'),
  page(
    'nhcb',
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 1\n',
    txt,
    'convert_classic_histograms_to_nhcb: true',
  ),
  page(
    'nhcb-noinf',
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\nh_sum 1\n',
    txt,
    'convert_classic_histograms_to_nhcb: true',
  ),
  page(
    'nhcb-falling',
    '# TYPE h histogram\nh_bucket{le="1"} 5\nh_bucket{le="2"} 3\nh_bucket{le="+Inf"} 4\nh_count 4\nh_sum 1\n',
    txt,
    'convert_classic_histograms_to_nhcb: true',
  ),
  page('scheme-bad', 'a 1\n', txt, 'relabel_configs: [{ target_label: __scheme__, replacement: ftp }]'),
  page('address-bad', 'a 1\n', txt, 'relabel_configs: [{ target_label: __address__, replacement: "a b" }]'),
  page('instance-own', 'a 1\n', txt, 'relabel_configs: [{ target_label: instance, replacement: "" }]'),
  page('metric-label', 'a 1\n', txt, 'relabel_configs: [{ target_label: a.b, replacement: "c" }]'),
];

/** Whose scrapes fail before anybody is asked. */
const NEVER_ASKED = new Set(['limit-target', 'scheme-bad', 'address-bad']);

class Server {
  phase = 0;
  scrapes = new Map<string, number>();
  readonly address: string;

  private constructor(port: number) {
    this.address = `127.0.0.1:${port}`;
  }

  static async listen(lab: Lab): Promise<Server> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const it = new Server((server.address() as AddressInfo).port);
    const byJob = new Map(CORNERS.map((corner) => [corner.job, corner]));
    server.on('request', (request, response) => {
      const path = request.url!.split('?')[0]!;
      const job = path.split('/')[1]!;
      const agent = request.headers['user-agent']!.split('/')[0]!;
      if (!path.endsWith('/to')) it.scrapes.set(`${job} ${agent}`, (it.scrapes.get(`${job} ${agent}`) ?? 0) + 1);
      if (it.phase === 1 && !path.endsWith('/to')) response.writeHead(200, { 'content-type': txt }).end(PLAIN);
      else byJob.get(job)!.answer(response, path, it.address);
    });
    lab.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return it;
  }

  async served(): Promise<void> {
    this.scrapes = new Map();
    const asked = CORNERS.filter(({ job }) => !NEVER_ASKED.has(job)).length;
    await waitUntil(`both have come three times in phase ${this.phase}`, 120_000, () => {
      const enough = [...this.scrapes.values()].filter((count) => count >= 3).length;
      return enough >= asked * 2;
    });
  }
}

const scrapeConfigs = (address: string): string =>
  CORNERS.map(
    ({ job, config = '' }) => `  - job_name: ${job}
    metrics_path: /${job}
    ${config}
    static_configs: [{ targets: ['${address}'${job === 'limit-target' ? `, 'localhost:${address.split(':')[1]}'` : ''}] }]
`,
  ).join('');

test('corners of answers and pages give what Prometheus makes of them', async ({ lab }) => {
  const server = await Server.listen(lab);
  const receiver = await startPrometheus(lab, { name: 'receiver', major: 3 });
  const config = (by: string): string => `
global:
  scrape_interval: 4s
  scrape_timeout: 2s
  extra_scrape_metrics: true
  external_labels: { by: ${by} }
scrape_configs:
${scrapeConfigs(server.address)}
remote_write:
  - { url: '${receiver.url}/api/v1/write', protobuf_message: ${messages[2]}, send_native_histograms: true }
`;
  await startPrometheus(lab, { name: 'agent', major: 3, mode: 'agent', config: config('prometheus') });
  await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: config('narthex'),
  });
  for (server.phase = 0; server.phase < 3; server.phase++) await server.served();
  server.phase = 2;
  const endMs = Date.now();
  for (const by of ['prometheus', 'narthex']) {
    await waitUntil(`everything of ${by} has arrived`, 90_000, async () => {
      const oldest = await queryValue(receiver, `min(timestamp(up{by="${by}"}))`);
      return oldest !== undefined && Number(oldest) * 1000 > endMs;
    });
  }
  await receiver.process.stop();
  const samples = await dump(3, receiver.dir);
  // A series of a page with a fault in it, which had no sample, has a marker in Prometheus all the same.
  const [ours, theirs] = ['narthex', 'prometheus'].map((by) =>
    histories(select(samples, { by })).filter((history) => !history.endsWith('"} NaN')),
  );
  expect(theirs!.length).toBeGreaterThan(2000);
  expect(difference(ours!, theirs!)).toEqual([]);
});

/** Of each series the values that it had one after the other; what is ahead, which a page said itself, with its time. */
function histories(samples: readonly Sample[]): string[] {
  const values = new Map<string, string[]>();
  for (const { series, timestamp, value } of samples.toSorted((a, b) => a.timestamp - b.timestamp)) {
    if (series.includes('"scrape_duration_seconds"') || series.includes('"scrape_series_added"')) continue;
    const name = series.replace(/(, )?by="\w+"/, '');
    const list = values.get(name) ?? [];
    values.set(name, list);
    const bare = value === '-0' ? '0' : value;
    const said = timestamp >= startMs ? `${bare} @${timestamp - startMs}` : bare;
    if (list.at(-1) !== said) list.push(said);
  }
  return [...values].map(([name, list]) => `${name} ${list.join(' ')}`).sort();
}
