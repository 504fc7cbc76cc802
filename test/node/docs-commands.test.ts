/** The commands that the pages tell an operator to run. */

import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** What reads the configuration, to find the Worker or its database. */
const READING =
  /npx wrangler (?:secret|tail|deploy|rollback|deployments|d1 (?:export|execute|time-travel|migrations))\b[^`\n]*/g

it('each wrangler command of the pages that reads a configuration names it', () => {
  const pages = globSync(['*.md', 'docs/*.md', 'examples/**/*.md'], {
    exclude: ['CHANGELOG.md', 'examples/**/node_modules/**'],
  })
  const commands = pages.flatMap((path) => {
    const found = readFileSync(path, 'utf8').match(READING) ?? []
    return found.map((command) => `${path}: ${command}`)
  })
  expect(commands.length).toBeGreaterThan(10)
  // What works on this machine alone cannot change another vault.
  const unsafe = commands.filter((command) => !/--config|--local/.test(command))
  expect(unsafe).toEqual([])
})
