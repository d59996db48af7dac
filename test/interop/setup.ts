import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What `npm run build` makes of the command. */
export const narthexProgram = 'dist/narthex.js';

/** Fails the whole run when a peer or the built command is missing: a skipped interop test proves nothing. */
export default function setup(): void {
  execFileSync('test/interop/peers.sh', ['check'], { stdio: 'inherit' });
  if (!existsSync(narthexProgram)) throw new Error(`${narthexProgram} is missing. Build it with: npm run build`);
}
