import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { startDirectVault } from './direct-vault.ts'

const server = createServer()
const sockets = new WebSocketServer({ server })
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  const origin = `http://127.0.0.1:${await listen(server)}`
  vault = await startDirectVault({ PROVIDERS: JSON.stringify({ openai: { origin } }) })
  await vault.save('openai', `sk-socket-${crypto.randomUUID()}`)
})
afterAll(async () => {
  await vault.close()
  sockets.close()
  await stop(server)
})

/** Opens a WebSocket through the relay. @returns both ends of it */
async function open(): Promise<{ client: WebSocket; provider: WebSocket }> {
  const url = new URL('/relay/openai/v1/realtime?model=good', vault.url)
  url.protocol = 'ws:'
  const connected = once(sockets, 'connection')
  const headers = { Authorization: `Bearer ${vault.token}` }
  const client = new WebSocket(url.href, ['realtime'], { headers })
  await once(client, 'open')
  const [provider] = await connected
  return { client, provider }
}

it('a WebSocket carries binary messages and its subprotocol', async () => {
  const { client, provider } = await open()
  const sent = Buffer.alloc(300_000, 7)
  const received = once(provider, 'message')
  client.send(sent)
  expect(await received).toEqual([sent, true])
  expect([client.protocol, provider.protocol]).toEqual(['realtime', 'realtime'])
  client.terminate()
})

it.for(['client', 'provider'] as const)(
  'a WebSocket that the %s closes passes on the code and the reason',
  async (side) => {
    const { client, provider } = await open()
    const [closing, other] = side === 'client' ? [client, provider] : [provider, client]
    const closed = once(other, 'close')
    closing.close(4_001, 'session over')
    expect(await closed).toEqual([4_001, Buffer.from('session over')])
  },
)

it('a WebSocket at the provider closes when its client vanishes', async () => {
  const { client, provider } = await open()
  const closed = once(provider, 'close')
  client.terminate()
  expect((await closed)[0]).toBe(1_006)
})
