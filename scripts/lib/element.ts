/** What every bundle of the settings element needs: its style sheet as text, and its languages as files. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { transform, type BuildOptions, type Plugin } from 'esbuild'
import { ENGLISH } from '../../src/page/element/texts.ts'

/** The folder of the texts. */
export const LANGUAGES = 'src/page/element/languages'

/** The languages that the element has texts in, besides English. */
export const TRANSLATED = readdirSync(LANGUAGES).map((file) => basename(file, '.json'))

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

/**
 * What the element does not need of Lit's minified modules, with what stands there instead: its size counts. It runs in no
 * browser that needs a polyfill, no server renders it, its properties have no decorators, and its attributes are texts.
 */
const UNUSED: Record<string, readonly [unused: RegExp, instead: string][]> = {
  'reactive-element.js': [
    [/,\w+=\w+\.reactiveElementPolyfillSupport/, ''],
    [
      /,\w+\?\.\(\{ReactiveElement:\w+\}\),\(\w+\.reactiveElementVersions\?\?=\[\]\)\.push\("[\d.]+"\)/,
      '',
    ],
    [/\{toAttribute\(.*?,fromAttribute\(.*?\}return (\w+)\}\}/, '{fromAttribute:$1=>$1}'],
    // What decorators add.
    [/static addInitializer\(\w+\)\{.*?\}/, ''],
    [/void 0!==\w+\.l&&\(this\.l=\[\.\.\.\w+\.l\]\),/, ''],
    [/,this\.constructor\.l\?\.forEach\(\w+=>\w+\(this\)\)/, ''],
    [/Symbol\.metadata\?\?=.*?new WeakMap;/, ''],
    [/const \w+=this\[Symbol\.metadata\];.*?\.set\(\w+,\w+\)\}/, ''],
  ],
  'lit-element.js': [
    [/,\w+\.litElementHydrateSupport\?\.\(\{LitElement:\w+\}\)/, ''],
    [/const (\w+)=\w+\.litElementPolyfillSupport;\1\?\.\(\{LitElement:\w+\}\);/, ''],
    [/\(\w+\.litElementVersions\?\?=\[\]\)\.push\("[\d.]+"\);/, ''],
  ],
  'lit-html.js': [
    [/3===\w+\?"<math>":/, ''],
    [/3===\w+\?"<\/math>":/, ''],
    [/(?<=2===\w+)\|\|3===\w+/, ''],
    // Bindings in the place of an attribute, and in comments.
    [
      /else \w+\.startsWith\(\w+\)&&\(\w+\.push\(\{type:6,index:\w+\}\),\w+\.removeAttribute\(\w+\)\)/,
      '',
    ],
    [/:6===\w+\.type&&\(\w+=new \w+\(\w+,this,\w+\)\)/, ':0'],
    [
      /else\{let \w+=-1;for\(;-1!==\(\w+=\w+\.data\.indexOf\(\w+,\w+\+1\)\);\)\w+\.push\(\{type:7,index:\w+\}\),\w+\+=\w+\.length-1\}/,
      '',
    ],
    [
      /,(\w+)=\w+\.litHtmlPolyfillSupport;\1\?\.\(\w+,\w+\),\(\w+\.litHtmlVersions\?\?=\[\]\)\.push\("[\d.]+"\)/,
      '',
    ],
  ],
}

/**
 * A module of Lit without what the element does not need of it.
 *
 * @throws Error if it has that in another form than it had
 */
export function leaveOut(name: string, lit: string): string {
  return (UNUSED[name] ?? []).reduce((code, [unused, instead]) => {
    if (!unused.test(code)) throw new Error(`${name} of Lit has another form: ${unused}`)
    return code.replace(unused, instead)
  }, lit)
}

/** How Lit makes its policy of Trusted Types, in its minified module. */
const LIT_POLICY = /\w+\?\w+\.createPolicy\("lit-html",\{createHTML:(\w+)=>\1\}\):void 0/

const TRUSTED_TYPES = 'src/page/element/trusted-types.ts'

/**
 * Lit with a policy of Trusted Types that does not collide with the policy of another Lit on the page.
 *
 * @throws Error if Lit makes its policy in another way than it did
 */
export function replacePolicy(lit: string): string {
  if (!LIT_POLICY.test(lit)) throw new Error('Lit makes its Trusted Types policy in another way')
  const path = JSON.stringify(resolve(TRUSTED_TYPES))
  const code = lit.replace(LIT_POLICY, 'createLitPolicy()')
  return `import { createLitPolicy } from ${path}\n${code}`
}

const LIT = /(?:lit-html|lit-element|reactive-element)\.js$/

const ownLit: Plugin = {
  name: 'own Lit',
  setup(bundler) {
    bundler.onLoad({ filter: LIT }, ({ path }) => {
      const name = basename(path)
      const lit = leaveOut(name, readFileSync(path, 'utf8'))
      return { contents: name === 'lit-html.js' ? replacePolicy(lit) : lit }
    })
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
  define: {
    TEXTS_VERSION: JSON.stringify(TEXTS_VERSION),
    TRANSLATED: JSON.stringify(TRANSLATED),
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
