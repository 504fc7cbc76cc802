/** Makes the settings element, the client for browsers, the page at `/` and the reference page, as static assets in `dist/`. */

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
import { build } from 'esbuild'
import { ELEMENT_OPTIONS, minifyAgain, packLanguages, packTemplates } from '../lib/element.ts'
import { packProblems } from '../lib/problem-languages.ts'
import { renderReference } from '../lib/reference.ts'

const SOURCE = 'src/page'
const TARGET = 'dist'

const { outputFiles } = await build({
  ...ELEMENT_OPTIONS,
  // The page does not bundle the element: two copies of Lit could not share a Trusted Types policy.
  entryPoints: {
    'api-key-settings': `${SOURCE}/element/definitions.ts`,
    page: `${SOURCE}/site/page.ts`,
    browser: 'src/callers/browser.ts',
  },
  outdir: '.',
  minify: true,
  legalComments: 'external',
  write: false,
})
const files = new Map<string, string>()
for (const name of ['index.html', 'favicon.svg', '_headers']) {
  files.set(name, readFileSync(`${SOURCE}/site/${name}`, 'utf8'))
}
addStyle('page.css', 'site/page.css')
addReference()
for (const { path, text } of outputFiles) {
  const name = basename(path)
  files.set(name, name.endsWith('.js') ? minifyAgain(name, packTemplates(text)) : text)
}

for (const [name, text] of packLanguages()) files.set(name, text)
for (const [name, module] of packProblems()) files.set(`browser.${name}.js`, module)
pinElement()
mkdirSync(TARGET, { recursive: true })
for (const name of readdirSync(TARGET)) {
  if (!files.has(name)) rmSync(`${TARGET}/${name}`, { recursive: true, force: true })
}
for (const [name, text] of files) replaceFile(`${TARGET}/${name}`, text)

/** Adds the style of a page, after what the pages have in common. */
function addStyle(name: string, path: string): void {
  const sheets = ['pages.css', path].map((each) => readFileSync(`${SOURCE}/${each}`, 'utf8'))
  files.set(name, sheets.join('\n'))
}

/** Adds the OpenAPI document, and its page. */
function addReference(): void {
  const document = readFileSync(`${SOURCE}/reference/openapi.json`, 'utf8')
  const headers = readFileSync(`${SOURCE}/reference/_headers`, 'utf8')
  files.set('openapi.json', document)
  files.set('reference.html', renderReference(document))
  addStyle('reference.css', 'reference/reference.css')
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
