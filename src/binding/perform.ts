/** Does the work of a method if the binding grants it. Each call is logged and counted. */

import { count } from '../counters.ts'
import { VaultError } from '../errors.ts'
import { requireRate } from '../keys/rate.ts'
import { nameSlot } from '../keys/slot-name.ts'
import { errorFields, log, nameCause } from '../log.ts'
import type { LogFields } from '../log-lines.ts'
import { openFront, openService, type Service } from '../service.ts'
import type { BindingProps, Grant } from '../shared/binding-props.ts'
import { bindingCaller } from '../shared/caller.ts'
import { readProps, requireGrant } from './props.ts'

/** Of a user id. */
const LOGGED_LENGTH = 200

/** The grants that take a key. A move of users may need many calls of the others. */
const LIMITED: ReadonlySet<Grant> = new Set(['use', 'reveal'])

/** The result of a method. */
export interface Outcome {
  /** The provider's answer to a use. */
  response?: Response
}

/** The arguments of a call. They are unchecked: a binding does not enforce types. */
export interface About {
  user_id: unknown
  provider?: unknown
}

export interface Method<T extends object> {
  method: string
  grant: Grant
  /** The user and the slot, for the log. */
  about: About
  work: (service: Service, props: BindingProps, requestId: string) => Promise<T>
}

/** Does the work if the binding grants it. It logs and counts each call with its caller and its outcome. */
export async function perform<T extends object & Outcome>(
  env: Env,
  { props: given }: ExecutionContext,
  { method, grant, about, work }: Method<T>,
): Promise<T | VaultError> {
  const startedAt = Date.now()
  const props = readProps(given)
  const caller = bindingCaller(props.caller)
  const request_id = crypto.randomUUID()
  const opened = await openService(env).catch((error: unknown) => VaultError.from(error))
  const call = { request_id, caller, method, ...loggable(opened, about) }
  const times = () => ({ duration_ms: Date.now() - startedAt })
  const counted = { event: 'binding_call', operation: method, caller } as const
  const { analytics } = openFront(env)
  try {
    requireGrant(props, grant)
    if (opened instanceof VaultError) throw opened
    if (LIMITED.has(grant)) {
      await requireRate(opened.settings.callerLimiter, caller)
    }
    const outcome = await work(opened, props, request_id)
    const { response } = outcome
    const answered = response !== undefined && { provider_status: response.status }
    log('info', 'binding_call', { ...call, code: null, ...answered, ...times() })
    const { provider } = call
    count(analytics, { ...counted, code: null, provider, ...answered, ...times() })
    return outcome
  } catch (error) {
    const refusal = VaultError.from(error)
    logRefusal(refusal, { ...call, ...times() })
    count(analytics, { ...counted, code: refusal.code, ...times() })
    return refusal
  }
}

function logRefusal(refusal: VaultError, call: Omit<LogFields<'binding_call'>, 'code'>): void {
  const { code, cause = refusal, isFault } = refusal
  const reason = code === 'provider_unreachable' && { reason: nameCause(cause) }
  const fault = isFault && { error: errorFields(cause) }
  log(isFault ? 'error' : 'info', 'binding_call', { ...call, code, ...reason, ...fault })
}

/** The arguments for a log line. Without a service, no slot is known. */
function loggable(
  opened: Service | VaultError,
  about: About,
): Pick<LogFields<'binding_call'>, 'user_id' | 'provider'> {
  const { user_id: userId } = about
  const user_id = typeof userId === 'string' ? userId.slice(0, LOGGED_LENGTH) : null
  if (!('provider' in about)) return { user_id }
  const isOpen = !(opened instanceof VaultError)
  return { user_id, provider: isOpen ? nameSlot(opened.settings, about.provider) : null }
}
