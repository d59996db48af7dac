/** A limit of the scrape configuration that a page is over. */
export type PageLimit = 'sample_limit' | 'label_limit' | 'native_histogram_bucket_limit';

/** One that fails a scrape. */
export type ScrapeLimit = PageLimit | 'body_size_limit' | 'target_limit';

/** The page cannot be taken; the scrape fails. The message is for people. */
export class PageError extends Error {
  override name = 'PageError';
  readonly limit: PageLimit | null;

  constructor(message: string, limit: PageLimit | null = null) {
    super(message);
    this.limit = limit;
  }
}
