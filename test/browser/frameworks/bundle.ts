/** Bundles a host application to one script. */

import { build } from 'esbuild'

/** Returns the application of a file in this folder as the content of a script element. */
export async function bundleApp(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`test/browser/frameworks/${file}`],
    bundle: true,
    format: 'esm',
    conditions: ['browser', 'development'],
    define: { 'process.env.NODE_ENV': '"development"' },
    jsx: 'automatic',
    write: false,
    logLevel: 'error',
  })
  const code = outputFiles.map(({ text }) => text).join('\n')
  return code.replaceAll('</script', String.raw`<\/script`)
}
