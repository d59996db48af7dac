/**
 * Lanes: what of a log may be sent at once. A target is in one lane for ever, so a series is too, and order within a series is order within
 * its lane. A record has a bit for each lane that it touches; two records without a common bit may overtake each other.
 *
 * What is received is in all lanes: the series of a request are whatever its sender's queue held, and only a look at each would tell.
 */

/** 16 are more than the connections that a run has. */
export const LANES = 16;
export const ALL_LANES = 2 ** LANES - 1;

/** The bit of a target's lane. Its key is a hash in hexadecimal digits already. */
export const laneOf = (targetKey: string): number => 1 << (Number.parseInt(targetKey.slice(-1), LANES) || 0);
