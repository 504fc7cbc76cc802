/** A short link that signs a user in on the page of the local vault. */

import { createServer, type ServerResponse } from 'node:http'
import { mintDevToken } from './dev-vars.ts'
import { listen } from './local-server.ts'

/**
 * Serves the link on a port of 127.0.0.1. It redirects to the page at `pageUrl` with a fresh token of
 * `userId` in the fragment, which no other site can read.
 *
 * @returns the link
 */
export async function startDemoLink(pageUrl: string, userId: string): Promise<string> {
  const server = createServer((_request, response) => {
    redirect(response, pageUrl, userId).catch((error: unknown) =>
      response.destroy(new Error(String(error))),
    )
  })
  return `http://localhost:${await listen(server)}`
}

async function redirect(response: ServerResponse, pageUrl: string, userId: string): Promise<void> {
  const location = `${pageUrl}/#token=${(await mintDevToken(userId)) ?? ''}`
  response.writeHead(302, { Location: location, 'Cache-Control': 'no-store' }).end()
}
