/** R2 as the bucket door of `src/compact`. */

import type { BucketDoor } from '../src/compact/doors.ts';

export function bucketOf(r2: R2Bucket): BucketDoor {
  return {
    put: async (key, bytes) => {
      await r2.put(key, bytes);
    },
    multipart: async (key) => {
      const upload = await r2.createMultipartUpload(key);
      const parts: R2UploadedPart[] = [];
      return {
        part: async (bytes) => {
          parts.push(await upload.uploadPart(parts.length + 1, bytes));
        },
        complete: async () => {
          await upload.complete(parts);
        },
        abort: () => upload.abort(),
      };
    },
    range: async (key, offset, length) => {
      const object = await r2.get(key, { range: offset < 0 ? { suffix: -offset } : { offset, length } });
      return object === null ? null : new Uint8Array(await object.arrayBuffer());
    },
    get: async (key) => {
      const object = await r2.get(key);
      return object === null ? null : { body: object.body, size: object.size };
    },
    copy: async (from, to) => {
      const object = await r2.get(from);
      if (object === null) throw new Error(`the bucket has no ${from}`);
      // The body of an object has a known length, which a put of a stream needs.
      await r2.put(to, object.body);
    },
  };
}
