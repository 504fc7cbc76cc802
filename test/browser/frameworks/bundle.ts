/** Bundles a host application in any framework to one script. */

import { readFileSync } from 'node:fs'
import { build, type Plugin } from 'esbuild'
import { compile as compileSvelte } from 'svelte/compiler'
import { compileScript, parse } from 'vue/compiler-sfc'

/** Components of one file, as Vite's plugins compile them. */
const components: Plugin = {
  name: 'components',
  setup(bundler) {
    bundler.onLoad({ filter: /\.svelte$/ }, ({ path }) => {
      const { js } = compileSvelte(readFileSync(path, 'utf8'), { filename: path })
      return { contents: js.code, loader: 'js' }
    })
    bundler.onLoad({ filter: /\.vue$/ }, ({ path }) => {
      const templateParseOptions = { isCustomElement: (tag: string) => tag === 'api-key-settings' }
      const source = readFileSync(path, 'utf8')
      const { descriptor } = parse(source, { filename: path, templateParseOptions })
      const { content } = compileScript(descriptor, { id: path, inlineTemplate: true })
      return { contents: content, loader: 'ts' }
    })
  },
}

/** Returns the application of a file in this folder as the content of a script element. */
export async function bundleApp(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`test/browser/frameworks/${file}`],
    bundle: true,
    format: 'esm',
    conditions: ['browser', 'development'],
    define: {
      'process.env.NODE_ENV': '"development"',
      __VUE_OPTIONS_API__: 'false',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    },
    jsx: 'automatic',
    plugins: [components],
    write: false,
    logLevel: 'error',
  })
  const code = outputFiles.map(({ text }) => text).join('\n')
  return code.replaceAll('</script', String.raw`<\/script`)
}
