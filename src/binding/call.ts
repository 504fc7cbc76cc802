/** A call over a binding: it does what the binding's `props` grant, and each call is logged and counted. */

import * as z from 'zod/mini'
import { count } from '../counters.ts'
import { VaultError } from '../errors.ts'
import { nameSlot, slotName } from '../keys/slot-name.ts'
import type { SlotOwner } from '../keys/stored-key.ts'
import type { KeyUser } from '../keys/take.ts'
import { describeUse } from '../keys/use.ts'
import { errorFields, log, nameCause } from '../log.ts'
import { requireRate } from '../rate.ts'
import type { LogFields } from '../log-lines.ts'
import { openFront, openService, type Service } from '../service.ts'
import { isBindingProps, type BindingProps, type Grant, bindingCaller } from '../shared/caller.ts'
import { ownerText, type OwnerParts } from '../shared/owner.ts'
import { encodeSlot } from '../shared/slot.ts'
import { nameUserIdFault } from '../shared/user-id.ts'

/** Of a user id. */
const LOGGED_LENGTH = 200

/** The grants whose calls are rate-limited: those that take a key. A move of users may need many calls with the others. */
const LIMITED: ReadonlySet<Grant> = new Set(['use', 'reveal'])

/** Without props, a caller may do nothing. */
const NOBODY: BindingProps = { caller: 'unknown', grants: [], providers: [] }

/** The arguments of a call. They are unchecked: a binding does not enforce types. */
export interface Given {
  userId?: unknown
  /** A user id, or a team. */
  owner?: unknown
  slot?: unknown
  request?: unknown
  options?: unknown
  query?: unknown
  key?: unknown
}

/** A granted call. Of its arguments, only the user id or the owner has been checked. */
export interface Call {
  /** Who uses a key. */
  user: KeyUser
  /** Whose keys the operator of the application manages, through the caller. A method for all users has no user id. */
  owner: SlotOwner
  props: BindingProps
  given: Given
}

/** The result of a method. */
interface Outcome {
  /** The provider's answer to a use. */
  response?: Response
}

/** What a method does, and the grant that it needs. Its work checks the arguments that it uses. */
export interface Method<T extends object & Outcome> {
  grant: Grant
  work: (call: Call) => Promise<T>
}

/** Does the work of a method if the binding grants it. A refusal is returned. */
export async function perform<T extends object & Outcome>(
  env: Env,
  ctx: ExecutionContext,
  { method, grant, work, given }: Method<T> & { method: string; given: Given },
): Promise<T | VaultError> {
  const startedAt = Date.now()
  const requestId = crypto.randomUUID()
  const props = readProps(ctx.props)
  const name = bindingCaller(props.caller)
  const waitUntil = (recording: Promise<void>): void => ctx.waitUntil(recording)
  const opened = await openService(env).catch((error: unknown) => VaultError.from(error))
  const whenGranted = async (): Promise<T> => {
    const service = await requireGranted(opened, props, grant)
    const userId = ownerIn(given, props)
    const owner = { service, userId, requestId }
    const granted = props.providers?.map((named) => slotName(service.settings, named))
    return work({
      user: { ...owner, by: { kind: 'caller', name }, waitUntil, granted },
      owner: { ...owner, by: { kind: 'operator', name } },
      props,
      given,
    })
  }
  const outcome = await whenGranted().catch((error: unknown) => VaultError.from(error))
  const line = { request_id: requestId, caller: name, method, ...loggable(opened, given) }
  const duration_ms = Date.now() - startedAt
  report(openFront(env).analytics, { ...line, duration_ms }, outcome)
  return outcome
}

/** Reads a binding's `props`. Malformed props grant nothing. */
export function readProps(value: unknown): BindingProps {
  return isBindingProps(value) ? value : NOBODY
}

/**
 * Returns the service if the binding has the grant. A caller writes its own `props`: the grant `reveal` counts only
 * if the vault's `ALLOW_REVEAL` names the caller, or allows all callers.
 *
 * @throws VaultError `not_granted`, `rate_limited`, or `opened` if it is one
 */
export async function requireGranted(
  opened: Service | VaultError,
  { caller, grants }: BindingProps,
  grant: Grant,
): Promise<Service> {
  if (!grants.includes(grant)) throw new VaultError('not_granted')
  if (opened instanceof VaultError) throw opened
  const { callerLimiter, revealers } = opened.settings
  if (LIMITED.has(grant)) await requireRate(callerLimiter, bindingCaller(caller))
  const isRevealer = revealers === 'all' || revealers.includes(caller)
  if (grant === 'reveal' && !isRevealer) throw new VaultError('not_granted')
  return opened
}

const team = z.strictObject({ teamId: z.string() })

/** The owner that a call names; null if it names none. */
function nameOwner(given: Given): OwnerParts | null {
  const { userId, owner = userId } = given
  if (typeof owner === 'string') return { kind: 'user', id: owner }
  const parsed = 'owner' in given ? team.safeParse(owner) : null
  return parsed?.success === true ? { kind: 'team', id: parsed.data.teamId } : null
}

/**
 * The text of the owner that a call names; empty for a method for all users.
 *
 * @throws VaultError `invalid_argument`, `not_granted` for a team if the binding's props have no `teams`
 */
function ownerIn(given: Given, { teams }: BindingProps): string {
  if (!('userId' in given) && !('owner' in given)) return ''
  const owner = nameOwner(given)
  requireUserId(owner?.id)
  if (owner?.kind === 'team' && teams !== true) throw new VaultError('not_granted')
  return owner === null ? '' : ownerText(owner)
}

/** @throws VaultError `invalid_argument` */
export function requireUserId(given: unknown): string {
  if (typeof given !== 'string' || nameUserIdFault(given) !== null) {
    throw new VaultError('invalid_argument')
  }
  return given
}

/** Logs and counts a call. */
function report(
  analytics: AnalyticsEngineDataset | null,
  line: Omit<LogFields<'binding_call'>, 'code'>,
  outcome: Outcome | VaultError,
): void {
  const { caller, method: operation, provider, duration_ms } = line
  const counted = { event: 'binding_call', operation, caller, duration_ms } as const
  if (outcome instanceof VaultError) {
    const { code, cause = outcome, isFault } = outcome
    const reason = code === 'provider_unreachable' && { reason: nameCause(cause) }
    const fault = isFault && { error: errorFields(cause) }
    log(isFault ? 'error' : 'info', 'binding_call', { ...line, code, ...reason, ...fault })
    count(analytics, { ...counted, code, provider })
  } else {
    const { response } = outcome
    const answered = response !== undefined && describeUse(response)
    log('info', 'binding_call', { ...line, code: null, ...answered })
    count(analytics, { ...counted, code: null, provider, ...answered })
  }
}

/** The arguments for a log line. Without a service, no slot is known. */
function loggable(
  opened: Service | VaultError,
  given: Given,
): Pick<LogFields<'binding_call'>, 'user_id' | 'provider'> {
  const owner = nameOwner(given)
  const user_id = owner === null ? null : ownerText(owner).slice(0, LOGGED_LENGTH)
  if (!('slot' in given)) return { user_id }
  const isOpen = !(opened instanceof VaultError)
  const name = isOpen ? nameSlot(opened.settings, given.slot) : null
  return { user_id, provider: name === null ? null : encodeSlot(name) }
}
