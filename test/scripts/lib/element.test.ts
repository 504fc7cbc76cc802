import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { ELEMENT_OPTIONS } from '../../../scripts/lib/element.ts'

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
