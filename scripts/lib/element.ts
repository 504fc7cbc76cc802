/** What every bundle of the settings element needs: its style sheet as text, and its languages as files. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { transform, type BuildOptions, type Plugin } from 'esbuild'
import { ENGLISH } from '../../src/page/element/texts.ts'

const LANGUAGES = 'src/page/element/languages'

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

/**
 * Lit's style sheets without what it has for browsers that cannot adopt one: the element does not run in
 * them, and its size counts.
 */
const adoptedStyles: Plugin = {
  name: 'adopted styles',
  setup(bundler) {
    bundler.onLoad({ filter: /@lit.reactive-element.css-tag\.js$/ }, () => ({
      contents: `
        export const unsafeCSS = (text) => {
          const sheet = new CSSStyleSheet()
          sheet.replaceSync(text)
          return sheet
        }
        export const adoptStyles = (root, sheets) => { root.adoptedStyleSheets = sheets }
        export const getCompatibleStyle = (sheet) => sheet
        export let CSSResult, css, supportsAdoptingStyleSheets // Exported by Lit, and not used here.`,
    }))
  },
}

/** How esbuild bundles the element. */
export const ELEMENT_OPTIONS = {
  bundle: true,
  format: 'esm',
  target: 'es2023',
  // Lit's own names of what it keeps to itself.
  mangleProps: /^_\$/,
  charset: 'utf8',
  define: { TEXTS_VERSION: JSON.stringify(TEXTS_VERSION) },
  plugins: [styleSheets, adoptedStyles],
} satisfies BuildOptions

/** Returns the files of texts by their names. They belong beside the element. @throws Error if a text is missing */
export function packLanguages(): Map<string, string> {
  const names = readdirSync(LANGUAGES)
  return new Map(names.map((name) => [`api-key-settings.${name}`, packTexts(name)]))
}

/** Returns the texts of a language in the order of the English ones, after a version. */
function packTexts(name: string): string {
  const texts: unknown = JSON.parse(readFileSync(`${LANGUAGES}/${name}`, 'utf8'))
  const known = new Map<string, unknown>(Object.entries(Object(texts)))
  const missing = TEXT_NAMES.filter((text) => typeof known.get(text) !== 'string')
  if (missing.length > 0) throw new Error(`${LANGUAGES}/${name} lacks ${missing.join(', ')}`)
  return JSON.stringify([TEXTS_VERSION, ...TEXT_NAMES.map((text) => known.get(text))])
}
