/** An object whose log is forwarded: a run's calls go to the outbox. What else it is, its own class says. */

import { DurableObject } from 'cloudflare:workers';
import type { LogDoor } from '../src/forward/door.ts';
import type { Outbox } from '../src/forward/outbox.ts';
import type { LogEnv } from './limits.ts';

export abstract class ForwardingObject extends DurableObject<LogEnv> implements LogDoor {
  protected abstract readonly outbox: Outbox;

  abstract takeForwardBaton(...call: Parameters<LogDoor['takeForwardBaton']>): ReturnType<LogDoor['takeForwardBaton']>;

  next(...call: Parameters<LogDoor['next']>): ReturnType<LogDoor['next']> {
    return this.outbox.next(...call);
  }

  renew(...call: Parameters<LogDoor['renew']>): ReturnType<LogDoor['renew']> {
    return this.outbox.renew(...call);
  }

  acknowledge(...call: Parameters<LogDoor['acknowledge']>): ReturnType<LogDoor['acknowledge']> {
    return this.outbox.acknowledge(...call);
  }

  retried(...call: Parameters<LogDoor['retried']>): ReturnType<LogDoor['retried']> {
    return this.outbox.retried(...call);
  }

  countMetadata(...call: Parameters<LogDoor['countMetadata']>): ReturnType<LogDoor['countMetadata']> {
    return this.outbox.countMetadata(...call);
  }

  async rewind(remote: string, sinceMs: number | null): Promise<{ records: number; samples: number } | null> {
    return this.outbox.rewind(remote, sinceMs);
  }

  setAside(...call: Parameters<LogDoor['setAside']>): ReturnType<LogDoor['setAside']> {
    return this.outbox.setAside(...call);
  }
}
