/** The Worker. */

import { createApp } from './app.ts'
import { rewrap } from './rewrap.ts'

/** The routes and bodies, for Hono's typed client: `hc<AppType>(url)`. */
export type AppType = ReturnType<typeof createApp>

const app = createApp()

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => rewrap(env),
} satisfies ExportedHandler<Env>
