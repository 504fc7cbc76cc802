/** Provides what the tests in workerd need: the tables, an identity provider's keys and a provider. */

import type { TestProject } from 'vitest/node'
import { unstable_splitSqlQuery as splitSql } from 'wrangler'
import { readMigrations } from '../../scripts/lib/migrations.ts'
import { startKeyServers } from './key-server.ts'
import { startProvider } from './provider-server.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [keyServers, provider] = await Promise.all([startKeyServers(), startProvider()])
  const migrations = readMigrations().map(({ name, sql }) => ({ name, queries: splitSql(sql) }))
  project.provide('migrations', migrations)
  project.provide('keyServers', keyServers.url)
  project.provide('provider', provider.url)
  return async () => void (await Promise.all([keyServers.close(), provider.close()]))
}
