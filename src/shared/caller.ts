/** Callers: the way in that each of them uses, its name there, and what a binding lets it do. */

const WORKER = String.raw`[\w.-]{1,64}`
const CLIENT = '[!-~]{1,200}'

/** The name that a bound Worker has in its `props`. */
const WORKER_NAME = new RegExp(`^${WORKER}$`)
/** The name that a token gives its client. It is safe in a log line. */
export const CLIENT_NAME = new RegExp(`^${CLIENT}$`)
export const CALLER_NAME = new RegExp(`^(?:binding:${WORKER}|relay:${CLIENT})$`)

/** A Worker that is bound to the vault. */
export function bindingCaller(worker: string): string {
  return `binding:${worker}`
}

/** A client of the relay; null if its token names none. */
export function relayCaller(client: string | null): string | null {
  return client === null ? null : `relay:${client}`
}

/** What a client may do over HTTP for all users: its scopes name these grants. None implies another one. */
export const SERVER_GRANTS = ['users', 'support', 'save', 'export'] as const
export type ServerGrant = (typeof SERVER_GRANTS)[number]

/** A client that manages users over HTTP. */
export function serverCaller(client: string): string {
  return `server:${client}`
}

const GRANTS = ['use', 'reveal', 'users', 'support', 'save'] as const

/**
 * What a binding can grant: using keys, reading them in the clear, adding and removing users, helping users
 * with their keys without seeing one, or saving keys for them.
 */
export type Grant = (typeof GRANTS)[number]

/** The `props` of a binding: `[services.props]` in the caller's wrangler.toml. */
export interface BindingProps {
  /** The bound Worker's name. The log, the trail and the owners' limits have it as `binding:NAME`. */
  caller: string
  grants: Grant[]
  /** The providers and slots that the caller may use. All of them, if it is missing. */
  providers?: string[] | undefined
  /** Whether the caller may say which team a user is in. The vault believes it. */
  teams?: boolean | undefined
}

/** Whether a value is the `props` of a binding, with nothing else in it. Each call checks it, and a schema took 10 µs. */
export function isBindingProps(value: unknown): value is BindingProps {
  if (typeof value !== 'object' || value === null) return false
  const props: Record<string, unknown> = { ...value }
  const { caller, grants, providers = [], teams = false, ...others } = props
  return (
    typeof caller === 'string' &&
    WORKER_NAME.test(caller) &&
    isListOf(grants, (grant) => GRANTS.some((one) => one === grant)) &&
    isListOf(providers, (name) => typeof name === 'string') &&
    typeof teams === 'boolean' &&
    Object.keys(others).length === 0
  )
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem)
}
