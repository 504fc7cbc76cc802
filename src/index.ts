/** The Worker: its HTTP app, its Cron Trigger, its service binding and its Durable Object. */

import { createApp } from './http/app.ts'
import { runJobs } from './jobs.ts'

export { KeyVault } from './binding/key-vault.ts'
export { Deletions } from './deletions.ts'
export type { BindingProps, ErrorCode, Grant, Result } from './callers/binding.ts'
export type { AppType } from './callers/client.ts'

const app = createApp()

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => runJobs(env),
} satisfies ExportedHandler<Env>
