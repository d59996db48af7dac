/** The part of the npm package `snappyjs`, the oracle of our own codec, that is used. It ships no types. */
declare module 'snappyjs' {
  const snappyjs: {
    /** Snappy block format. The result owns its buffer when a plain `Uint8Array` is given. */
    compress(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
    uncompress(bytes: Uint8Array, bytesMax?: number): Uint8Array<ArrayBuffer>;
  };
  export default snappyjs;
}
