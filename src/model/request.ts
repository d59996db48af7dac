/**
 * What a remote-write request has at most: samples, and bytes of the uncompressed message. A record of an agent's log is one, so it is sent as it
 * is; a page of 10,000 series with its report series and some stale markers is one record.
 */
export const REQUEST_LIMITS = { samplesMax: 12_000, bytesMax: 640 * 1024 } as const;
