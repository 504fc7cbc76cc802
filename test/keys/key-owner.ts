/** Users who own keys: what they and their callers do with them, and the events of both. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { expect } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { saveSlot } from '../../src/keys/save.ts'
import type { EventAnswer } from '../../src/shared/answers.ts'
import { env } from '../isolate.ts'
import {
  call,
  keyPath,
  mintToken,
  ownerOf,
  PROVIDER,
  slotPath,
  someUser,
  storedKey,
} from '../support.ts'

/** A key that no other test uses. The provider answers as its kind says: see node/provider-server.ts. */
export const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

export const MODELS = `${PROVIDER}/v1/models`

export const listPath = (userId: string) => slotPath(userId, '').slice(0, -1)

export const eventsPath = (userId: string) =>
  `/api/users/${encodeURIComponent(userId)}/api-key-events`

const ALL = { caller: 'chat', grants: ['use', 'reveal', 'users', 'support'] }

/** The vault as the Worker `caller` is bound to it. */
export const bind = (caller: string) => exports.KeyVault({ props: { ...ALL, caller } })

/** Adds a user, whose requests go to an isolate of their own. With `userId`, it is a user who exists. */
export async function someOwner({
  vault = {},
  userId: given,
}: { vault?: Partial<Env>; userId?: string } = {}) {
  const userId = given ?? (await someUser())
  const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'notebook' })
  const isolate = { ...env, ...vault }
  /** Waits until what follows the answer is done. */
  const request = async (method: string, path: string, body?: unknown) => {
    const context = createExecutionContext()
    const response = await call(method, path, { token, body, env: isolate, context })
    const answer = {
      status: response.status,
      body: await response.json<Record<string, unknown>>(),
    }
    await waitOnExecutionContext(context)
    return answer
  }
  const put = async (provider: string, apiKey: string, query = '') =>
    request('PUT', slotPath(userId, provider) + query, { api_key: apiKey })
  return {
    userId,
    token,
    request,
    put,
    /** Saves a key for OpenAI that is not checked. */
    save: async (apiKey: string) => put('openai', apiKey, '?verify=false'),
    putPlain: async (apiKey: string) => request('PUT', keyPath(userId), { api_key: apiKey }),
    get: async (provider: string) => request('GET', slotPath(userId, provider)),
    getPlain: async () => request('GET', keyPath(userId)),
    remove: async (provider: string) => request('DELETE', slotPath(userId, provider)),
    limit: async (provider: string, body: unknown) =>
      request('PATCH', slotPath(userId, provider), body),
    verify: async (provider: string) => request('POST', `${slotPath(userId, provider)}/verify`),
    assign: async (provider: string, query = '') =>
      request('POST', `${slotPath(userId, provider)}/assign${query}`),
    list: async () => request('GET', listPath(userId)),
    stored: async (provider: string) => storedKey(userId, isolate, provider),
    ...callerOf(userId, isolate),
    /** The events, the oldest first. */
    events: async (query = ''): Promise<EventAnswer[]> => {
      // A test may have changed the clock since the first token.
      const reader = await mintToken({ sub: userId })
      const response = await call('GET', eventsPath(userId) + query, { token: reader })
      const { events }: { events: EventAnswer[] } = await response.json()
      return events.toReversed()
    },
  }
}

/** What a bound Worker does for a user. It waits until what follows the answer is done. */
function callerOf(userId: string, isolate: Env) {
  const bound = async (work: (binding: KeyVault) => Promise<unknown>, props: object = ALL) => {
    const context = createExecutionContext()
    await work(new KeyVault(Object.assign(context, { props }), isolate))
    await waitOnExecutionContext(context)
  }
  return {
    bound,
    use: async (init: RequestInit = {}) =>
      bound(async (binding) => {
        const result = await binding.fetchWithApiKey(userId, 'openai', new Request(MODELS, init))
        if (result.ok) await result.response.text()
      }),
  }
}

export type Owner = Awaited<ReturnType<typeof someOwner>>

/** A user with a key for OpenAI, whose limits the user sets, and which callers use. */
export async function someKeyOwner(apiKey = someKeyOf('good')) {
  const owner = await someOwner()
  const { userId, token } = owner
  await saveSlot(await ownerOf(userId), 'openai', { apiKey, verify: false })
  return {
    ...owner,
    apiKey,
    limit: async (body: unknown) => owner.limit('openai', body),
    shown: async () => (await owner.get('openai')).body,
    /** Uses the key over a binding: the code, or `ok`. */
    use: async (caller = 'chat') => {
      const result = await bind(caller).fetchWithApiKey(userId, 'openai', new Request(MODELS))
      if (!result.ok) return result.code
      await result.response.text()
      return 'ok'
    },
    relay: async (vault: Partial<Env> = {}) => {
      const response = await call('GET', '/relay/openai/v1/models', { token, env: vault })
      await response.text()
      return response
    },
  }
}

/** An owner with `count` events on several days: the last one today, every other one of `acme`. */
export async function someHistory(count: number) {
  const owner = await someOwner()
  const rows = Array.from({ length: count }, (_, index) => {
    const at = new Date(Date.now() - index * 7 * 60 * 60 * 1_000).toISOString()
    return [at.slice(0, 10), `${at}.${index}`, index % 2 === 0 ? 'openai' : 'acme']
  })
  await env.DB.prepare(
    `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     SELECT value ->> 0, ?1, value ->> 1, value ->> 2, 'saved', 'owner' FROM json_each(?2)`,
  )
    .bind(owner.userId, JSON.stringify(rows))
    .run()
  return { ...owner, ids: rows.map(([, id]) => id) }
}

export const kinds = (events: EventAnswer[]) => events.map(({ event }) => event)

/** How many events of the user are stored. */
export const storedEvents = async (userId: string) =>
  env.DB.prepare('SELECT count(*) AS n FROM api_key_events WHERE user_id = ?1')
    .bind(userId)
    .first('n')

export const time = expect.stringMatching(/^20\d\d-.*Z$/)
/** A sum of one event. */
export const sum = { at: time, last_at: time, count: 1, errors: 0 }
