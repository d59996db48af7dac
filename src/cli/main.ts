#!/usr/bin/env node
/** The command `narthex`: finds what is asked for, runs it, and turns whatever it throws into a message and an exit code. */

import { VERSION } from '../version.ts';
import { commandHelp, findCommand, overview, parseFor, usageLine } from './args.ts';
import { COMMANDS } from './commands.ts';
import { Failure, UsageError } from './failure.ts';
import { runWatchdog, WATCHDOG_COMMAND } from './watchdog.ts';

/** What miniflare and wrangler need. npm scripts and `npx narthex` run on the Node of `node_modules`, so that the machine's may be older. */
const NODE_MAJOR_MIN = 22;

async function main(argv: readonly string[]): Promise<number> {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    throw new Failure(
      `narthex runs on Node ${NODE_MAJOR_MIN} or later, and this is ${process.version}: use \`npx narthex\` or \`npm start\`, which run on the Node that \`npm ci\` installs`,
    );
  }
  if (argv[0] === WATCHDOG_COMMAND) {
    await runWatchdog(process.stdin);
    return 0;
  }
  if (argv[0] === '--version') {
    console.log(VERSION);
    return 0;
  }
  const command = findCommand(COMMANDS, argv);
  if (command === undefined) {
    const asked = argv.length === 0 || argv[0] === '--help' || argv[0] === 'help';
    if (!asked) console.error(`narthex: there is no command ${JSON.stringify(argv.join(' '))}\n`);
    console[asked ? 'log' : 'error'](overview(VERSION, COMMANDS));
    return asked ? 0 : 2;
  }
  try {
    const { values, args, help } = parseFor(command, argv);
    if (!help) return (await command.run(values, args)) ?? 0;
    console.log(commandHelp(command));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`narthex ${command.name}: ${error.message}\n\nUsage: ${usageLine(command)}   (--help tells more)`);
    return 2;
  }
}

main(process.argv.slice(2)).then(
  // Not left to an empty event loop: connections that are kept alive would hold it.
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Failure ? error.message : error);
    process.exit(1);
  },
);
