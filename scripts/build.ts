/** `npm run build`: builds the settings element and the page at `/` as static assets in `dist/`. */

import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename } from 'node:path'
import { build, transform, type Plugin } from 'esbuild'

const SOURCE = 'src/page'
const TARGET = 'dist'

/** Makes an imported style sheet its minified text. */
const styleSheets: Plugin = {
  name: 'style sheets',
  setup(bundler) {
    bundler.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true })
      return { contents: code.trim(), loader: 'text' }
    })
  },
}

const { outputFiles } = await build({
  // Each entry point is one bundle. Two copies of Lit on a page could not share a Trusted Types policy.
  entryPoints: [`${SOURCE}/element/api-key-settings.ts`, `${SOURCE}/site/page.ts`],
  outdir: '.',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2023',
  legalComments: 'linked',
  plugins: [styleSheets],
  write: false,
})
const files = new Map<string, string>()
for (const name of ['index.html', 'page.css', 'favicon.svg', '_headers']) {
  files.set(name, readFileSync(`${SOURCE}/site/${name}`, 'utf8'))
}
for (const { path, text } of outputFiles) {
  // The indented lines that are left after minifying are in HTML templates, where one space is enough.
  const isCode = path.endsWith('.js')
  files.set(basename(path), isCode ? text.replaceAll(/\n\s+/g, ' ') : text)
}

pinElement()
mkdirSync(TARGET, { recursive: true })
for (const name of readdirSync(TARGET)) {
  if (!files.has(name)) rmSync(`${TARGET}/${name}`, { recursive: true, force: true })
}
for (const [name, text] of files) replaceFile(`${TARGET}/${name}`, text)

/** Adds the element under a name with its hash, and a file with that name and its integrity hash. */
function pinElement(): void {
  const element = files.get('api-key-settings.js') ?? ''
  const hash = (algorithm: string) => createHash(algorithm).update(element)
  const name = `api-key-settings.${hash('sha256').digest('hex').slice(0, 12)}.js`
  const pinned = { url: `/${name}`, integrity: `sha384-${hash('sha384').digest('base64')}` }
  files.set(name, element)
  files.set('api-key-settings.json', `${JSON.stringify(pinned, null, 2)}\n`)
  const caching = `/${name}\n  ! Cache-Control\n  Cache-Control: public, max-age=31536000, immutable\n`
  files.set('_headers', `${files.get('_headers')}${caching}`)
}

/** Writes a changed file in one step, since a running Worker may read it meanwhile. */
function replaceFile(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  const directory = mkdtempSync('.build-')
  writeFileSync(`${directory}/file`, text)
  renameSync(`${directory}/file`, path)
  rmdirSync(directory)
}
