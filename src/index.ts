/** The Worker. */

import { createApp } from './app.ts'

/** The routes and bodies, for Hono's typed client: `hc<AppType>(url)`. */
export type AppType = ReturnType<typeof createApp>

const app = createApp()

export default { fetch: app.fetch } satisfies ExportedHandler<Env>
