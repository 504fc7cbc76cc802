/** Provides what the tests in workerd need: the tables, an identity provider's keys and a provider. */

import { readD1Migrations } from '@cloudflare/vitest-pool-workers'
import type { TestProject } from 'vitest/node'
import { startKeyServers } from './key-server.ts'
import { startProvider } from './provider-server.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [keyServers, provider] = await Promise.all([startKeyServers(), startProvider()])
  project.provide('migrations', await readD1Migrations('migrations'))
  project.provide('keyServers', keyServers.url)
  project.provide('provider', provider.url)
  return async () => void (await Promise.all([keyServers.close(), provider.close()]))
}
