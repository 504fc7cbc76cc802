/** A substitute for the part of Cloudflare's API that a migration of a deployed D1 database needs. */

import { createServer, type IncomingMessage } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { unstable_splitSqlQuery as splitSql } from 'wrangler'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/** Starts the API with an empty database. `env` makes Wrangler use it. */
export async function startCloudflareApi() {
  const database = new DatabaseSync(':memory:')
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    if (request.url !== '/accounts/account/d1/database/deployed/query') {
      answer(404, { success: false, errors: [{ code: 7000, message: `No ${request.url}` }] })
      return
    }
    runQuery(request).then(
      (result) => answer(200, { success: true, errors: [], messages: [], result }),
      (error: unknown) =>
        answer(400, { success: false, errors: [{ code: 7500, message: String(error) }] }),
    )
  })

  async function runQuery(request: IncomingMessage) {
    const { sql }: { sql: string } = JSON.parse(await text(request))
    return splitSql(sql).map((statement) => ({
      results: database.prepare(statement).all(),
      success: true,
      meta: { duration: 1 },
    }))
  }
  const port = await listen(server)
  return {
    database,
    env: {
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}`,
      CLOUDFLARE_API_TOKEN: 'token',
      CLOUDFLARE_ACCOUNT_ID: 'account',
      CI: 'true',
    },
    close: async () => stop(server),
  }
}
