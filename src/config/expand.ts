/**
 * Variables in a text, `$NAME` and `${NAME}`, by the rules of Go's `os.Expand`, with which Prometheus reads its external labels: `$$` is a
 * dollar, `$` before anything else that is no name stays, `${}` is nothing. Pure: what a name means is the caller's.
 */

/** Special names of one character, as in a shell. */
const SPECIAL = /^[*#$@!?0-9-]/;

export function expand(text: string, valueOf: (name: string) => string): string {
  let out = '';
  for (let at = 0; at < text.length;) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1 || dollar === text.length - 1) return out + text.slice(at);
    out += text.slice(at, dollar);
    const { name, width } = nameAt(text.slice(dollar + 1));
    if (name === '$') out += '$';
    else if (name !== '') out += valueOf(name);
    else if (width === 0) out += '$';
    at = dollar + 1 + width;
  }
  return out;
}

/** The name after a dollar, and how many characters it takes; no name and some characters is a mistake that is left out. */
function nameAt(text: string): { name: string; width: number } {
  if (text.startsWith('{')) {
    const end = text.indexOf('}');
    if (end === -1) return { name: '', width: 1 };
    return { name: text.slice(1, end), width: end + 1 };
  }
  if (SPECIAL.test(text)) return { name: text[0]!, width: 1 };
  const name = /^[A-Za-z0-9_]*/.exec(text)![0];
  return { name, width: name.length };
}
