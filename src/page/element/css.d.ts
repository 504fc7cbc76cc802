/** A style sheet is imported as its text, minified: scripts/build.ts. */
declare module '*.css' {
  const text: string
  export default text
}
