/** What every bundle for browsers needs: the element's style sheet as text, and its languages as files. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { transform, type BuildOptions, type Plugin } from 'esbuild'
import { minifySync } from 'rolldown/utils'
import { PANEL_TEXTS } from '../../src/page/element/panel-texts.ts'
import { ENGLISH } from '../../src/page/element/texts.ts'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { LIT_NAMES } from './lit-cuts.ts'
import { adoptedStyles, ownLit } from './lit.ts'

/** The folder of the texts. */
export const LANGUAGES = 'src/page/element/languages'

/** The languages that the element has texts in, besides English. */
export const TRANSLATED = readdirSync(LANGUAGES).map((file) => basename(file, '.json'))

/** How the keys of each built-in provider begin. */
export const KEY_PREFIXES = Object.entries(BUILT_IN).flatMap(([provider, { key_prefixes = [] }]) =>
  key_prefixes.length > 0 ? [{ provider, key_prefixes }] : [],
)

const NAMES = Object.keys(ENGLISH)
const PANEL_NAMES = Object.keys(PANEL_TEXTS)
const TEXTS_VERSION = createHash('sha256')
  .update([...NAMES, ...PANEL_NAMES].join())
  .digest('hex')
  .slice(0, 8)

/** Turns a style sheet that a module imports into its minified text. */
const styleSheets: Plugin = {
  name: 'style sheets',
  setup(bundler) {
    bundler.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true })
      return { contents: packStyles(code), loader: 'text' }
    })
  },
}

/** Minified styles without the spaces that nothing needs, and with short names of what they keep to themselves: `--_name`. */
function packStyles(code: string): string {
  const names = [...new Set(code.match(/--_[\w-]+/g))]
  return code
    .trim()
    .replaceAll(/--_[\w-]+/g, (name) => `--${names.indexOf(name).toString(36)}`)
    .replaceAll(/([:,]) /g, '$1')
    .replaceAll(' / ', '/')
    .replaceAll(/="(\w+)"\]/g, '=$1]')
}

/** Names of properties that only the element's own code uses, which are shortened: test/scripts/lib/element.test.ts. */
export const OWN_NAMES =
  'asksFor billingPage canSignIn chosen dayFromNow doing doingOf exhaustedAt faultyField hasTyped isBusy isEarly isFaulty isForeign isFromOperator isOnly isPaused isShown isSpeaking keyPage keySlot mayClose offered onInput onPaste onToggle problemAt renderButton renderButtons renderForm sameIn shown spoken tellDone testedAt usedAt waitFor'.split(
    ' ',
  )

/** How esbuild bundles what browsers run. */
export const ELEMENT_OPTIONS = {
  bundle: true,
  format: 'esm',
  target: 'es2023',
  mangleProps: new RegExp(`^(?:${[...LIT_NAMES, ...OWN_NAMES].join('|')})$`),
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
  const files = new Map([['panels.en', pack(PANEL_TEXTS)]])
  for (const name of TRANSLATED) {
    const texts = readTexts(name)
    // The script has the names. They would be a quarter of the file.
    files.set(name, pack(NAMES.map((text) => texts.get(text)).join('|')))
    const panels = PANEL_NAMES.map((text) => [text, texts.get(text)])
    files.set(`panels.${name}`, pack(Object.fromEntries(panels)))
  }
  return new Map(Array.from(files, ([name, text]) => [`api-key-settings.${name}.json`, text]))
}

function pack(texts: object | string): string {
  return JSON.stringify([TEXTS_VERSION, texts])
}

function readTexts(name: string): Map<string, string> {
  const path = `${LANGUAGES}/${name}.json`
  const texts: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const known = new Map<string, string>(Object.entries(Object(texts)))
  const missing = [...NAMES, ...PANEL_NAMES].filter((text) => !known.has(text))
  if ([...known.values()].some((text) => text.includes('|'))) throw new Error(`${path} has a |`)
  if (missing.length > 0) throw new Error(`${path} lacks ${missing.join(', ')}`)
  return known
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

/** Names variables so that the gzipped code is smaller by 1.5 % than what esbuild writes. */
export function minifyAgain(name: string, text: string): string {
  const { code, errors } = minifySync(name, text, {
    module: true,
    compress: { target: ELEMENT_OPTIONS.target },
    codegen: { legalComments: 'inline' },
  })
  if (errors.length > 0) throw new Error(`${name}: ${errors[0]?.message}`)
  return code
}
