/** The Worker: its HTTP app, its Cron Trigger and its service binding. */

import { createApp } from './http/app.ts'
import { rewrap } from './scheduled.ts'

export { KeyVault } from './binding/key-vault.ts'
export type { BindingProps, ErrorCode, Grant, Result } from './callers/binding.ts'

/** The type of the routes and their bodies, for Hono's typed client: `hc<AppType>(url)`. */
export type AppType = ReturnType<typeof createApp>

const app = createApp()

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => rewrap(env),
} satisfies ExportedHandler<Env>
