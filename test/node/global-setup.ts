/** What the tests in workerd need of the world outside: an identity provider's key server. */

import type { TestProject } from 'vitest/node'
import { startKeyServers } from './key-server.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, close } = await startKeyServers()
  project.provide('keyServers', url)
  return close
}
