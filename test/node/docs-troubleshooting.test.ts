/** What docs/troubleshooting.md quotes is what the vault and its commands say. */

import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { CODES } from '../../src/shared/error-code.ts'
import { namesIn } from '../markdown.ts'

const page = readFileSync('docs/troubleshooting.md', 'utf8')

/** The code, and the tests that say which text the code makes of its parts. */
const code = globSync([
  'src/**/*.ts',
  'scripts/**/*.ts',
  'test/{tokens,door,import}/**/*.{ts,json}',
])
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n')

/** The texts in code of the first column that are sentences, up to what differs. */
function quoted(): string[] {
  const cells = page.split('\n').map((line) => /^\| (.*?) \| /.exec(line)?.[1])
  const texts = cells.flatMap((cell) => namesIn(cell))
  return texts.filter((text) => text.includes(' ')).map((text) => text.replace(/\(\w+\)$/, '('))
}

/** What npm and Wrangler say. */
const OTHERS = /^(?:npm warn |Couldn't find )/

it('docs/troubleshooting.md quotes what the vault and its commands say', () => {
  const texts = quoted().filter((text) => !OTHERS.test(text))
  expect(texts.length).toBeGreaterThan(15)
  expect(texts.filter((text) => !code.includes(text.replace('Port 8787', 'Port ${port}')))).toEqual(
    [],
  )
})

it('docs/troubleshooting.md gives each code its status', () => {
  const given = Array.from(page.matchAll(/(\d{3}) `(\w+)`/g), ([, status, name]) => ({
    name,
    status,
  }))
  const statuses = new Map(
    Object.entries(CODES).map(([name, { status }]) => [name, String(status)]),
  )
  expect(given.length).toBeGreaterThan(8)
  expect(given).toEqual(given.map(({ name = '' }) => ({ name, status: statuses.get(name) })))
})
