import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readMigrations, renderSchema } from '../../../scripts/lib/migrations.ts'
import { LATEST_MIGRATION } from '../../../src/store/d1.ts'

it('schema.sql shows the tables of all migrations; after a change, run npm run schema -- write', () => {
  expect(readFileSync('schema.sql', 'utf8')).toBe(renderSchema())
})

it('the last migration is the one that the Worker requires', () => {
  expect(readMigrations().at(-1)?.name).toBe(LATEST_MIGRATION)
})
