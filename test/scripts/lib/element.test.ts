import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { ELEMENT_OPTIONS, leaveOut, replacePolicy } from '../../../scripts/lib/element.ts'

it('gives the Lit in the bundle a Trusted Types policy of our own', async () => {
  const { outputFiles } = await build({
    ...ELEMENT_OPTIONS,
    entryPoints: ['src/page/element/api-key-settings.ts'],
    write: false,
  })
  const code = outputFiles.map(({ text }) => text).join('\n')
  const calls = code.match(/\.createPolicy\([^)]*\)/g)
  expect(calls).toEqual(['.createPolicy(name, rules)'])
  expect(code).toMatch(/createPolicy\w*\("api-key-settings", \w+\) \?\? /)
})

it('refuses a Lit that makes its policy in another way', () => {
  const lit = readFileSync('node_modules/lit-html/lit-html.js', 'utf8')
  expect(replacePolicy(lit)).toContain('createLitPolicy()')
  expect(() => replacePolicy(lit.replace('createPolicy("lit-html"', 'createPolicy(`lit`'))).toThrow(
    'in another way',
  )
})

const MODULES = [
  ['reactive-element.js', 'node_modules/@lit/reactive-element/reactive-element.js'],
  ['lit-element.js', 'node_modules/lit-element/lit-element.js'],
  ['lit-html.js', 'node_modules/lit-html/lit-html.js'],
] as const

it.for(MODULES)('leaves out what the element does not need of %s', ([name, path]) => {
  const lit = readFileSync(path, 'utf8')
  const code = leaveOut(name, lit)
  expect(lit).toMatch(/\w(?:Support|Versions)\b/)
  expect(code).not.toMatch(/\w(?:Support|Versions)\b|Symbol\.metadata|JSON|<math>|type:7/)
  expect(() => leaveOut(name, code)).toThrow('has another form')
})
