/**
 * The page of a busy target, in the text format: 10,000 series say, of which two thirds change with each scrape. With churn a share
 * of the series has a label value that lives for one scrape only, so that each scrape ends as many series as it begins.
 */

const SERIES_A_FAMILY = 40;

export interface PageOptions {
  readonly series: number;
  /** Share of the series that are new in every scrape, 0 to 1. */
  readonly churn: number;
}

/** The page of the scrape number `scrape`, as bytes in a buffer of their own. */
export function exposition({ series, churn }: PageOptions, scrape: number): Uint8Array<ArrayBuffer> {
  const lines: string[] = [];
  // NaN when none is: then no number is a multiple of it.
  const every = churn > 0 ? Math.round(1 / churn) : NaN;
  for (let i = 0; i < series; i++) {
    const family = Math.floor(i / SERIES_A_FAMILY);
    const isCounter = family % 3 !== 0;
    const name = `service_stage_${family}_${isCounter ? 'requests_total' : 'queue_bytes'}`;
    if (i % SERIES_A_FAMILY === 0) {
      lines.push(`# HELP ${name} What stage ${family} of the service has done.`);
      lines.push(`# TYPE ${name} ${isCounter ? 'counter' : 'gauge'}`);
    }
    const worker = i % every === 0 ? `short-${i}-${scrape}` : `worker-${i % SERIES_A_FAMILY}`;
    const value = i % 3 === 0 ? i * 7 : isCounter ? i * 1000 + scrape * (1 + (i % 50)) : i + Math.sin(scrape + i) * 100;
    lines.push(`${name}{code="${200 + (i % 5)}",handler="/api/v1/stage/${i % 8}",worker="${worker}"} ${value}`);
  }
  return Uint8Array.from(Buffer.from(`${lines.join('\n')}\n`));
}
