/**
 * Outpost: fetches from where it stands, which is what it is for. It remembers nothing, and is the one object that waits: its waiting is billed.
 *
 *   when      what                                   rows
 *   fetch     asks a target, answers its answer      0
 *   letGo     gives up a question                    0
 *
 * The one invariant: it waits for an answer no longer than the scrape that asked it, whatever becomes of that.
 */

import { DurableObject } from 'cloudflare:workers';
import { asked, failure, timeoutMsOf } from '../src/scrape/reach/outposts.ts';
import { network } from './doors.ts';

export class Outpost extends DurableObject {
  /** What is under way, by question. */
  readonly #asking = new Map<string, AbortController>();

  override async fetch(request: Request): Promise<Response> {
    // The caller's signal ends only what the caller sees: the question would stay open, and be billed.
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new Error('no answer in time')), timeoutMsOf(request));
    const { question, headers } = asked(request);
    this.#asking.set(question, abort);
    try {
      return await network(new Request(request, { headers, signal: abort.signal }));
    } catch (error) {
      return failure(error);
    } finally {
      // From here on the body is the caller's to read or to let go of. A timer left behind would keep the object awake.
      clearTimeout(timer);
      this.#asking.delete(question);
    }
  }

  /** The scrape that asked was cut short. */
  async letGo(question: string): Promise<void> {
    this.#asking.get(question)?.abort(new Error('the scrape was cut short'));
  }
}
