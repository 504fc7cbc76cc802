import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { findBundled, listPackage, listWorker, type Manifest } from '../../../scripts/lib/sbom.ts'

const manifest: Manifest & { dependencies: Record<string, string> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
)
const worker = listWorker(manifest, JSON.parse(readFileSync('package-lock.json', 'utf8')))

it('lists each dependency of the Worker, with its hash, and none of development', () => {
  const { name, version, dependencies } = manifest
  expect(worker.metadata.component).toMatchObject({ name, version })
  const listed = new Map(worker.components.map((component) => [component.name, component]))
  for (const [dependency, exact] of Object.entries(dependencies)) {
    expect(listed.get(dependency)).toMatchObject({ version: exact, hashes: [{ alg: 'SHA-512' }] })
  }
  expect([...listed.keys()]).not.toContain('vitest')
})

it('finds the packages that are bundled, by the source maps', () => {
  const maps = ['src/callers/fetch.ts', '../node_modules/lit-element/lit-element.js'].map(
    (source) =>
      JSON.stringify({ sources: [source, '../node_modules/@lit/reactive-element/css-tag.js'] }),
  )
  expect([...findBundled(maps)].toSorted()).toEqual(['@lit/reactive-element', 'lit-element'])
})

it('lists what is bundled in the package, and what that depends on', () => {
  const callers = { name: 'user-key-vault', version: '1.0.0' }
  const list = listPackage(worker, callers, new Set(['lit-element']))
  const names = list.components.map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(['lit-element', 'lit-html', '@lit/reactive-element']),
  )
  expect(names).not.toContain('zod')
  const [root, ...others] = list.dependencies
  expect(root?.ref).toBe('user-key-vault@1.0.0')
  expect(root?.dependsOn.toSorted()).toEqual(others.map(({ ref }) => ref).toSorted())
})
