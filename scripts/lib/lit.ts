/** The Lit in the element's script: smaller, and with a policy of Trusted Types of its own. */

import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Plugin } from 'esbuild'
import { CUTS } from './lit-cuts.ts'

/**
 * Lit's style sheets without what it has for browsers that cannot adopt one: the element does not run in
 * them, and its size counts.
 */
export const adoptedStyles: Plugin = {
  name: 'adopted styles',
  setup(bundler) {
    bundler.onLoad({ filter: /@lit.reactive-element.css-tag\.js$/ }, () => ({
      contents: `
        export const unsafeCSS = (text) => {
          const sheet = new CSSStyleSheet()
          sheet.replaceSync(text)
          return sheet
        }
        // Exported by Lit, and not used here.
        export let adoptStyles, getCompatibleStyle, CSSResult, css, supportsAdoptingStyleSheets`,
    }))
  },
}

/** What stands in the place of something in Lit. */
const OWN = `
import { createLitPolicy } from ${JSON.stringify(resolve('src/page/element/trusted-types.ts'))}
import { markBindings } from ${JSON.stringify(resolve('src/page/element/template-marks.ts'))}
`

/**
 * A module of Lit without what the element does not need of it.
 *
 * @throws Error if it has that in another form than it had
 */
export function leaveOut(name: string, lit: string): string {
  return (CUTS[name] ?? []).reduce((code, [piece, instead]) => {
    const parts = cutAt(piece, code)
    if (parts.length === 1) throw new Error(`${name} of Lit has another form: ${piece}`)
    return parts.join(instead)
  }, lit)
}

/** What is around each occurrence of the piece. */
function cutAt(piece: string, code: string): string[] {
  const at = code.indexOf(piece)
  if (at < 0) return [code]
  const end = at + piece.length
  const rest = code.slice(piece.endsWith('{') ? findClosing(code, end) : end)
  return [code.slice(0, at), ...cutAt(piece, rest)]
}

/** Where the block ends that has begun before `start`. */
function findClosing(code: string, start: number): number {
  let depth = 1
  let end = start
  for (; depth > 0 && end < code.length; end += 1) {
    if (code[end] === '{') depth += 1
    else if (code[end] === '}') depth -= 1
  }
  return end
}

/** How Lit makes its policy of Trusted Types, in its minified module. */
const LIT_POLICY = /\w+\?\w+\.createPolicy\("lit-html",\{createHTML:(\w+)=>\1\}\):void 0/

/**
 * Lit with a policy of Trusted Types that does not collide with the policy of another Lit on the page.
 *
 * @throws Error if Lit makes its policy in another way than it did
 */
export function replacePolicy(lit: string): string {
  if (!LIT_POLICY.test(lit)) throw new Error('Lit makes its Trusted Types policy in another way')
  return lit.replace(LIT_POLICY, 'createLitPolicy()')
}

const LIT = /(?:lit-html|lit-element|reactive-element)\.js$/

/** Bundles the element's own Lit. */
export const ownLit: Plugin = {
  name: 'own Lit',
  setup(bundler) {
    bundler.onLoad({ filter: LIT }, ({ path }) => {
      const name = basename(path)
      const lit = leaveOut(name, readFileSync(path, 'utf8'))
      return { contents: name === 'lit-html.js' ? OWN + replacePolicy(lit) : lit }
    })
  },
}
