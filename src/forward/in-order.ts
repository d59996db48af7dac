/**
 * Logs of which one must go before another: a target that has moved has older samples in the log of the agent that had it before. The agent holds its
 * records back at that place; here the other agent is asked how far it is, and the hold lifted.
 */

import type { LogDoor, Next } from './door.ts';

export interface OrderedDoor extends LogDoor {
  /** The remote has the log of the agent `from` up to `seq`. */
  passed(remote: string, from: number, seq: number): Promise<void>;
}

/** A log whose holds are lifted as soon as may be. `cursorOf` is null where an agent has nothing for a remote. */
export function inOrder(
  door: OrderedDoor,
  cursorOf: (agent: number, remote: string) => Promise<number | null>,
): LogDoor {
  const next = async (...call: Parameters<LogDoor['next']>): Promise<Next> => {
    const remote = call[2];
    let before = '';
    for (;;) {
      const answer = await door.next(...call);
      if (answer.kind !== 'idle' || answer.behind === undefined) return answer;
      const { from, seq } = answer.behind;
      // One that does not let pass yet: the remote is being moved back.
      if (before === `${from} ${seq}`) return answer;
      before = `${from} ${seq}`;
      const cursor = await cursorOf(from, remote);
      if (cursor !== null && cursor < seq) return answer;
      await door.passed(remote, from, seq);
    }
  };
  return {
    takeForwardBaton: (...call) => door.takeForwardBaton(...call),
    next,
    renew: (...call) => door.renew(...call),
    acknowledge: (...call) => door.acknowledge(...call),
    retried: (...call) => door.retried(...call),
    countMetadata: (...call) => door.countMetadata(...call),
    setAside: (...call) => door.setAside(...call),
  };
}
