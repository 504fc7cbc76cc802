/** A vault before a provider that answers with bytes as they are, which no HTTP server would send. */

import { EventEmitter, once } from 'node:events'
import { request as open, type IncomingMessage } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { V4WorkerOptions } from 'miniflare'
import { MARK } from '../fuzz/fuzz.ts'
import { startDirectVault } from './direct-vault.ts'

/** What the provider sends to each request, and what it does with the connection then. */
export interface RawAnswer {
  bytes: Buffer
  ending: 'end' | 'reset' | 'stay'
  /** What it sends after that for as long as its client reads. */
  endless?: Buffer
}

const FINE = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine')

/** Writes `chunk` as often as the client reads it. */
function flood(socket: Socket, chunk: Buffer): void {
  const more = () => {
    while (socket.writable && socket.write(chunk));
  }
  socket.on('drain', more)
  more()
}

function sendAnswer(socket: Socket, { bytes, ending, endless }: RawAnswer): void {
  socket.write(bytes, () => {
    if (ending === 'end') socket.end()
    if (ending === 'reset') socket.resetAndDestroy()
    if (endless !== undefined) flood(socket, endless)
  })
}

/** Starts the provider. It does not answer before `answerWith`. */
async function startRawProvider() {
  const events = new EventEmitter<{ gone: [written: number] }>()
  const sockets = new Set<Socket>()
  let answer: RawAnswer | null = null
  let asked = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    // The tests send no bodies, so each request comes whole.
    socket.on('data', () => {
      asked += 1
      if (answer === null) return
      sendAnswer(socket, answer)
      if (answer.ending === 'stay') {
        socket.once('close', () => events.emit('gone', socket.bytesWritten))
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    answerWith: (next: RawAnswer) => void (answer = next),
    /** How many requests have come. */
    asked: () => asked,
    /** The bytes that the vault took of the next connection that it ends, of those that stay. */
    gone: async (): Promise<number> => {
      const [written]: number[] = await once(events, 'gone')
      return written ?? 0
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await once(server.close(), 'close')
    },
  }
}

/** Reads an answer. @returns the status with the code, the new address, or the body as it came */
async function summarize(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => void chunks.push(chunk))
  // An answer that is cut off also closes.
  response.on('error', () => {})
  await new Promise((resolve) => response.once('close', resolve))
  const { 'x-vault-error': code, location, 'x-vault-location': elsewhere } = response.headers
  const body = response.complete ? Buffer.concat(chunks).toString('latin1') : 'cut off'
  return `${response.statusCode} ${String(code ?? location ?? elsewhere ?? body)}`
}

/** Starts the provider, and a vault with a key for it. */
export async function startRawPair(
  workers: (origin: string) => V4WorkerOptions[] = () => [],
  key = `sk-raw-${crypto.randomUUID()}`,
) {
  const provider = await startRawProvider()
  const { url: origin } = provider
  const PROVIDERS = JSON.stringify({ openai: { origin } })
  const vault = await startDirectVault({ PROVIDERS }, { others: workers(origin) })
  await vault.save('openai', key)
  const use = async (): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const headers = { Authorization: `Bearer ${vault.token}`, 'Accept-Encoding': 'gzip, br' }
    const { href } = new URL('/relay/openai/v1', vault.url)
    open(href, { headers, maxHeaderSize: 1_000_000 }, resolve).on('error', reject).end()
    return summarize(await promise)
  }
  return {
    provider,
    vault,
    key,
    /** Sets the answer of the provider. Each character is a byte. */
    answerWith: (answer: string, ending: RawAnswer['ending'] = 'end') =>
      provider.answerWith({ bytes: Buffer.from(answer, 'latin1'), ending }),
    /** Uses the key through the relay. @returns what came back: the status, and the rest in a word */
    use,
    /** The same, with a plain answer of the provider. */
    useFine: async () => {
      provider.answerWith({ bytes: FINE, ending: 'end' })
      return use()
    },
    /** Checks the key with the provider. @returns the verdict */
    check: async (): Promise<unknown> => {
      const url = new URL('/api/users/user/api-keys/openai/verify', vault.url)
      const headers = { Authorization: `Bearer ${vault.token}` }
      const response = await fetch(url, { method: 'POST', headers })
      const { verdict }: { verdict?: unknown } = await response.json()
      return verdict
    },
    /** The logged lines that show a secret, tell of a fault, or are not the vault's own. */
    alarms: (): string[] => {
      const secrets = [key, vault.token, MARK]
      const isAlarm = (line: string) =>
        !line.startsWith('{') ||
        /"level":"(?:warn|error)"/.test(line) ||
        secrets.some((secret) => line.includes(secret))
      return vault.logs().filter(isAlarm)
    },
    close: async () => {
      await vault.close()
      await provider.close()
    },
  }
}
