import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { inSeconds } from '../../scripts/lib/token.ts'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { bundleWorker } from '../../scripts/lib/worker-bundle.ts'
import { describeCaller, startDirectVault } from './direct-vault.ts'
import { startTls } from './tls-proxy.ts'

const YEAR_S = 365 * 24 * 60 * 60

const server = createServer()
const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 << 20 })
/** The connection of a provider that speaks for itself. */
let raw: PromiseWithResolvers<Duplex> | null = null
let vault: Awaited<ReturnType<typeof startDirectVault>>
let caller: string
let token: string

server.on('upgrade', (request, connection, head) => {
  if (raw === null) {
    sockets.handleUpgrade(request, connection, head, (ws) => sockets.emit('connection', ws))
    return
  }
  // RFC 6455 §4.2.2
  const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + guid)
  connection.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
  )
  raw.resolve(connection)
  raw = null
})

beforeAll(async () => {
  const origin = `http://127.0.0.1:${await listen(server)}`
  const script = await bundleWorker('test/node/vault-fetch-worker.ts')
  const PROVIDERS = JSON.stringify({ openai: { origin } })
  vault = await startDirectVault(
    { PROVIDERS },
    { others: [describeCaller(script, origin)], inject: ['test/node/quick-clock.ts'] },
  )
  caller = await vault.urlOf('caller')
  token = await vault.tokenOf({ exp: inSeconds(YEAR_S) })
  await vault.save('openai', `sk-socket-${crypto.randomUUID()}`)
})
afterAll(async () => {
  await vault.close()
  sockets.close()
  server.closeAllConnections()
  await stop(server)
})

const DOORS = {
  'the relay': () => new URL('/relay/openai/v1/realtime?model=good', vault.url),
  vaultFetch: () => new URL(caller),
}
type Door = keyof typeof DOORS
const doors: readonly Door[] = ['the relay', 'vaultFetch']

/** Opens a WebSocket with a user's key. */
async function connect(door: Door, protocols: string[] = []): Promise<WebSocket> {
  const url = DOORS[door]()
  url.protocol = 'ws:'
  const headers = { Authorization: `Bearer ${token}` }
  const client = new WebSocket(url.href, protocols, { headers, maxPayload: 64 << 20 })
  await once(client, 'open')
  return client
}

/** Opens a WebSocket. @returns both ends of it */
async function open(door: Door = 'the relay', protocols: string[] = []) {
  const connected = once(sockets, 'connection')
  const client = await connect(door, protocols)
  const [provider]: WebSocket[] = await connected
  if (provider === undefined) throw new Error('The provider has no connection')
  return { client, provider }
}

it('a WebSocket carries binary messages and its subprotocol', async () => {
  const { client, provider } = await open('the relay', ['realtime'])
  const sent = Buffer.alloc(300_000, 7)
  const received = once(provider, 'message')
  client.send(sent)
  expect(await received).toEqual([sent, true])
  expect([client.protocol, provider.protocol]).toEqual(['realtime', 'realtime'])
  client.terminate()
})

it.for(doors)('a WebSocket through %s carries large messages in order', async (door) => {
  const { client, provider } = await open(door)
  const sent = ['first', 'x'.repeat(8 << 20), 'last']
  const received: string[] = []
  provider.on('message', (data: Buffer, isBinary) => provider.send(data, { binary: isBinary }))
  const { promise, resolve } = Promise.withResolvers<void>()
  client.on('message', (data: Buffer) => {
    received.push(data.toString())
    if (received.length === sent.length) resolve()
  })
  for (const text of sent) client.send(text)
  await promise
  expect(received).toEqual(sent)
  client.terminate()
})

it.for(doors.flatMap((door) => [[door, 'client'] as const, [door, 'provider'] as const]))(
  'a WebSocket through %s that the %s closes passes on the code and the reason',
  async ([door, side]) => {
    const { client, provider } = await open(door)
    const [closing, other] = side === 'client' ? [client, provider] : [provider, client]
    const closed = once(other, 'close')
    closing.close(4_002, 'session over')
    expect(await closed).toEqual([4_002, Buffer.from('session over')])
  },
)

it('a WebSocket that closes without a code passes on that there is none', async () => {
  const { client, provider } = await open()
  const closed = once(provider, 'close')
  client.close()
  expect(await closed).toEqual([1_005, Buffer.alloc(0)])
})

it.for(doors.flatMap((door) => [[door, 'client'] as const, [door, 'provider'] as const]))(
  'a WebSocket through %s whose %s vanishes closes at the other end',
  async ([door, side]) => {
    const { client, provider } = await open(door)
    const [leaving, other] = side === 'client' ? [client, provider] : [provider, client]
    const closed = once(other, 'close')
    leaving.terminate()
    expect((await closed)[0]).toBe(1_001)
  },
)

it('the connection of a provider that ignores a close ends with its client', async () => {
  raw = Promise.withResolvers()
  const { promise } = raw
  const client = await connect('the relay')
  const connection = await promise
  const told = once(connection, 'data')
  client.close()
  await told
  const ended = once(connection, 'end')
  client.terminate()
  expect(await ended).toEqual([])
  connection.destroy()
})

/** A frame that closes (RFC 6455 §5.5.1). */
function closeFrame(code: number, reason: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.of(code >> 8, code & 255), reason])
  return Buffer.concat([Buffer.of(0x88, payload.length), payload])
}

it.for([
  [0, 'x'],
  [999, 'x'],
  [1_004, 'x'],
  [1_006, 'x'],
  [1_015, 'x'],
  [5_000, 'x'],
  [65_535, 'x'],
  [1_008, '\xff'.repeat(123), 1_008, '\ufffd'.repeat(41)],
] as const)('a provider that closes with %i %s closes the client too', async (example) => {
  const [code, reason, told = 1_002, why = ''] = example
  raw = Promise.withResolvers()
  const { promise } = raw
  const client = await connect('the relay')
  const connection = await promise
  const closed = once(client, 'close')
  connection.write(closeFrame(code, Buffer.from(reason, 'latin1')))
  expect(await closed).toEqual([told, Buffer.from(why)])
  connection.destroy()
})

/** Pauses or resumes the user's key. */
async function pause(paused: boolean): Promise<void> {
  const { status } = await fetch(new URL('/api/users/user/api-keys/openai', vault.url), {
    method: 'PATCH',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ paused }),
  })
  expect(status).toBe(200)
}

const PAUSED = [4_001, Buffer.from('api_key_paused')]

it.for(doors)('a WebSocket through %s ends on both sides when its key is paused', async (door) => {
  const { client, provider } = await open(door)
  const closed = Promise.all([once(client, 'close'), once(provider, 'close')])
  await pause(true)
  expect(await closed).toEqual([PAUSED, PAUSED])
  await pause(false)
})

it('OpenAI’s SDK is told why its session ends when the key is paused', async () => {
  const secure = await startTls(vault.url)
  onTestFinished(secure.close)
  const client = new OpenAI({ baseURL: `${secure.url}/relay/openai/v1`, apiKey: token })
  const options = { rejectUnauthorized: false }
  const { socket } = await OpenAIRealtimeWS.create(client, { model: 'good', options })
  await once(socket, 'open')
  const closed = once(socket, 'close')
  await pause(true)
  expect(await closed).toEqual(PAUSED)
  await pause(false)
})
