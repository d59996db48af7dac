/** All commands of `narthex`. What each does is loaded when it runs: most need little of it. */

import type { Command, Option, Values } from './args.ts';
import { apiFrom, type Api } from './api.ts';
import { UsageError } from './failure.ts';

const REMOTE = {
  url: { value: 'URL', help: 'The deployment (NARTHEX_URL, else http://127.0.0.1:8787)' },
  token: { value: 'TOKEN', help: 'A token with the role that is needed (NARTHEX_TOKEN)' },
} as const satisfies Record<string, Option>;

const text = (values: Values, name: string): string | undefined => values[name] as string | undefined;
const api = (values: Values): Api => apiFrom({ url: text(values, 'url'), token: text(values, 'token') });

export const COMMANDS: readonly Command[] = [
  {
    name: 'start',
    summary: 'Run everything on this machine, crons included',
    args: [],
    options: {
      port: { value: 'PORT', help: 'Listen on this port of 127.0.0.1 (8787)' },
      config: { value: 'FILE', help: 'A prometheus.yml to put in force first' },
      state: { value: 'DIR', help: 'Keep objects and bucket in this folder (.narthex)' },
    },
    run: async (values) => {
      const { start } = await import('./start.ts');
      const stateDir = text(values, 'state') ?? '.narthex';
      return start({
        port: port(text(values, 'port') ?? '8787'),
        configFile: text(values, 'config') ?? null,
        stateDir,
      });
    },
  },
  {
    name: 'check-config',
    summary: 'Check a prometheus.yml, offline',
    args: ['FILE'],
    options: {},
    run: async (_, [file]) => (await import('./config-check.ts')).checkConfig(file!),
  },
  {
    name: 'config push',
    summary: 'Put a prometheus.yml in force',
    args: ['FILE'],
    options: REMOTE,
    run: async (values, [file]) => (await import('./config-push.ts')).configPush(api(values), file!),
  },
  {
    name: 'remote rewind',
    summary: 'Send a remote again what the log still has',
    args: ['NAME'],
    options: {
      ...REMOTE,
      to: { value: 'TIME', help: 'From what was logged then on: RFC 3339, Unix seconds, or beginning (required)' },
    },
    run: async (values, [name]) => {
      const to = text(values, 'to');
      if (to === undefined) throw new UsageError('--to is missing: beginning, or a time');
      await (await import('./remote-rewind.ts')).remoteRewind(api(values), name!, to);
    },
  },
  {
    name: 'blocks ls',
    summary: 'List the blocks',
    args: [],
    options: REMOTE,
    run: async (values) => (await import('./blocks-ls.ts')).blocksLs(api(values)),
  },
  {
    name: 'blocks pull',
    summary: 'Download the blocks that DIR does not have, for Prometheus or promtool',
    args: ['DIR'],
    options: {
      ...REMOTE,
      snapshot: { value: null, help: 'Take a snapshot of everything accepted until now, and download that' },
    },
    run: async (values, [dir]) =>
      (await import('./blocks-pull.ts')).blocksPull(api(values), dir!, { snapshot: values['snapshot'] === true }),
  },
  {
    name: 'token new',
    summary: 'Make a token, and the line for the secret that lets it in',
    args: [],
    options: {
      role: { value: 'ROLES', help: 'write, read, admin, or several with commas between (required)' },
      tenant: { value: 'TENANT', help: 'Whose samples it writes and reads; a list, or * for all (anonymous)' },
      name: { value: 'NAME', help: 'What to call it (made up if not given)' },
    },
    run: async (values) => {
      const roles = text(values, 'role');
      if (roles === undefined) throw new UsageError('--role is missing: write, read or admin');
      (await import('./token.ts')).tokenNew({ roles, tenant: text(values, 'tenant'), name: text(values, 'name') });
    },
  },
];

function port(value: string): number {
  const number = Number(value);
  if (!/^\d{1,5}$/.test(value) || number > 65_535) throw new UsageError(`--port ${JSON.stringify(value)} is no port`);
  return number;
}
