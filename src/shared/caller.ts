/** The name of a caller: its kind, which is the door that it comes through, and its name at that door. */

const WORKER = String.raw`[\w.-]{1,64}`
const CLIENT = '[!-~]{1,200}'

/** The name that a bound Worker has in its `props`. */
export const WORKER_NAME = new RegExp(`^${WORKER}$`)
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
