/** Tokens that were given for credentials. One is kept until shortly before it expires, or until `forget`. */

import type { Clock, Fetch } from '../model/doors.ts';

/** A token is not used in its last seconds: it would expire under way. */
const EXPIRY_MARGIN_MS = 10_000;
/** More than that nobody says who gives tokens. */
export const ANSWER_CHARS_MAX = 64 * 1024;

export interface Token {
  readonly token: string;
  /** Unix ms. */
  readonly untilMs: number;
}

/** Tokens by what they were given for: an isolate's memory, and no more than that. */
export type Tokens = Map<string, Token>;

export interface AuthDoors {
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly tokens: Tokens;
}

/** A token for these credentials that is valid now: the one that is known, or what is asked for. Throws what `ask` throws. */
export async function tokenFor(
  credentials: object,
  { clock, tokens }: AuthDoors,
  ask: (nowMs: number) => Promise<Token>,
): Promise<string> {
  const key = keyOf(credentials);
  const nowMs = clock.now();
  const known = tokens.get(key);
  if (known !== undefined && known.untilMs > nowMs) return known.token;
  const { token, untilMs } = await ask(nowMs);
  tokens.set(key, { token, untilMs: untilMs - EXPIRY_MARGIN_MS });
  return token;
}

/** A token was refused: the next one is asked for anew. False when there was none. */
export const forget = (credentials: object, tokens: Tokens): boolean => tokens.delete(keyOf(credentials));

const keyOf = (credentials: object): string => JSON.stringify(credentials);
