/**
 * Compiled code is kept as long as the hidden classes that it was made for, and those as long as an object has them. What is made for one scrape or record
 * is gone after it: the next full garbage collection, some seconds later, throws the code away that worked on it, and it is interpreted and compiled again, which
 * cost more CPU than the work (docs/decisions/2026-11-22-of-each-class-one-object-is-kept.md).
 *
 * The one invariant: what is kept is small, and nobody sees it.
 */

const kept: object[] = [];

/** Keeps one object of a class whose others live for a moment. Said once, below the class, with an object that holds next to nothing. */
export function keepShape(one: object): void {
  kept.push(one);
}

/**
 * Zero as a double. Where a field begins with 0, the first number that is too large for a small integer gives the class another shape, which what is kept does not have.
 */
export const WIDE_ZERO = -0;
