/** An open WebSocket ends with its key: the vault stands between both ends, and looks at the key while they are open. */

import { VaultError } from '../errors.ts'
import { Kept } from '../shared/kept.ts'
import { log, logFailure } from '../log.ts'
import { hideKeyInReason } from '../providers/error-body.ts'
import { asksForWebSocket } from '../providers/headers.ts'
import type { Sent } from '../providers/request.ts'
import type { Service } from '../service.ts'
import { encodeSlot } from '../shared/slot.ts'
import type { KeyRow } from '../store/api-keys.ts'
import type { OpenedRow, PickedRow } from '../store/uses.ts'
import { requireAllowed, usedNow } from './limits.ts'
import { isGranted, readOpenedRow, type KeyUser } from './take.ts'

/** An isolate looks at a slot at most once in this time. */
const LOOK_MS = 60_000
/** How long a socket waits if a look of another socket is under way, or has failed. */
const AGAIN_MS = 5_000
/** How long an end may go on after the other one has closed. */
const CLOSING_MS = 20_000

/** The vault ends a socket with this close code, and with its own code as the reason (RFC 6455 §7.4.2). */
const ENDED = 4_001
/** The close code for an end if the other one has vanished (RFC 6455 §7.4.1). */
const GONE = 1_001
/** The close code for an end if the other one has closed with a code that no end may send. */
const PROTOCOL_ERROR = 1_002

/** What a look found. It is a value: a promise would belong to the request of one socket. */
interface Look {
  at: number
  /** The row, or why there is none; null while the look is under way, and after it has failed. */
  found: OpenedRow | VaultError | null
}

/** An isolate keeps so many bytes of looks. */
const MOST_KEPT = 2 ** 20
/** The looks of the last minute by the identity of the key. */
const looks = new WeakMap<Service, Kept<Look>>()

/** Both ends of a socket. */
interface Joined {
  /** Aborts when nothing passes any more. */
  over: AbortSignal
  /** Closes both ends, and drops what still comes from either. */
  end: (code: number, reason?: string) => void
}

/** The key that a socket was opened with. */
interface SocketKey {
  row: PickedRow
  apiKey: string
}

/** For a request that may open a WebSocket. */
interface Droppable {
  signal: AbortSignal
  /** Drops the connection that it has opened. */
  drop: () => void
}

/** Lets the vault drop the connection of a WebSocket: a closed one stays until the provider has answered the close. */
export function makeDroppable({ headers, signal }: Pick<Sent, 'headers' | 'signal'>): Droppable {
  if (!asksForWebSocket(headers)) return { signal, drop: () => {} }
  const dropping = new AbortController()
  return { signal: AbortSignal.any([signal, dropping.signal]), drop: () => dropping.abort() }
}

/**
 * The provider's answer. If it opens a WebSocket, that is joined with the caller's. It ends when the owner would no
 * longer allow this use, or when the slot no longer holds this key. A look counts no use.
 */
export function guardSocket(
  user: KeyUser,
  used: SocketKey,
  { response, drop }: { response: Response; drop: () => void },
): Response {
  const { status, headers, webSocket: provider } = response
  if (provider === null) return response
  const { 0: outer, 1: caller } = new WebSocketPair()
  const hide = (reason: string) => hideKeyInReason(reason, used.apiKey)
  watch(user, used, join([caller, provider], drop, hide))
  return new Response(null, { status, headers, webSocket: outer })
}

/**
 * Passes messages and closes to the other end. The reason of a close is as `hide` returns it. After one end has closed, the
 * other one may go on for some time: see `allowHalfOpen`. The runtime has no back-pressure for WebSockets.
 */
