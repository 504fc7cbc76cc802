/** The pages about contributing, versions and releases. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { findNotes } from '../../scripts/lib/release.ts'
import { namesIn, rowsUnder } from '../markdown.ts'

const read = (path: string): string => readFileSync(path, 'utf8')
const versionOf = (path: string): string => JSON.parse(read(path)).version

it.for<[page: string, most: number]>([
  ['CONTRIBUTING.md', 1_500],
  ['docs/recipes.md', 1_500],
  ['docs/upgrade.md', 1_500],
  ['docs/versions.md', 1_500],
])('%s has at most %d words', ([page, most]) => {
  expect(read(page).split(/\s+/).length).toBeLessThanOrEqual(most)
})

it('describes version 1.0.0 on one page', () => {
  const notes = findNotes(read('CHANGELOG.md'), '1.0.0') ?? ''
  expect(notes.split(/\s+/).length).toBeGreaterThan(300)
  expect(notes.split(/\s+/).length).toBeLessThanOrEqual(700)
})

it('the changelog has the version of the Worker, and the package has it too', () => {
  const version = versionOf('package.json')
  expect(findNotes(read('CHANGELOG.md'), version)).not.toBeNull()
  expect(versionOf('src/callers/package.json')).toBe(version)
  expect(versionOf('package-lock.json')).toBe(version)
})

it.for(['CONTRIBUTING.md', 'docs/recipes.md'])('%s names only files that exist', (page) => {
  const named = read(page).match(/(?<=`)(?:src|test|scripts|migrations|\.ci)\/[^`*]*(?=`)/g) ?? []
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((path) => !existsSync(path))).toEqual([])
})

it.for(['docs/architecture.md', 'docs/design-notes.md'])(
  '%s names only files that a room has',
  (page) => {
    const rows = read(page).match(/^\| `.*/gm) ?? []
    const named = rows.flatMap((row) => {
      const [first = ''] = row.slice(2).split(' | ')
      const rooms = Array.from(first.matchAll(/`([\w/]+)\/`/g), ([, room]) => `src/${room}`)
      const files = Array.from(row.matchAll(/`([\w/-]+\.ts)`/g), ([, file = '']) => file)
      return files.map((file) => ({ file, folders: [...rooms, 'src', 'scripts', '.'] }))
    })
    expect(named.length).toBeGreaterThan(10)
    const isMissing = ({ file, folders }: (typeof named)[number]) =>
      !folders.some((folder) => existsSync(`${folder}/${file}`))
    expect(named.filter(isMissing)).toEqual([])
  },
)

it('CONTRIBUTING.md describes each folder of the repository', () => {
  const names = readdirSync('.', { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const folders = names.map(({ name }) => `${name}/`)
  const rows = ['## Tests', '## Layout'].flatMap((heading) =>
    rowsUnder(read('CONTRIBUTING.md'), heading),
  )
  const named = new Set(rows.flatMap(([cell]) => namesIn(cell)))
  const made = new Set(['dist/', 'node_modules/', 'release/'])
  const described = (folder: string) =>
    folder.startsWith('.') || made.has(folder) || named.has(folder)
  expect(folders.filter((folder) => !described(folder))).toEqual([])
})

it('docs/versions.md names the Node versions that CI tests', () => {
  const nodes = Array.from(read('.github/workflows/ci.yml').matchAll(/node: (\d+),/g), ([, n]) => n)
  const [last] = nodes.splice(-1)
  expect(read('docs/versions.md')).toContain(`run on Node ${nodes.join(', ')} and ${last}.`)
})

it('SECURITY.md and docs/versions.md promise an answer in the same time', () => {
  const [promised] = rowsUnder(read('docs/versions.md'), '## Security fixes').flatMap(
    ([when = '']) => /^\d+ working days/.exec(when)?.[0] ?? [],
  )
  expect(promised).toBeDefined()
  expect(read('SECURITY.md')).toContain(`answers within ${promised}`)
})
