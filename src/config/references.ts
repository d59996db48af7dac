/**
 * Secrets that a configuration names instead of holding them: `${NAME}` in a place of secrets, and files under `/secrets/`, which a Worker does
 * not have but for the name; and variables in external labels. They are put in before anything else looks at the tree, so that a value is
 * checked like one of the file.
 *
 * The one invariant: only a place of secrets and an external label take one, and what is shown of a configuration is its text, so that it
 * never shows it; and no name of Narthex' own secrets, its tokens, is one.
 */

import type { Path } from './positions.ts';
import { describe, problem, quote, type Problem } from './problems.ts';
import { expand } from './expand.ts';
import { isSecret, SECRET } from './secrets.ts';
import type { Mapping, Tree, Value } from './tree.ts';

/** The secrets and variables of a deployment, by name. */
export type Secrets = (name: string) => string | undefined;

/** Keys of a section that also come as a file: `password_file` for `password`. */
const FILES: ReadonlyMap<string, readonly string[]> = new Map([
  ['basic_auth', ['username', 'password']],
  ['authorization', ['credentials']],
  ['oauth2', ['client_secret', 'client_certificate_key']],
  ['google_iam', ['credentials']],
  ...['scrape_configs', 'remote_write', 'http_sd_configs', 'consul_sd_configs', 'kubernetes_sd_configs'].map(
    (section): [string, readonly string[]] => [section, ['bearer_token']],
  ),
]);

const FILE = '_file';
const FILE_PATH = /^\/secrets\/(\w+)$/;
const REFERENCE = /(\$?)\$\{(\w+)\}/g;
const NAME = /^[A-Za-z_]\w{0,127}$/;

/** Whether a configuration may name it: Narthex' own are not for configurations. */
export const isSecretName = (name: string): boolean => NAME.test(name) && !/^NARTHEX_/i.test(name);

/** Their values are no secrets: they go out with every sample. */
const isExternalLabel = (path: Path): boolean =>
  path.length === 3 && path[0] === 'global' && path[1] === 'external_labels';

/** Puts the secrets into the tree; `null` when there is no deployment to ask, which is worth a warning for each. */
export function resolveSecrets(tree: Tree, secrets: Secrets | null): Problem[] {
  const reader = new Resolver(tree, secrets);
  reader.visit(tree.value, []);
  return reader.problems;
}

class Resolver {
  readonly problems: Problem[] = [];
  readonly #tree: Tree;
  readonly #secrets: Secrets | null;

  constructor(tree: Tree, secrets: Secrets | null) {
    this.#tree = tree;
    this.#secrets = secrets;
  }

  visit(value: Value, path: Path): void {
    if (typeof value !== 'object') return;
    if (!Array.isArray(value)) this.#files(value, path);
    const entries = value as Record<string | number, Value>;
    for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
      const at = [...path, key];
      const held = entries[key];
      if (typeof held !== 'string') this.visit(held, at);
      else if (path.at(-3) === 'http_headers' && path.at(-1) === 'files') entries[key] = this.#file(held, at);
      else if (held.includes('${') && isSecret(at)) entries[key] = this.#expand(held, at);
      else if (held.includes('$') && isExternalLabel(at))
        entries[key] = expand(held, (name) => this.#variable(name, at));
    }
  }

  /** `password_file` becomes `password`. */
  #files(mapping: Mapping, path: Path): void {
    const section = path.at(typeof path.at(-1) === 'number' ? -2 : -1);
    for (const key of FILES.get(String(section)) ?? []) {
      const file = mapping[key + FILE];
      if (typeof file !== 'string') continue;
      const at = [...path, key + FILE];
      if (mapping[key] !== undefined) {
        this.#report(at, { expected: `${key} or ${key}${FILE}`, got: 'both' });
        continue;
      }
      const { positions } = this.#tree;
      positions.note(mapping, key, positions.place(mapping, key + FILE)!);
      mapping[key] = this.#file(file, at);
    }
  }

  #file(file: string, path: Path): string {
    const name = FILE_PATH.exec(file)?.[1];
    // As Prometheus reads it: a line break at the end is not part of a secret.
    if (name !== undefined) return this.#secret(name, path).trim();
    // What is no path may be the secret itself.
    const got = file.startsWith('/') ? describe(file, path) : SECRET;
    const hint = 'a Worker has no files: /secrets/NAME is its secret or variable NAME';
    this.#report(path, { expected: 'a path like /secrets/NAME', got, hint });
    return SECRET;
  }

  /** `${NAME}` is the secret, `$${NAME}` the text `${NAME}`. */
  #expand(text: string, path: Path): string {
    return text.replace(REFERENCE, (reference: string, escape: string, name: string) =>
      escape === '' ? this.#secret(name, path) : reference.slice(1),
    );
  }

  /** What stands in an external label goes out with every sample; as in Prometheus, one that is not there is nothing, with a warning. */
  #variable(name: string, path: Path): string {
    const own = isSecretName(name);
    const held = own ? (this.#secrets?.(name) ?? '') : '';
    if (held !== '') return held;
    const expected = `a variable ${quote(name)} of the Worker`;
    if (/^NARTHEX_/i.test(name)) {
      this.#report(path, { expected, got: 'a name of Narthex’ own', hint: 'another name, without NARTHEX_' });
    } else if (this.#secrets === null) {
      const hint = 'under [vars] in wrangler.toml; what is not there when this is pushed is the empty text; $$ is a $';
      this.#report(path, { expected, got: 'no deployment to ask', hint, level: 'warning' });
    } else {
      this.#report(path, { expected, got: 'none', hint: 'it is the empty text; $$ is a $', level: 'warning' });
    }
    // Nobody looks at what a check without a deployment makes of it, but a label should not vanish there.
    return this.#secrets === null ? `\${${name}}` : '';
  }

  #secret(name: string, path: Path): string {
    if (!isSecretName(name)) {
      const hint = 'letters, digits and underscores; names that begin with NARTHEX_ are Narthex’ own';
      this.#report(path, { expected: 'the name of a secret', got: quote(name), hint });
      return SECRET;
    }
    const expected = `a secret or variable ${name} of the Worker`;
    if (this.#secrets === null) {
      const hint = `it must be there before this is pushed: npx wrangler secret put ${name}`;
      this.#report(path, { expected, got: 'no deployment to ask', hint, level: 'warning' });
      return SECRET;
    }
    const secret = this.#secrets(name);
    if (secret !== undefined) return secret;
    const hint = `npx wrangler secret put ${name}; under npm start, the environment variable NARTHEX_SECRET_${name}`;
    this.#report(path, { expected, got: 'none', hint });
    return SECRET;
  }

  #report(path: Path, said: { expected: string; got: string; hint?: string; level?: 'warning' }): void {
    this.problems.push(problem(path, this.#tree.positions.of(this.#tree.value, path, 'value'), said));
  }
}
