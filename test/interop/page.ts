/**
 * A target whose samples tell which scrape they are of: every answer holds a number that no other answer holds. So a
 * scrape that is logged twice shows, even under two timestamps. It can keep one answer back, to be killed meanwhile.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeFamilies, type TestFamily } from '../scrape/exposition/metric-family.ts';
import type { Lab } from './lab.ts';

/** A label value that must survive every quoting and encoding on the way. */
export const oddValue = 'quote " backslash \\ ünï';

export class Page {
  /** How many answers were begun; also the value of `page_scrapes_total` in the last one. */
  scrapes = 0;
  /** The same of the answers at `/histograms`, which is a page of its own, in protobuf. */
  histogramScrapes = 0;
  /** Whether the answers hold the series `page_temporary`. */
  temporary = true;
  readonly address: string;
  readonly #server: Server;
  #held: ((response: ServerResponse) => void) | undefined;

  readonly #lines: number;

  private constructor(server: Server, lines: number) {
    this.#server = server;
    this.#lines = lines;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      if (request.url === '/histograms') {
        const contentType =
          'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
        response.setHeader('Content-Type', contentType).end(this.#histograms());
        return;
      }
      const held = this.#held;
      this.#held = undefined;
      if (held !== undefined) held(response);
      else response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(this.#text());
    });
  }

  /** A page of about so many series. */
  static async serve(lab: Lab, lines = 20): Promise<Page> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const page = new Page(server, lines);
    lab.defer(async () => page.close());
    return page;
  }

  /** Resolves when the next scrape has come in; it is not answered until that connection is gone. */
  async holdNext(): Promise<void> {
    await new Promise<void>((resolve) => (this.#held = () => resolve()));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /**
   * Native histograms: whose buckets become more, of floats, and a gauge; one that comes and goes; and a classic one. Those of floats count whole numbers
   * too: a Collector rounds each, and then its counts do not add up.
   */
  #histograms(): Uint8Array {
    const n = ++this.histogramScrapes;
    const native = {
      schema: 2,
      zeroThreshold: 2 ** -128,
      zeroCount: n,
      positiveSpans: [[n % 50 > 25 ? 0 : 2, 1 + (n % 50 > 40 ? 1 : 0)]] as const,
      positiveDeltas: n % 50 > 40 ? [2 * n, -n] : [2 * n],
      negativeSpans: [[-1, 1]] as const,
      negativeDeltas: [n],
    };
    const count = 4 * n + (n % 50 > 40 ? n : 0);
    const floats = { schema: 0, zeroCountFloat: n, positiveSpans: [[1, 1]] as const, positiveCounts: [2 * n] };
    const families: TestFamily[] = [
      { name: 'page_latency_seconds', type: 'histogram', metrics: [{ count, sum: n / 7, native }] },
      {
        name: 'page_floats',
        type: 'histogram',
        metrics: [{ countFloat: 3 * n, sum: -n / 4, native: floats }],
      },
      { name: 'page_sizes', type: 'gaugehistogram', metrics: [{ count, sum: n, native }] },
      {
        name: 'page_classic_seconds',
        type: 'histogram',
        metrics: [
          {
            count: 3 * n,
            sum: n,
            buckets: [
              [0.25, n],
              [1, 2 * n],
            ],
          },
        ],
      },
    ];
    if (this.temporary) {
      families.push({ name: 'page_temporary_seconds', type: 'histogram', metrics: [{ count, sum: n, native }] });
    }
    return encodeFamilies(families);
  }

  #text(): string {
    const scrape = ++this.scrapes;
    const lines = [
      '# HELP page_scrapes_total Answers begun.',
      '# TYPE page_scrapes_total counter',
      `page_scrapes_total ${scrape}`,
      '# TYPE page_value gauge',
      `page_value{odd="${oddValue.replace(/[\\"]/g, '\\$&')}"} ${-scrape / 7}`,
    ];
    for (let i = 0; i < this.#lines; i++) lines.push(`page_value{line="${i}"} ${scrape + i / 1000}`);
    if (this.temporary) lines.push('# TYPE page_temporary gauge', `page_temporary ${scrape}`);
    return `${lines.join('\n')}\n`;
  }
}
