/** The requests of the users of the kill test. */

import { inSeconds, signToken } from '../../scripts/lib/token.ts'
import type { SlotAnswer } from '../../src/shared/answers.ts'
import type { ImportedKey } from '../../src/import/imported-keys.ts'
import { readLimits } from './limits.ts'
import type { Change, SeenEvent, Shown, Slot } from './slot.ts'
import type { Stored } from './stored.ts'

/** The scope of the relay. */
export const SCOPE = 'relay'
/** The team that each user is in, and administers. */
export const TEAM = 'acme'
/** The claims of a user in the team, and the variables that read them. */
const IN_TEAM = { org_id: TEAM, org_role: 'admin' }
export const TEAM_VARIABLES = { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'org_role=admin' }
const CHANGES = new Set(['saved', 'replaced', 'deleted', 'paused', 'resumed', 'limits_changed'])
const NO_USE = /"(?:no_api_key|api_key_paused)"/

interface Sent {
  method?: string
  body?: string
  headers?: Record<string, string>
}

/** An answer, read to its end. */
interface Answer {
  status: number
  tag: string
  body: string
}

/** Sends requests to the vault at `url`. They throw a TypeError if the vault dies before it has answered. */
export function createClient(url: string, secret: string) {
  async function send(userId: string, path: string, init: Sent = {}): Promise<Answer> {
    const claims = { sub: userId, scope: SCOPE, iat: inSeconds(0), ...IN_TEAM }
    const token = await signToken(claims, secret)
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const response = await fetch(`${url}${path}`, {
      ...init,
      headers: { ...headers, ...init.headers },
    })
    const body = await response.text()
    return { status: response.status, tag: response.headers.get('ETag') ?? '', body }
  }
  return {
    /** Changes a slot. @returns the entity tag of its key, if it has one then */
    change: async (slot: Slot, change: Change): Promise<string> => {
      const path = change.method === 'PATCH' ? slotPath(slot) : keyPath(slot)
      const { method, requestId } = change
      const sent = { method, ...bodyOf(change), headers: { 'X-Request-Id': requestId } }
      return expectOk(await send(slot.userId, path, sent)).tag
    },
    /** Uses a key for OpenAI of a user or the team. @returns false if there is none, or if all are paused */
    use: async (userId: string): Promise<boolean> => {
      const answer = await send(userId, '/relay/openai/v1/models')
      if (NO_USE.test(answer.body)) return false
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
    /** What the vault shows of a slot. A key that does not open counts as none. */
    show: async (slot: Slot): Promise<Shown> => {
      const trail = `${ownerPath(slot)}/api-key-events?format=ndjson&provider=${encodeURIComponent(slot.provider)}`
      const { body, tag } = expectOk(await send(slot.userId, slotPath(slot)))
      const shown: SlotAnswer = JSON.parse(body)
      const lines = expectOk(await send(slot.userId, trail)).body.split('\n')
      const events = lines
        .filter((line) => line !== '')
        .map((line): SeenEvent & { provider: string } => JSON.parse(line))
        // The name of a provider covers its slots with labels too.
        .filter(({ provider }) => provider === slot.provider || !provider.includes(':'))
        .filter(({ event }) => CHANGES.has(event))
      if (!shown.has_api_key) return { key: null, events }
      const { api_key_preview: preview } = shown
      return { key: { preview, tag, limits: readLimits(shown) }, events }
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

function bodyOf(change: Change): { body?: string } {
  if (change.method === 'PUT') return { body: JSON.stringify({ api_key: keyOf(change.preview) }) }
  return change.method === 'PATCH' ? { body: JSON.stringify(change.limits) } : {}
}

function ownerPath({ userId, team }: Slot): string {
  return team === undefined ? `/api/users/${userId}` : `/api/teams/${team}`
}

function slotPath(slot: Slot): string {
  return `${ownerPath(slot)}/api-keys/${encodeURIComponent(slot.provider)}`
}

/** The slot's path, or the plain route, which has no PATCH. */
function keyPath(slot: Slot): string {
  return slot.provider === 'default' ? `/api/users/${slot.userId}/api-key` : slotPath(slot)
}

function expectOk(answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`The vault answered ${answer.status}: ${answer.body}`)
  return answer
}
