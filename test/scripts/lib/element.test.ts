import { globSync, readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { ELEMENT_OPTIONS, OWN_NAMES } from '../../../scripts/lib/element.ts'
import { PANEL_TEXTS } from '../../../src/page/element/panel-texts.ts'
import { ENGLISH } from '../../../src/page/element/texts.ts'

it('gives the Lit in the bundle a Trusted Types policy of our own', async () => {
  const { outputFiles } = await build({
    ...ELEMENT_OPTIONS,
    entryPoints: ['src/page/element/definitions.ts'],
    write: false,
  })
  const code = outputFiles.map(({ text }) => text).join('\n')
  const calls = code.match(/\.createPolicy\([^)]*\)/g)
  expect(calls).toEqual(['.createPolicy(name, rules)'])
  expect(code).toMatch(/createPolicy\w*\("api-key-settings", \w+\) \?\? /)
})

describe('the names that are shortened', () => {
  const readAll = (patterns: readonly string[]) =>
    globSync(patterns)
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
      .replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '')
  const wordsOf = (code: string) => new Set(code.match(/[A-Za-z_$][\w$]*/g))

  it('the names that are shortened are names of nothing outside the element', () => {
    const others = wordsOf(
      readAll([
        'src/{callers,shared,page/react,page/site}/**/*.{ts,tsx}',
        'src/page/element/host.ts',
        'node_modules/@typescript/*/lib/lib.{dom,es*}.d.ts',
        'node_modules/{lit-html,lit-element,@lit/reactive-element}/*.js',
      ]),
    )
    expect(OWN_NAMES.filter((name) => others.has(name))).toEqual([])
    expect(others).toContain('querySelector')
    expect(OWN_NAMES.filter((name) => name in ENGLISH || name in PANEL_TEXTS)).toEqual([])
  })

  it('the names that are shortened are used, and never as texts', () => {
    const code = readAll(['src/page/element/*.ts'])
    const used = wordsOf(code)
    expect(OWN_NAMES.filter((name) => !used.has(name))).toEqual([])
    const texts = new RegExp(`['"\`.](?:${OWN_NAMES.join('|')})(?:['"\`]|=\\$)`, 'g')
    expect(code.match(texts)).toBeNull()
  })
})
