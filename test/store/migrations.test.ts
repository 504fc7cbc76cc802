import { expect, inject, it, onTestFinished } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { LATEST_MIGRATION, selectLatestMigration } from '../../src/store/migrations.ts'
import { emptyVault, env } from '../isolate.ts'

const found = async () => (await run(env.DB, selectLatestMigration())).results.length

it('needs the last file of migrations/', () => {
  const names = inject('migrations').map(({ name }) => name)
  expect(names.toSorted().at(-1)).toBe(LATEST_MIGRATION)
})

it('finds the latest migration in a database that has it, and not in an older one', async () => {
  onTestFinished(emptyVault)
  expect(await found()).toBe(1)
  const sql = 'DELETE FROM d1_migrations WHERE name = ?1'
  await env.DB.prepare(sql).bind(LATEST_MIGRATION).run()
  expect(await found()).toBe(0)
})
