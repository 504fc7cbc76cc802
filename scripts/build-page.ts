/** `npm run build`: the settings element and the page at `/`, as static assets in `dist/`. */

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { build, transform, type Plugin } from 'esbuild'

const SOURCE = 'src/page'
const TARGET = 'dist'

/** A style sheet that a module imports is its text, minified. */
const styleSheets: Plugin = {
  name: 'style sheets',
  setup(bundler) {
    bundler.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true })
      return { contents: code.trim(), loader: 'text' }
    })
  },
}

mkdirSync(TARGET, { recursive: true })
for (const file of ['index.html', 'page.css', 'favicon.svg', '_headers']) {
  cpSync(`${SOURCE}/${file}`, `${TARGET}/${file}`)
}
const { outputFiles } = await build({
  // One bundle each: two copies of Lit on a page could not share a Trusted Types policy.
  entryPoints: [`${SOURCE}/api-key-settings.ts`, `${SOURCE}/page.ts`],
  outdir: TARGET,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2023',
  plugins: [styleSheets],
  write: false,
})
for (const { path, text } of outputFiles) {
  // The indented lines that minified code still has are in HTML templates: one space says the same.
  writeFileSync(path, text.replaceAll(/\n\s+/g, ' '))
}
