/** A provider that answers at once, and remembers which key each request had. */

import { createServer } from 'node:http'
import { once } from 'node:events'

/** A request that has come. Times are in milliseconds since the epoch. */
export interface Arrival {
  path: string
  key: string
  at: number
}

export interface Provider {
  origin: string
  arrivals: Arrival[]
  close: () => void
}

export async function startProvider(): Promise<Provider> {
  const arrivals: Arrival[] = []
  const server = createServer(({ url = '', headers }, response) => {
    const key = headers.authorization?.replace('Bearer ', '') ?? ''
    arrivals.push({ path: url, key, at: Date.now() })
    response.end('{}')
  })
  // Otherwise it may close a connection while a request comes.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    origin: `http://127.0.0.1:${port}`,
    arrivals,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
