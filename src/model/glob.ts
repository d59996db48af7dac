/**
 * Patterns of file names, as `filepath.Match` of Go reads them: `*` and `?` stand for anything but a slash, `[a-z]` and `[^a-z]` for one
 * character, a backslash takes the next one as it is. Prometheus' `file_sd_configs` and `scrape_config_files` are such patterns.
 */

export interface Glob {
  /** What every name that fits begins with. */
  readonly prefix: string;
  /** The pattern holds nothing but a name. */
  readonly literal: boolean;
  fits(name: string): boolean;
}

/** A path of a configuration that a Prometheus reads too names the same object: `/etc/x.yml` and `./x.yml` are no other names. */
export const objectName = (path: string): string => path.replace(/^(\.?\/+)+/, '');

/** Null for a pattern that ends in the middle of a class or an escape. */
export function globOf(pattern: string): Glob | null {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const c = pattern[at]!;
    if (c === '*') source += '[^/]*';
    else if (c === '?') source += '[^/]';
    else if (c === '\\') {
      if (++at === pattern.length) return null;
      source += escaped(pattern[at]!);
    } else if (c === '[') {
      const found = /^\[(\^?)((?:\\[^]|[^\]\\])+)\]/.exec(pattern.slice(at));
      if (found === null) return null;
      const members = found[2]!.replace(/\\([^])|([^-])/g, (_, quoted?: string, plain?: string) =>
        escaped(quoted ?? plain!),
      );
      source += `(?!/)[${found[1]}${members}]`;
      at += found[0].length - 1;
    } else source += escaped(c);
  }
  let regexp: RegExp;
  try {
    regexp = new RegExp(`^${source}$`, 's');
  } catch {
    return null;
  }
  const meta = pattern.search(/[*?[\\]/);
  return {
    prefix: meta === -1 ? pattern : pattern.slice(0, meta),
    literal: meta === -1,
    fits: (name) => regexp.test(name),
  };
}

const escaped = (c: string): string => (/[\w]/.test(c) || c.charCodeAt(0) > 127 ? c : `\\${c}`);
