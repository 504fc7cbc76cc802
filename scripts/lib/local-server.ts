/** Starts and stops servers on this machine, for examples, benchmarks and tests. */

import { once } from 'node:events'
import type { Server } from 'node:http'

/** Starts `server` on a free port of 127.0.0.1, and returns the port. */
export async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  return address.port
}

/** Stops `server`, and closes all connections to it. */
export async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  server.closeAllConnections()
  await once(server.close(), 'close')
}
