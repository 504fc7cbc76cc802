/** Saves the keys of another store in a vault, several at a time. */

import type { ErrorCode } from '../../src/shared/error-code.ts'
import { ROUTES } from '../../src/shared/routes.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import type { Owner, PlainLine } from './plain-lines.ts'
import type { SendRequest, Sent } from './plain-vault.ts'

/** How lines are sent. */
export interface Sending {
  send: SendRequest
  addUsers: boolean
  /** Whether providers check the keys first; undefined if the vault decides. */
  verify: boolean | undefined
}

/** What became of a line. */
export type Outcome = { isUserAdded: boolean } &
  /** `taken` left the key alone that was there. An earlier attempt, whose answer was lost, may have saved that key: `uncertain`. */
  (
    | { state: 'saved' | 'taken' | 'uncertain' | 'without_key' }
    | { state: 'refused' | 'failed'; reason: string }
  )

/** A user id for the requests of a check, which change nothing. */
const NOBODY: Owner = { userId: '-', provider: DEFAULT_SLOT }

/**
 * Checks that the URL is a vault's and that it takes the token, before a key leaves: a body without a key is refused only
 * after the token is accepted.
 *
 * @throws Error that says what is wrong
 */
export async function checkVault({ send, addUsers }: Sending): Promise<void> {
  const empty = await send({ method: 'PUT', path: slotPath(NOBODY), body: {} })
  requireCode(empty, 'api_key_missing')
  if (addUsers) await send({ method: 'GET', path: userPath(NOBODY) }).then(requireAnswered)
}

function requireCode(sent: Sent, awaited: ErrorCode): void {
  requireAnswered(sent)
  if ('code' in sent && sent.code === awaited) return
  throw new Error(`The vault did not refuse a request without a key as ${awaited}`)
}

function requireAnswered(sent: Sent): void {
  if ('fault' in sent) throw new Error(`The vault does not answer: ${sent.fault}`)
}

/** @throws Error if no other line can be sent either */
export async function sendLine(
  line: PlainLine,
  { send, addUsers, verify }: Sending,
): Promise<Outcome> {
  if ('refused' in line) return { state: 'refused', reason: line.refused, isUserAdded: false }
  const added = addUsers ? await send({ method: 'PUT', path: userPath(line) }) : null
  const isUserAdded = added !== null && 'body' in added && added.body['created'] === true
  if (added !== null && !('body' in added)) return { ...nameFault(added), isUserAdded }
  if (line.key === null) return { state: 'without_key', isUserAdded }
  const saved = await send({
    method: 'PUT',
    path: slotPath(line, verify),
    body: { api_key: line.key },
    // If the token is the one of this line's user, a key would be replaced.
    headers: { 'If-None-Match': '*' },
  })
  return { ...nameOutcome(saved), isUserAdded }
}

function nameOutcome(sent: Sent) {
  if ('body' in sent) return { state: 'saved' } as const
  if ('fault' in sent || !TAKEN.has(sent.code)) return nameFault(sent)
  return { state: sent.mayBeDone ? 'uncertain' : 'taken' } as const
}

const TAKEN: ReadonlySet<ErrorCode> = new Set(['api_key_exists', 'changed_meanwhile'])

/** What is wrong with a line, as the end of a sentence. */
const REASONS: Partial<Record<ErrorCode, string>> = {
  user_not_found: 'has a user that the vault does not know: add it, or use --add-users',
  unknown_provider: 'has a provider that the vault does not know',
  base_url_invalid: 'has a provider that needs a base URL: only its user can save this key',
  api_key_rejected: 'has a key that its provider does not accept',
}

function nameFault(sent: { fault: string } | { code: ErrorCode }) {
  if ('fault' in sent) {
    return { state: 'failed', reason: `got no answer from the vault (${sent.fault})` } as const
  }
  const reason = REASONS[sent.code] ?? `was refused by the vault (${sent.code})`
  return { state: 'refused', reason } as const
}

function userPath({ userId }: Owner): string {
  return ROUTES.addUser.path.replace(':userId', () => encodeURIComponent(userId))
}

function slotPath(owner: Owner, verify?: boolean): string {
  const { userId, provider } = owner
  const isPlain = provider === DEFAULT_SLOT
  const { path } = isPlain ? ROUTES.saveKey : ROUTES.saveSlot
  const slot = path
    .replace(':userId', () => encodeURIComponent(userId))
    .replace(':provider', () => encodeURIComponent(provider))
  return isPlain || verify === undefined ? slot : `${slot}?verify=${verify}`
}
