import { expect, it } from 'vitest'
import {
  findDistTag,
  findNotes,
  linkAbsolutely,
  nameReleaseFaults,
  type Candidate,
} from '../../../scripts/lib/release.ts'

const CHANGELOG = `# Changelog

## [1.1.0] - 2027-01-15

- A route

## [1.0.0] - 2026-11-30

### Added

- [The vault](docs/start.md)
`

const READY: Candidate = {
  tag: 'v1.0.0',
  versions: [{ file: 'package.json', version: '1.0.0' }],
  changelog: CHANGELOG,
  changes: '',
}

it('finds no fault with a version whose tag, files and changelog agree', () => {
  expect(nameReleaseFaults(READY)).toEqual([])
})

it.for<[reason: RegExp, change: Partial<Candidate>]>([
  [/^v1 is not a tag/, { tag: 'v1' }],
  [/^1\.0\.0 is not a tag/, { tag: '1.0.0' }],
  [/^package\.json has the version 1\.0\.0, not 1\.1\.0$/, { tag: 'v1.1.0' }],
  [/^lock has the version undefined/, { versions: [{ file: 'lock', version: undefined }] }],
  [/no section ## \[1\.0\.0\]/, { changelog: '## Unreleased\n\n- A route\n' }],
  [/no section ## \[1\.0\.0\]/, { changelog: '## [1.0.0] - soon\n\n- A route\n' }],
  [
    /no section ## \[1\.0\.0\]/,
    { changelog: '## [1.0.0] - 2026-11-30\n\n## [0.9.0] - 2026-11-29\n\n- A\n' },
  ],
  [/changes that no commit has:\n M src\/log\.ts$/, { changes: ' M src/log.ts\n' }],
])('refuses a release with the reason %s', ([reason, change]) => {
  expect(nameReleaseFaults({ ...READY, ...change })[0]).toMatch(reason)
})

it('takes the notes of one version alone', () => {
  expect(findNotes(CHANGELOG, '1.1.0')).toBe('- A route\n')
  expect(findNotes(CHANGELOG, '1.0.0')).toBe('### Added\n\n- [The vault](docs/start.md)\n')
})

it('makes links to pages absolute, and leaves others', () => {
  const text = '[a](docs/a.md#b) [c](https://example.com) [d](#e)'
  const expected = '[a](https://x.test/docs/a.md#b) [c](https://example.com) [d](#e)'
  expect(linkAbsolutely(text, 'https://x.test')).toBe(expected)
})

it.for<[version: string, tags: string[], distTag: string]>([
  ['1.0.0', [], 'latest'],
  ['1.0.0', ['v1.0.0', ''], 'latest'],
  ['1.10.0', ['v1.9.0', 'v1.10.0'], 'latest'],
  ['1.9.1', ['v1.9.1', 'v2.0.0'], 'v1'],
  ['1.9.1', ['v1.9.1', 'v2.0.0-rc.1'], 'latest'],
  ['2.0.0-rc.1', ['v1.9.0'], 'next'],
])('publishes %s after %j as %s', ([version, tags, distTag]) => {
  expect(findDistTag(version, tags)).toBe(distTag)
})
