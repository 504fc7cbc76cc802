/** Keys that were neither used nor checked for long, and providers that note which keys they were asked about. */

import { vi } from 'vitest'
import { sealKey, type Slot } from '../../src/crypto/seal.ts'
import { recheckKeys } from '../../src/keys/recheck.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'

/** A provider on its own host, whose probe shows credit if `showsCredit`. */
function someProvider(name: string, showsCredit = false) {
  return {
    label: name,
    origin: `https://${name}.test`,
    header: 'authorization',
    scheme: 'Bearer',
    probe: '/probe',
    refusals: [{ status: 401 }],
    exhausted: [{ status: 200, field: 'credit', value: false }],
    ...(showsCredit && { probe_shows_credit: true }),
  }
}

const { probe: _, ...probeless } = someProvider('probeless')
const { origin: __, exhausted: ___, ...hosted } = someProvider('hosted')

/** Providers with a probe, one that shows credit, one with hosts, and one without a probe. */
export const PROVIDERS = {
  one: someProvider('one'),
  two: someProvider('two'),
  three: someProvider('three'),
  four: someProvider('four'),
  five: someProvider('five'),
  prepaid: someProvider('prepaid', true),
  hosted: { ...hosted, hosts: ['*.hosted.test'] },
  probeless,
}

/** A vault in an isolate of its own that checks keys again after 30 days. */
export function recheckingVault(changes: object = {}): Env {
  return { ...env, PROVIDERS, RECHECK_AFTER_DAYS: '30', ...changes }
}

export const DAY_MS = 24 * 60 * 60 * 1000
export const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString()

interface Stored extends Slot {
  /** The key, and its base URL after a NUL. */
  text: string
  savedAt: string
}

/** Stores keys that were saved 31 days ago, each of its own user, who is named after the key. */
export async function storeIdle(
  keys: readonly (Pick<Stored, 'text'> & Partial<Stored>)[],
  vault: Env = env,
): Promise<void> {
  const { keyring } = await openService(vault)
  const rows = keys.map(async ({ text, userId = `of ${text}`, provider = 'one', ...key }) => {
    const { savedAt = daysAgo(31) } = key
    return { userId, provider, savedAt, ...(await sealKey(keyring, { userId, provider }, text)) }
  })
  const json = JSON.stringify(await Promise.all(rows))
  const statements = [
    "INSERT OR IGNORE INTO users (id) SELECT value ->> 'userId' FROM json_each(?1)",
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status, updated_at)
     SELECT value ->> 'userId', value ->> 'provider', value ->> 'sealed', value ->> 'kid', 'active',
       value ->> 'savedAt' FROM json_each(?1)`,
  ]
  await env.DB.batch(statements.map((sql) => env.DB.prepare(sql).bind(json)))
}

/** Deletes all keys, and begins the first lap. That is quicker than another database. */
export async function clearKeys(): Promise<void> {
  await env.DB.exec('DELETE FROM users')
  await env.DB.exec('DELETE FROM api_key_events')
  await env.DB.exec("UPDATE recheck SET after_identity = '', ended_at = NULL")
}

/** `count` keys of a provider, named after it. */
export function keysOf(provider: string, count: number) {
  return Array.from({ length: count }, (_item, index) => ({
    text: `${provider}-${index}`,
    provider,
  }))
}

/** Runs the job of the vault once. */
export async function recheck(vault: Env = recheckingVault()): Promise<void> {
  await recheckKeys(await openService(vault))
}

/** The answer of the providers to a key. */
type Answer = (key: string, url: string) => Promise<Response> | Response

export const accept: Answer = () => new Response('{}')

/** Answers in place of all providers until the test ends. @returns the keys that they were asked about, in this order */
export function answerProbes(answer: Answer = accept): string[] {
  const asked: string[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const { headers, url } = new Request(input, init)
    const key = headers.get('authorization')?.replace('Bearer ', '') ?? ''
    asked.push(key)
    return answer(key, url)
  })
  return asked
}

/** What the vault has of the user's key. */
export async function stateOf(userId: string) {
  const columns = `status, exhausted_at IS NOT NULL AS isExhausted, last_verified_at AS checkedAt`
  return env.DB.prepare(`SELECT ${columns} FROM api_keys WHERE user_id = ?1`).bind(userId).first()
}

/** The events of the user, in order of their kinds. */
export async function eventsOf(userId: string) {
  const sql = `SELECT event, provider, actor, verdict, reason FROM api_key_events
    WHERE user_id = ?1 ORDER BY event`
  return (await env.DB.prepare(sql).bind(userId).all()).results
}
