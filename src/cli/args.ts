/** Commands, their options and their help, from one description each. */

import { parseArgs } from 'node:util';
import { UsageError } from './failure.ts';

export interface Option {
  /** What stands for the value in the help; null for a switch. */
  readonly value: string | null;
  readonly help: string;
}

export interface Values {
  readonly [name: string]: string | boolean | undefined;
}

export interface Command {
  /** `start`, `config push`. */
  readonly name: string;
  readonly summary: string;
  /** Names of the arguments, all required. */
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /** Returns the exit code; nothing is 0. */
  run(values: Values, args: readonly string[]): Promise<number | void> | number | void;
}

const HELP: Option = { value: null, help: 'Show this help' };

/** The command whose words the arguments begin with; the longest one. */
export function findCommand(commands: readonly Command[], argv: readonly string[]): Command | undefined {
  return commands
    .filter(({ name }) => name.split(' ').every((word, i) => argv[i] === word))
    .sort((a, b) => b.name.length - a.name.length)[0];
}

/** Options and arguments of a command; `help` is set when only help is wanted. Throws `UsageError`. */
export function parseFor(command: Command, argv: readonly string[]): { values: Values; args: string[]; help: boolean } {
  const options = Object.entries({ ...command.options, help: HELP });
  let parsed;
  try {
    parsed = parseArgs({
      args: argv.slice(command.name.split(' ').length),
      options: Object.fromEntries(
        options.map(([name, { value }]) => [name, { type: value === null ? 'boolean' : 'string' } as const]),
      ),
      allowPositionals: true,
    });
  } catch (error) {
    // Node's messages are sentences; some go on to explain `--`.
    throw new UsageError((error as Error).message.split('. ')[0]!);
  }
  const { values, positionals } = parsed;
  const help = values['help'] === true;
  if (!help) {
    const missing = command.args[positionals.length];
    if (missing !== undefined) throw new UsageError(`${missing} is missing`);
    const extra = positionals[command.args.length];
    if (extra !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(extra)}`);
  }
  return { values: values as Values, args: positionals, help };
}

export function usageLine(command: Command): string {
  const options = Object.keys(command.options).length > 0 ? ' [options]' : '';
  return `narthex ${[command.name, ...command.args].join(' ')}${options}`;
}

export function commandHelp(command: Command): string {
  const rows = Object.entries({ ...command.options, help: HELP }).map(
    ([name, { value, help }]) => [`--${name}${value === null ? '' : ` ${value}`}`, help] as const,
  );
  return `${usageLine(command)}\n\n${command.summary}.\n\n${columns(rows)}`;
}

export function overview(version: string, commands: readonly Command[]): string {
  const rows = commands.map((command) => [[command.name, ...command.args].join(' '), command.summary] as const);
  return `narthex ${version}, a Prometheus agent and remote-write receiver on Cloudflare Workers

${columns(rows)}

narthex <command> --help tells its options.`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
