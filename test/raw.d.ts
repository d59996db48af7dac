/** Files that a test reads as text, inside workerd too. */
declare module '*?raw' {
  const text: string;
  export default text;
}
