/**
 * The one error of this station: bytes that are not a block, or input from which no block can be made. The caller either fixes
 * the input or sets the bytes aside; trying again does not help.
 */
export class BlockError extends Error {
  override readonly name = 'BlockError';
  /** Where in the file or array the trouble is, in bytes; -1 when it is not about a place. */
  readonly offset: number;

  constructor(message: string, offset = -1) {
    super(offset < 0 ? message : `${message} (at byte ${offset})`);
    this.offset = offset;
  }
}
