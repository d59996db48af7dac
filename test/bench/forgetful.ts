/**
 * Loaded into `narthex start` (`node --import`), so that its agent loses its memory between any two scrapes, as objects do in production after ten idle
 * seconds: once a second it is evicted, after the calls that are under way. What that costs is in the CPU of workerd.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Miniflare } from 'miniflare';

const EVERY_MS = 1000;

// The command asks for it once its runtime is ready.
const ready = Reflect.get(Miniflare.prototype, 'unsafeGetDirectURL') as () => Promise<URL>;
Miniflare.prototype.unsafeGetDirectURL = function (this: Miniflare): Promise<URL> {
  forget(this).catch((error: unknown) => console.error(`forgetful: ${String(error)}`));
  return Reflect.apply(ready, this, []);
};

async function forget(runtime: Miniflare): Promise<void> {
  for (;;) {
    await sleep(EVERY_MS, undefined, { ref: false });
    try {
      await runtime.unsafeEvictDurableObject('narthex', 'Agent', { name: 'agent-0' });
    } catch (error) {
      // An object that was not called since has no memory to lose.
      if (!String(error).includes('not currently running')) throw error;
    }
  }
}
