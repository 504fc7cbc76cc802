/** The requests of the users of the kill test. */

import { signToken } from '../lib/token.ts'
import type { ImportedKey } from '../../src/store/imported-keys.ts'
import type { Change, SeenEvent, Shown, Slot } from './slot.ts'
import type { Stored } from './stored.ts'

/** The scope of the relay. */
export const SCOPE = 'relay'
const CHANGES = new Set(['saved', 'replaced', 'deleted'])

interface Sent {
  method?: string
  body?: string
  headers?: Record<string, string>
}

/** An answer, read to its end. */
interface Answer {
  status: number
  version: string
  body: string
}

/** Sends requests to the vault at `url`. They throw a TypeError if the vault dies before it has answered. */
export function createClient(url: string, secret: string) {
  async function send(userId: string, path: string, init: Sent = {}): Promise<Answer> {
    const token = await signToken({ sub: userId, scope: SCOPE }, secret)
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const response = await fetch(`${url}${path}`, {
      ...init,
      headers: { ...headers, ...init.headers },
    })
    const body = await response.text()
    return { status: response.status, version: response.headers.get('ETag') ?? '', body }
  }
  return {
    /** Saves or deletes a key. @returns the entity tag of the saved key */
    change: async (slot: Slot, { requestId, preview }: Change): Promise<string> => {
      const init =
        preview === null
          ? { method: 'DELETE' }
          : { method: 'PUT', body: JSON.stringify({ api_key: keyOf(preview) }) }
      const sent = { ...init, headers: { 'X-Request-Id': requestId } }
      return expectOk(await send(slot.userId, pathOf(slot), sent)).version
    },
    /** Uses the key for OpenAI of a user. @returns whether there was one */
    use: async (userId: string): Promise<boolean> => {
      const answer = await send(userId, '/relay/openai/v1/models')
      if (answer.body.includes('"no_api_key"')) return false
      expectOk(answer)
      return true
    },
    /** Has the vault run the statements of an import. */
    import: async (keys: readonly ImportedKey[]): Promise<void> => {
      const sent = { method: 'POST', body: JSON.stringify(keys) }
      expectOk(await send('import', '/kill-test/import', sent))
    },
    /** What the tables hold. */
    stored: async (): Promise<Stored> =>
      JSON.parse(expectOk(await send('import', '/kill-test/stored')).body),
    /** What the vault shows of a slot. A key that does not open has no preview. */
    show: async (slot: Slot): Promise<Shown> => {
      const trail = `/api/users/${slot.userId}/api-key-events?format=ndjson&provider=${slot.provider}`
      const shown = expectOk(await send(slot.userId, pathOf(slot)))
      const { has_api_key: hasKey, api_key_preview: preview } = JSON.parse(shown.body)
      const lines = expectOk(await send(slot.userId, trail)).body.split('\n')
      const events = lines
        .filter((line) => line !== '')
        .map((line): SeenEvent => JSON.parse(line))
        .filter(({ event }) => CHANGES.has(event))
      const key = hasKey === true ? { preview: String(preview), version: shown.version } : null
      return { key, events }
    },
  }
}

export type Client = ReturnType<typeof createClient>

/** The key that is shown as `preview`: its first 8 characters are its number. */
function keyOf(preview: string): string {
  return preview.replace('...', '-of-the-kill-test')
}

/** The preview of the key with a number from 0 to 1. There are so many that none comes twice. */
export function previewOf(number: number): string {
  return `${Math.floor(number * 36 ** 6)
    .toString(36)
    .padStart(8, '0')}...`
}

function pathOf({ userId, provider }: Slot): string {
  return `/api/users/${userId}/${provider === 'default' ? 'api-key' : `api-keys/${provider}`}`
}

function expectOk(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`The vault answered ${answer.status}: ${answer.body}`)
  return answer
}
