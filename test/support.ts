/** What the tests share: users in D1, tokens, requests and recorded logs. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from './isolate.ts'
import type { JWTPayload } from 'jose'
import { inject, onTestFinished, vi } from 'vitest'
import { signToken } from '../scripts/lib/token.ts'
import { openKey } from '../src/crypto/seal.ts'
import { createApp } from '../src/http/app.ts'
import { saveSlot } from '../src/keys/save.ts'
import { findSlot, type NamedSlot } from '../src/keys/slot-name.ts'
import type { SlotOwner } from '../src/keys/stored-key.ts'
import { openService } from '../src/service.ts'
import { expectDocumented } from './contract.ts'
import { noteLine } from './log-lines.ts'
import type { SeenRequest } from './provided.d.ts'

/** The app, whose answers all have to be in the OpenAPI document. */
export const app = createApp()
const { fetch: answer } = app
app.fetch = async (request, ...rest) => {
  const response = await answer(request, ...rest)
  await expectDocumented(request, response.clone())
  return response
}

export const URL_BASE = 'https://vault.test'

/** A key that no other test uses. */
export function someKey(): string {
  return `sk-test-${crypto.randomUUID()}`
}

/** Adds a user to D1, and returns the id. */
export async function someUser(id = `user-${crypto.randomUUID()}`): Promise<string> {
  await env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(id).run()
  return id
}

export async function mintToken(claims: JWTPayload, secret = env.JWT_SECRET_KEY): Promise<string> {
  return signToken(claims, secret)
}

export function keyPath(userId: string): string {
  return `/api/users/${encodeURIComponent(userId)}/api-key`
}

interface Call {
  token?: string | undefined
  body?: unknown
  headers?: Record<string, string>
  env?: Partial<Env>
  context?: ExecutionContext
}

/** Calls the app like a frontend. A body that is not a string is sent as JSON. */
export async function call(method: string, path: string, options: Call = {}): Promise<Response> {
  const { token, body, headers = {}, context = createExecutionContext() } = options
  const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
  const init: RequestInit = {
    method,
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(sent !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(sent !== undefined && { body: sent }),
  }
  const bindings = options.env ? { ...env, ...options.env } : env
  return app.request(URL_BASE + path, init, bindings, context)
}

/** Saves `apiKey` for the user over HTTP. */
export async function putKey(
  userId: string,
  apiKey: unknown,
  options: Call = {},
): Promise<Response> {
  const token = await mintToken({ sub: userId })
  return call('PUT', keyPath(userId), { token, body: { api_key: apiKey }, ...options })
}

/** The user's key in D1, opened with the keyring of `vault`; null if there is none. */
export async function storedKey(
  userId: string,
  vault: Env = env,
  provider = 'default',
): Promise<string | null> {
  const row = await env.DB.prepare(
    `SELECT user_id AS userId, provider, encrypted_api_key AS sealed, key_id AS kid
     FROM api_keys WHERE user_id = ?1 AND provider = ?2`,
  )
    .bind(userId, provider)
    .first<{ userId: string; provider: string; sealed: string; kid: string }>()
  if (row === null) return null
  const { keyring } = await openService(vault)
  const opened = await openKey(keyring, row)
  if (opened.state === 'unreadable') throw new Error(opened.reason)
  return opened.text
}

/** The owner of the user's slots in `vault`. */
export async function ownerOf(userId: string, vault: Env = env): Promise<SlotOwner> {
  return { service: await openService(vault), userId }
}

/** The slot that a name means to the owner's vault. */
export function slotOf({ service }: SlotOwner, name: string): NamedSlot {
  return findSlot(service.settings, name)
}

/** Adds a user with `apiKey` in a slot. The provider does not check the key. */
export async function someKeyUser(apiKey: string, provider = 'openai'): Promise<string> {
  const userId = await someUser()
  await saveSlot(await ownerOf(userId), provider, { apiKey, verify: false })
  return userId
}

/** Records what is logged until the end of the test: the lines, and the parsed events. */
export function recordLogs(): { text: () => string; events: () => Record<string, unknown>[] } {
  const lines: string[] = []
  for (const method of ['debug', 'log', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((...args) => {
      noteLine(args)
      lines.push(args.join(' '))
    })
  }
  return { text: () => lines.join('\n'), events: () => lines.map((line) => JSON.parse(line)) }
}

const ROUND_TRIPS = new Set(['run', 'all', 'first', 'raw', 'batch', 'exec'])

/**
 * The real D1, with `intercept` around every round trip until the test ends. What an isolate repeats later must not fail
 * into another test's log.
 */
export function interceptD1(
  intercept: (trip: () => Promise<unknown>) => Promise<unknown>,
): D1Database {
  let hasEnded = false
  onTestFinished(() => void (hasEnded = true))
  function intercepted<T extends object>(target: T): T {
    return new Proxy(target, {
      get(object, property) {
        const value: unknown = Reflect.get(object, property)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          const trip = () => value.apply(object, args)
          if (ROUND_TRIPS.has(String(property)))
            return hasEnded ? trip() : intercept(async () => trip())
          const result: unknown = trip()
          const isStatement = property === 'prepare' || property === 'bind'
          return isStatement && result instanceof Object ? intercepted(result) : result
        }
      },
    })
  }
  return intercepted(env.DB)
}

/** A rate limit of two calls for each key. The one of `workerd` begins anew at each minute of the clock. */
export function tightLimiter(): RateLimit {
  const counts = new Map<string, number>()
  return {
    limit: async ({ key }) => {
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      return { success: count <= 2 }
    },
  }
}

/** 32 random bytes in base64, for `API_KEY_ENCRYPTION_KEY`. */
export function someEncryptionKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
}

/** For `beforeEach`: the test runs in one moment, so that no hour, day or month ends in it. */
export function stopClock(): () => void {
  vi.useFakeTimers({ toFake: ['Date'] })
  return () => void vi.useRealTimers()
}

/** The origin of a provider on localhost that replaces OpenAI; see node/provider-server.ts. */
export const PROVIDER = inject('provider')

/** The requests that this provider got with `word` in a header. */
export async function seenByProvider(word: string): Promise<SeenRequest[]> {
  return (await fetch(`${PROVIDER}/seen/${word}`)).json()
}

export function slotPath(userId: string, provider: string): string {
  return `/api/users/${encodeURIComponent(userId)}/api-keys/${provider}`
}
