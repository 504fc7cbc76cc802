/** What a release needs to be true, and its workflows. */

import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (path: string): string => readFileSync(path, 'utf8')
const versionOf = (path: string): string => JSON.parse(read(path)).version

it('the Worker, the package for callers and the changelog name one version', () => {
  const version = versionOf('package.json')
  expect(versionOf('src/callers/package.json')).toBe(version)
  expect(read('CHANGELOG.md')).toMatch(
    new RegExp(`^## ${version} \\(\\d{4}-\\d\\d-\\d\\d\\)$`, 'm'),
  )
})

it.for([
  [[], 2, 'Usage: '],
  [['1.0.0'], 2, 'Usage: '],
  [['v0.0.1'], 1, 'the tag is v0.0.1'],
] as const)('.github/release refuses the arguments %o', ([args, status, said]) => {
  const run = spawnSync('.github/release', args, { encoding: 'utf8' })
  expect(run).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(said) })
})

it.for(globSync('.github/workflows/*.yml'))('%s uses actions by the hash of a commit', (path) => {
  const used = Array.from(read(path).matchAll(/uses: (\S+)(.*)/g), ([, action = '', comment]) => ({
    action,
    comment,
  }))
  const foreign = used.filter(({ action }) => !action.startsWith('./'))
  expect(foreign.length).toBeGreaterThan(0)
  for (const { action, comment } of foreign) {
    expect(action).toMatch(/^[\w-]+\/[\w-]+@[\da-f]{40}$/)
    expect(comment).toMatch(/^ # v\d+\.\d+\.\d+$/)
  }
})
