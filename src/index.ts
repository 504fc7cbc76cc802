/** The Worker. */

import { createApp } from './http/app.ts'
import { rewrap } from './keys/rewrap.ts'

export { KeyVault, type Result } from './binding/key-vault.ts'
export type { BindingProps, Grant, RefusalCode } from './binding/props.ts'

/** The routes and bodies, for Hono's typed client: `hc<AppType>(url)`. */
export type AppType = ReturnType<typeof createApp>

const app = createApp()

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => rewrap(env),
} satisfies ExportedHandler<Env>
