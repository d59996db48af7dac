/** What changes a deployment: its configuration, and where a remote reads on. */

import { CONFIG_BYTES_MAX, type ConfigFile } from '../../config/files.ts';
import { formatProblems } from '../../config/problems.ts';
import { textOf } from '../../encoding/utf8.ts';
import { readBody } from '../../model/body.ts';
import { isOpen } from '../auth.ts';
import { failure, success, text } from '../envelope.ts';
import { BadData, timeOf } from '../params.ts';
import { type Handler, notFound, versionData } from './handler.ts';

const CONFIG_FILE = 'prometheus.yml';

export const reload: Handler = async (c, _caller, memory) => {
  const reloaded = await c.env.services.reload();
  memory.lastReloadOk = reloaded.ok;
  memory.forgetStatus();
  if (!reloaded.ok) return text(400, `nothing was changed:\n${formatProblems(CONFIG_FILE, reloaded.problems)}`);
  return text(200, `configuration in force: ${reloaded.version.source}, version ${reloaded.version.version}`);
};

/** There is no process to end. */
export const quit: Handler = () => text(403, 'Lifecycle API is not enabled: a deployment has no process to end.');

export const pushConfig: Handler = async (c, _caller, memory) => {
  const body = await readBody(c.req.raw, CONFIG_BYTES_MAX);
  if (body === null) {
    return failure(c.req.path, 413, 'bad_data', `a configuration may have ${CONFIG_BYTES_MAX} bytes`);
  }
  const sent = textOf(body);
  if (sent === null) return failure(c.req.path, 400, 'bad_data', 'the configuration is not UTF-8 text');
  const isJson = /^application\/json\b/i.test(c.req.header('content-type') ?? '');
  const { config: yaml, files } = isJson ? withFiles(sent) : { config: sent, files: [] };
  const fromStart = isOpen(c.env) && c.req.header('x-narthex-config-source') === 'start';
  const pushed = await c.env.services.pushConfig(yaml, fromStart ? 'start --config' : 'bucket', files);
  memory.lastReloadOk = pushed.ok;
  memory.forgetStatus();
  if (pushed.ok) return success({ ...versionData(pushed.version), warnings: pushed.warnings });
  const report = formatProblems(CONFIG_FILE, pushed.problems);
  return failure(c.req.path, 400, 'bad_data', report, {}, { problems: pushed.problems });
};

/** `{"config": "…", "files": {"jobs/a.yml": "…"}}`: a configuration and the files that it names. Throws BadData. */
function withFiles(json: string): { config: string; files: ConfigFile[] } {
  const wrong = new BadData('expected {"config": "…", "files": {"name": "text"}}');
  let value: { config?: unknown; files?: unknown } | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch {
    throw wrong;
  }
  const { config, files = {} } = value ?? {};
  if (typeof config !== 'string' || typeof files !== 'object' || files === null || Array.isArray(files)) throw wrong;
  return {
    config,
    files: Object.entries(files).map(([name, text]: [string, unknown]) => {
      if (typeof text !== 'string' || !/^[^/]/.test(name) || /(^|\/)\.{0,2}(\/|$)/.test(name)) throw wrong;
      return { name, text };
    }),
  };
}

export const rewind: Handler = async (c, _caller, memory) => {
  const name = c.req.query('name') ?? '';
  const to = c.req.query('to') ?? '';
  const sinceMs = timeOf(to);
  if (name === '' || (to !== 'beginning' && (sinceMs === null || sinceMs < 0)))
    return failure(
      c.req.path,
      400,
      'bad_data',
      'name=REMOTE and to=beginning, an RFC 3339 time or Unix seconds are needed',
    );
  const rewound = await c.env.services.rewind(name, sinceMs);
  memory.forgetStatus();
  if (rewound === null)
    return notFound(c, `no remote_write has the name ${JSON.stringify(name)} (one without a name goes by its url)`);
  if (rewound.logs === 0)
    return notFound(
      c,
      `remote ${JSON.stringify(name)} has no place in a log yet: the next run, within a minute, makes one`,
    );
  return success({ records: rewound.records, samples: rewound.samples });
};
