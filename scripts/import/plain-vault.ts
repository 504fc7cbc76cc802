/** Sends requests to a vault: it waits when the vault says so, and tries again what may succeed. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorCode } from '../../src/shared/error-code.ts'
import { nameFault, nameStatus, readAnswer, requireAnswer, type RawAnswer } from './plain-answer.ts'

/** What became of a request. */
export type Sent =
  /** `mayBeDone` says that an earlier attempt may have done it, because its answer was lost. */
  | ({ mayBeDone: boolean } & ({ body: Record<string, unknown> } | { code: ErrorCode }))
  /** Why no attempt was answered. */
  | { fault: string }

/** A request to the vault. */
export interface VaultRequest {
  method: 'GET' | 'PUT'
  /** From `/api` on. */
  path: string
  body?: object
  headers?: Record<string, string>
}

export interface VaultOptions {
  url: string
  /** The name of the header with the token. */
  tokenHeader: string
  readToken: () => Promise<string>
  /** Ends each wait when it is aborted. */
  signal: AbortSignal
  /** Called with the seconds by which a limit delays all requests. */
  onWait: (seconds: number) => void
  /** Called with the reason before a request is sent again. */
  onFault: (fault: string) => void
  /** How long to wait before each further attempt, in milliseconds. */
  pauses?: readonly number[]
}

export type SendRequest = (request: VaultRequest) => Promise<Sent>

const PAUSES = [1_000, 2_000, 4_000, 8_000, 16_000] as const
const DEADLINE_MS = 60_000
/** If the vault does not say how long: the period of its limiters. */
const WAIT_S = 60

/**
 * Opens a vault. A request throws an Error if no other one can succeed either.
 *
 * @throws Error if there is no token
 */
export async function openVault(options: VaultOptions): Promise<SendRequest> {
  const { url, signal, pauses = PAUSES } = options
  const limit = makeLimit(options)
  const token = await makeToken(options.readToken)
  return async (request) => {
    let failures = 0
    for (;;) {
      // oxlint-disable no-await-in-loop -- one attempt after the other
      await limit.passed()
      const used = token.current()
      const raw = await attempt(options, request, used)
      const fault = nameFailure(raw)
      if (fault !== null) {
        const pause = pauses[failures]
        if (pause === undefined) return { fault }
        failures += 1
        options.onFault(fault)
        await sleep(Math.max(pause, askedPause(raw)), undefined, { signal })
      } else if (typeof raw === 'object') {
        if (raw.status === 429) limit.reached(raw.retryAfter ?? WAIT_S)
        else if (raw.status !== 401 || !(await token.isRenewed(used))) {
          return { ...requireAnswer(raw, url), mayBeDone: failures > 0 }
        }
      }
      // oxlint-enable no-await-in-loop
    }
  }
}

/** The answer, or why there is none. */
async function attempt(
  { url, tokenHeader }: VaultOptions,
  { method, path, body, headers }: VaultRequest,
  token: string,
): Promise<RawAnswer | string> {
  const own = { 'Content-Type': 'application/json', [tokenHeader]: `Bearer ${token}` }
  // AbortSignal.timeout() would keep each request in memory until its time is over.
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error('no answer in time')), DEADLINE_MS)
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...headers, ...own },
      body: body === undefined ? null : JSON.stringify(body),
      // A key must not follow to another URL.
      redirect: 'manual',
      signal: late.signal,
    })
    return await readAnswer(response)
  } catch (error) {
    return nameFault(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Why the vault did not do the request, if another attempt may succeed; null if it answered. */
function nameFailure(raw: RawAnswer | string): string | null {
  if (typeof raw === 'string') return raw
  return raw.status >= 500 || raw.status === 408 ? nameStatus(raw) : null
}

function askedPause(raw: RawAnswer | string): number {
  return typeof raw === 'string' ? 0 : (raw.retryAfter ?? 0) * 1_000
}

/** Makes all requests wait for the limit that one of them has reached. */
function makeLimit({ signal, onWait }: VaultOptions) {
  let freeAt = 0
  return {
    reached: (seconds: number) => {
      const until = Math.max(freeAt, Date.now() + seconds * 1_000)
      onWait(Math.round((until - Math.max(freeAt, Date.now())) / 1_000))
      freeAt = until
    },
    passed: async () => {
      for (let left = freeAt - Date.now(); left > 0; left = freeAt - Date.now()) {
        // oxlint-disable-next-line no-await-in-loop -- another answer may have made it longer
        await sleep(left, undefined, { signal })
      }
      signal.throwIfAborted()
    },
  }
}

/** A long import outlives its token. Somebody may put a fresh one into the file meanwhile. */
async function makeToken(readToken: () => Promise<string>) {
  let token = await readToken()
  return {
    current: () => token,
    /** Whether there is another token than the one that was refused. */
    isRenewed: async (refused: string) => {
      if (token === refused) token = await readToken().catch(() => refused)
      return token !== refused
    },
  }
}
