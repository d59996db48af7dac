import { evictDurableObject } from 'cloudflare:test';

/** Calls an object that has just lost its memory, as it does in production after ten idle seconds. */
export async function asleep<T>(stub: DurableObjectStub, call: () => Promise<T>): Promise<T> {
  try {
    await evictDurableObject(stub);
  } catch (error) {
    // An object that was never called, or sleeps already, has no memory to lose.
    if (!String(error).includes('not currently running')) throw error;
  }
  return await call();
}
