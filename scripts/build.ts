/** `npm run build`: the settings element, the page at `/` and the reference page, as static assets in `dist/`. */

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
import { ENGLISH } from '../src/page/element/texts.ts'
import { renderReference } from './lib/reference.ts'

const SOURCE = 'src/page'
const LANGUAGES = `${SOURCE}/element/languages`
const TARGET = 'dist'

/** The names of the element's texts. A file of texts has no names: they would be a quarter of it. */
const TEXT_NAMES = Object.keys(ENGLISH)
const TEXTS_VERSION = createHash('sha256').update(TEXT_NAMES.join()).digest('hex').slice(0, 8)

/** Turns a style sheet that a module imports into its minified text. */
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
  // The page does not bundle the element: two copies of Lit could not share a Trusted Types policy.
  entryPoints: [`${SOURCE}/element/api-key-settings.ts`, `${SOURCE}/site/page.ts`],
  outdir: '.',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2023',
  legalComments: 'linked',
  charset: 'utf8',
  define: { TEXTS_VERSION: JSON.stringify(TEXTS_VERSION) },
  plugins: [styleSheets],
  write: false,
})
const files = new Map<string, string>()
for (const name of ['index.html', 'page.css', 'favicon.svg', '_headers']) {
  files.set(name, readFileSync(`${SOURCE}/site/${name}`, 'utf8'))
}
addReference()
for (const { path, text } of outputFiles) {
  // Minified code has indented lines in HTML templates only. There, one space means the same.
  const isCode = path.endsWith('.js')
  files.set(basename(path), isCode ? text.replaceAll(/\n\s+/g, ' ') : text)
}

for (const name of readdirSync(LANGUAGES)) files.set(`api-key-settings.${name}`, packTexts(name))
pinElement()
mkdirSync(TARGET, { recursive: true })
for (const name of readdirSync(TARGET)) {
  if (!files.has(name)) rmSync(`${TARGET}/${name}`, { recursive: true, force: true })
}
for (const [name, text] of files) replaceFile(`${TARGET}/${name}`, text)

/** Returns the texts of a language in the order of the English ones, after a version. @throws Error if one is missing */
function packTexts(name: string): string {
  const texts: unknown = JSON.parse(readFileSync(`${LANGUAGES}/${name}`, 'utf8'))
  const known = new Map<string, unknown>(Object.entries(Object(texts)))
  const missing = TEXT_NAMES.filter((text) => typeof known.get(text) !== 'string')
  if (missing.length > 0) throw new Error(`${LANGUAGES}/${name} lacks ${missing.join(', ')}`)
  return JSON.stringify([TEXTS_VERSION, ...TEXT_NAMES.map((text) => known.get(text))])
}

/** Adds the OpenAPI document, and its page. */
function addReference(): void {
  const document = readFileSync(`${SOURCE}/reference/openapi.json`, 'utf8')
  const headers = readFileSync(`${SOURCE}/reference/_headers`, 'utf8')
  files.set('openapi.json', document)
  files.set('reference.html', renderReference(document))
  files.set('reference.css', readFileSync(`${SOURCE}/reference/reference.css`, 'utf8'))
  files.set('_headers', `${files.get('_headers')}${headers}`)
}

/** Adds a copy of the element with its hash in its name, and a file with both (Subresource Integrity). */
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

/** Replaces a file that has changed in one step: a running Worker may read it at any time. */
function replaceFile(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  const directory = mkdtempSync('.build-')
  writeFileSync(`${directory}/file`, text)
  renameSync(`${directory}/file`, path)
  rmdirSync(directory)
}
