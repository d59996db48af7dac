/** Files that are bundled as text (wrangler.toml, rules). */
declare module '*.yml' {
  const text: string;
  export default text;
}
