/** What every bundle for browsers needs: the element's style sheet as text, and its languages as files. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { transform, type BuildOptions, type Plugin } from 'esbuild'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { ENGLISH } from '../../src/page/element/texts.ts'
import { adoptedStyles, ownLit } from './lit.ts'

/** The folder of the texts. */
export const LANGUAGES = 'src/page/element/languages'

/** The languages that the element has texts in, besides English. */
export const TRANSLATED = readdirSync(LANGUAGES).map((file) => basename(file, '.json'))

/** How the keys of each built-in provider begin. */
export const KEY_PREFIXES = Object.entries(BUILT_IN).flatMap(([provider, { key_prefixes = [] }]) =>
  key_prefixes.length > 0 ? [{ provider, key_prefixes }] : [],
)

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

/** How esbuild bundles what browsers run. */
export const ELEMENT_OPTIONS = {
  bundle: true,
  format: 'esm',
  target: 'es2023',
  // Lit's own names of what it keeps to itself.
  mangleProps: /^_\$/,
  charset: 'utf8',
  define: {
    TEXTS_VERSION: JSON.stringify(TEXTS_VERSION),
    TRANSLATED: JSON.stringify(TRANSLATED),
    KEY_PREFIXES: JSON.stringify(KEY_PREFIXES),
  },
  plugins: [styleSheets, adoptedStyles, ownLit],
} satisfies BuildOptions

/** Returns the files of texts by their names. They belong beside the element. @throws Error if a text is missing */
export function packLanguages(): Map<string, string> {
  return new Map(TRANSLATED.map((name) => [`api-key-settings.${name}.json`, packTexts(name)]))
}

/** Returns the texts of a language in the order of the English ones, after a version. */
function packTexts(name: string): string {
  const path = `${LANGUAGES}/${name}.json`
  const texts: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const known = new Map<string, unknown>(Object.entries(Object(texts)))
  const missing = TEXT_NAMES.filter((text) => typeof known.get(text) !== 'string')
  if (missing.length > 0) throw new Error(`${path} lacks ${missing.join(', ')}`)
  return JSON.stringify([TEXTS_VERSION, ...TEXT_NAMES.map((text) => known.get(text))])
}

/**
 * Minified code has indented lines in HTML templates only. There, one space means the same, and none at the ends of a template
 * and of a tag. The value of an attribute that is one word needs no quotes.
 */
export function packTemplates(text: string): string {
  return text
    .replaceAll(/(?<=`)\n\s+|\n\s+(?=[`>])/g, '')
    .replaceAll(/\n\s+/g, ' ')
    .replaceAll(/(?<=\s[\w-]+=)"([\w-]+)"(?=[ >])/g, '$1')
}
