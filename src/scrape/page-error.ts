/** The page cannot be taken; the scrape fails. The message is for people. */
export class PageError extends Error {
  override name = 'PageError';
}