function join(
  ends: [caller: WebSocket, provider: WebSocket],
  drop: () => void,
  hide: (reason: string) => string,
): Joined {
  const over = new AbortController()
  const open = new Set(ends)
  let late: ReturnType<typeof setTimeout> | undefined
  const end = (code: number, reason?: string) => {
    over.abort()
    for (const socket of ends) socket.close(code, reason)
    expire()
  }
  const expire = () => {
    late ??= setTimeout(() => {
      end(GONE)
      drop()
    }, CLOSING_MS)
  }
  const pass = (from: WebSocket, to: WebSocket) => {
    from.binaryType = 'arraybuffer'
    from.addEventListener('message', ({ data }) => to.send(data), { signal: over.signal })
    from.addEventListener('error', () => end(GONE))
    from.addEventListener('close', ({ code, reason, wasClean }) => {
      open.delete(from)
      if (wasClean) closeAs(to, code, hide(reason))
      else end(GONE)
      if (open.size > 0) return expire()
      over.abort()
      if (late !== undefined) clearTimeout(late)
    })
  }
  const [caller, provider] = ends
  pass(caller, provider)
  pass(provider, caller)
  for (const socket of ends) socket.accept({ allowHalfOpen: true })
  return { over: over.signal, end }
}

/** Closes as the other end did. 1005 is a close without a code, and cannot be sent (RFC 6455 §7.4.1). */
function closeAs(socket: WebSocket, code: number, reason: string): void {
  try {
    if (code === 1_005) socket.close()
    else socket.close(code, reason)
  } catch {
    // The runtime receives codes such as 1004 and 5000, and sends none of them.
    socket.close(PROTOCOL_ERROR)
  }
}

/** Ends the socket when its key may not be used any more. */
function watch(user: KeyUser, used: SocketKey, { over, end }: Joined): void {
  let timer = lookIn(LOOK_MS)
  over.addEventListener('abort', () => clearTimeout(timer))

  function lookIn(ms: number) {
    return setTimeout(() => user.waitUntil(check()), ms)
  }

  async function check(): Promise<void> {
    const { at, found } = await look(user, used.row)
    if (over.aborted) return
    const refusal = found === null ? null : nameRefusal(user, used.row, found)
    if (refusal === null) {
      timer = lookIn(found === null ? AGAIN_MS : at + LOOK_MS - Date.now())
      return
    }
    const { requestId: request_id, by } = user
    const { userId: user_id } = used.row
    const provider = encodeSlot(used.row.provider)
    const about = { request_id, user_id, caller: by.name, provider }
    log('info', 'socket_ended', { ...about, code: refusal.code })
    end(ENDED, refusal.code)
  }
}

/** Why the use would be refused now; null if it would not. The maximum was counted when the socket opened. */
function nameRefusal(
  user: KeyUser,
  opened: KeyRow,
  found: OpenedRow | VaultError,
): VaultError | null {
  if (found instanceof VaultError) return found
  if (found.identity !== opened.identity) return new VaultError('changed_meanwhile')
  const isTeams = opened.userId !== user.userId
  if (isTeams && (found.tokensSince ?? '') > (user.team?.issuedAt ?? ''))
    return new VaultError('token_expired')
  // It may have another label by now.
  if (!isGranted(user, found)) return new VaultError('provider_not_granted')
  try {
    requireAllowed(found, usedNow(user.by.name))
    return null
  } catch (error) {
    return VaultError.from(error)
  }
}

/** The isolate's look at the key in the last minute, which may be under way, or a new one. */
async function look(user: KeyUser, row: PickedRow): Promise<Look> {
  const at = Date.now()
  const recent = looks.get(user.service) ?? new Kept<Look>(MOST_KEPT)
  looks.set(user.service, recent)
  const isOld = (past: Look) => past.at <= at - LOOK_MS
  recent.dropOld(isOld)
  const { identity } = row
  const known = recent.get(identity)
  if (known !== undefined && !isOld(known)) return known
  // It will not be much larger than the row that the socket was opened with.
  const characters = JSON.stringify(row).length
  recent.set(identity, { at, found: null }, characters)
  const seen = { at, found: await find(user, row) }
  recent.set(identity, seen, characters)
  return seen
}

/** Null if D1 fails: a socket does not end because of that. */
async function find(user: KeyUser, row: PickedRow): Promise<Look['found']> {
  try {
    return (await readOpenedRow(user, row)) ?? new VaultError('no_api_key')
  } catch (error) {
    const refusal = VaultError.from(error)
    if (!refusal.isFault) return refusal
    logFailure('socket_not_checked', refusal)
    return null
  }
}
