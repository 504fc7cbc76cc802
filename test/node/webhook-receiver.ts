/** An application on localhost that gets webhooks. */

import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/** A request as it came. */
export interface Delivery {
  path: string
  headers: Record<string, string>
  body: string
}

/** Answers the deliveries about a user with the statuses of `plan`, in order, then with 204. 0 ends the connection. */
export async function startReceiver() {
  const got: Delivery[] = []
  const plans = new Map<string, number[]>()
  const server = createServer((request, response) => {
    const answer = async () => {
      const body = await text(request)
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      )
      got.push({ path: request.url ?? '', headers, body })
      const [, plan] = [...plans].find(([userId]) => body.includes(`"${userId}"`)) ?? []
      const status = plan?.shift() ?? 204
      if (status === 0) request.socket.destroy()
      else response.writeHead(status, { Location: '/elsewhere' }).end('more than nothing')
    }
    answer().catch((error: unknown) => response.destroy(new Error(String(error))))
  })
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    plan: (userId: string, statuses: number[]) => void plans.set(userId, statuses),
    /** The deliveries about the user, at `path`. */
    got: (userId: string, path = '/webhooks') =>
      got.filter((one) => one.path === path && one.body.includes(`"${userId}"`)),
    all: () => got,
    close: async () => stop(server),
  }
}
