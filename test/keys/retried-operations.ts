/** What is tried again after an error of D1, what is not, and a D1 with such errors. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import { expect } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { call, interceptD1, mintToken, slotPath } from '../support.ts'

export const LOST = 'D1_ERROR: Network connection lost.'

/** `lost`: D1 fails before it does the work. `unheard`: it does the work, and its answer is lost. */
type Outcome = 'lost' | 'unheard' | 'ok'

/** The real D1, with an outcome for each of the first round trips, and then the last one. */
export function faultyD1(outcomes: readonly [...Outcome[], Outcome], message = LOST) {
  let trips = 0
  const db = interceptD1(async (trip) => {
    const outcome = outcomes[trips] ?? outcomes.at(-1)
    trips += 1
    if (outcome === 'lost') throw new Error(message)
    const result = await trip()
    if (outcome === 'unheard') throw new Error(message)
    return result
  })
  return { db, trips: () => trips }
}

/** The real D1, whose first answer is lost. Before the next round trip, `later` succeeds. */
export function overtakenD1(later: () => Promise<string>): D1Database {
  let trips = 0
  return interceptD1(async (trip) => {
    const result = await trip()
    trips += 1
    if (trips > 1) return result
    expect(await later()).toBe('ok')
    throw new Error(LOST)
  })
}

/** Does something with the keys of a user who has a key for OpenAI, and returns the code of the answer. */
export type Operation = (userId: string, vault: Env) => Promise<string>

export function http(
  method: string,
  rest = '',
  { body, headers }: { body?: object; headers?: object } = {},
) {
  return async (userId: string, vault: Env): Promise<string> => {
    const token = await mintToken({ sub: userId, scope: 'relay' })
    const path = rest.startsWith('/relay') ? rest : `/api/users/${userId}${rest}`
    const options = { token, body, headers: { ...headers }, env: vault }
    const response = await call(method, path, options)
    await response.clone().text()
    return response.headers.get('X-Vault-Error') ?? 'ok'
  }
}

/** Changes the slot only if its key is the one that is there now. */
function ifMatch(method: string, body?: object): Operation {
  return async (userId, vault) => {
    const token = await mintToken({ sub: userId })
    const shown = await call('GET', slotPath(userId, 'openai'), { token })
    const headers = { 'If-Match': shown.headers.get('ETag') ?? '' }
    const rest = `/api-keys/openai?verify=false`
    return http(method, rest, { headers, ...(body && { body }) })(userId, vault)
  }
}

function binding(method: (vault: KeyVault, userId: string) => Promise<object>): Operation {
  return async (userId, vault) => {
    const props = { caller: 'test', grants: ['use', 'reveal', 'users', 'support'] }
    const context = Object.assign(createExecutionContext(), { props })
    const result = await method(new KeyVault(context, vault), userId)
    return 'code' in result ? String(result.code) : 'ok'
  }
}

export const NEW_KEY = { api_key: 'sk-test-new-0123456789' }
export const SLOT = '/api-keys/openai'

const READS: Record<string, Operation> = {
  'a look at the plain route': http('GET', '/api-key'),
  'a look at a slot': http('GET', SLOT),
  'a look at the list': http('GET', '/api-keys'),
  'a look at the trail': http('GET', '/api-key-events'),
  'an export of the user': http('GET', '/export'),
  'hasUser over a binding': binding(async (vault, id) => vault.hasUser(id)),
}

export const SAVES: Record<string, Operation> = {
  'a save': http('PUT', `${SLOT}?verify=false`, { body: NEW_KEY }),
  'a save with If-Match': ifMatch('PUT', NEW_KEY),
}

export const DELETIONS: Record<string, Operation> = {
  'a deletion': http('DELETE', SLOT),
  'a deletion with If-Match': ifMatch('DELETE'),
  'a deletion over a binding': binding(async (vault, id) => vault.deleteKey(id, 'openai')),
}

const LIMITS: Record<string, Operation> = {
  'a pause': http('PATCH', SLOT, { body: { paused: true } }),
  'a pause with If-Match': ifMatch('PATCH', { paused: true }),
  'a pause over a binding': binding(async (vault, id) => vault.pauseKey(id, 'openai')),
  'a change of limits': http('PATCH', SLOT, { body: { callers: ['binding:chat'] } }),
  'another label and position': http('PATCH', SLOT, { body: { label: 'work', position: 0 } }),
  'a change of limits with a pause': http('PATCH', SLOT, { body: { paused: true, callers: [] } }),
}

/** Doing these twice would count or note something twice, or give the wrong answer. */
export const ONCE: Record<string, Operation> = {
  'a use over the relay': http('GET', '/relay/openai/v1/models'),
  'a reveal of a key': binding(async (vault, id) => vault.getDecryptedApiKey(id, 'openai')),
  'an addition of a user': binding(async (vault) => vault.createUser(crypto.randomUUID())),
  'a deletion of a user': binding(async (vault, id) => vault.deleteUser(id)),
}

export const REPEATED = { ...READS, ...SAVES, ...DELETIONS, ...LIMITS }

/** The kinds of events in the user's trail; those of one millisecond by their names. */
export async function trailOf(userId: string): Promise<unknown[]> {
  const sql = `SELECT event FROM api_key_events WHERE user_id = ?1 AND actor <> 'job'
    ORDER BY substr(id, 1, 24), event`
  const { results } = await env.DB.prepare(sql).bind(userId).all<{ event: string }>()
  return results.map(({ event }) => event)
}

/** The errors that Cloudflare says to retry. */
export const RETRYABLE = [
  'D1_ERROR: D1 DB reset because its code was updated.',
  'D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.',
  'Network connection lost.',
  'D1_ERROR: Internal error in D1 DB storage caused object to be reset.',
  'D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.',
  "D1_ERROR: Can't read from request stream because client disconnected.",
]

/** The errors after which another attempt adds to the load. */
export const ADDS_LOAD = [
  'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.',
  'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
  'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
  "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
  'D1_ERROR: D1 DB exceeded its CPU time limit and was reset.',
  'Your account is doing too many concurrent storage operations. Please back off.',
  'There was no answer within 10000 ms',
]
