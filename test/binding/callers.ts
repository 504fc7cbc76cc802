/** Callers that are bound to the vault, and what the log says of their calls. */

import { createExecutionContext } from 'cloudflare:test'
import { KeyVault } from '../../src/binding/key-vault.ts'
import type { BindingProps } from '../../src/shared/caller.ts'
import { env } from '../isolate.ts'
import { PROVIDER, type recordLogs } from '../support.ts'

export const ALL: BindingProps = {
  caller: 'chat',
  grants: ['use', 'reveal', 'users', 'support', 'save'],
}

export const MODELS = `${PROVIDER}/v1/models`

/** A key that no other test uses. The provider answers as its kind says: see node/provider-server.ts. */
export const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

/** The context of a call over a binding with these props. */
export const contextOf = (props: unknown = ALL) =>
  Object.assign(createExecutionContext(), { props })

/** The vault as a Worker is bound to it. */
export function bindTo(vault?: Partial<Env>, props: object = ALL): KeyVault {
  // Another environment is another isolate, which reads its settings anew.
  return new KeyVault(contextOf(props), vault === undefined ? env : { ...env, ...vault })
}

/** The headers with which vaultFetch names a user and a provider. */
export const named = (userId: string, provider = 'openai') => ({
  headers: { 'X-Vault-User': userId, 'X-Vault-Provider': provider },
})

/** The one line of a call. */
export function lineOf(logs: ReturnType<typeof recordLogs>): Record<string, unknown> {
  const lines = logs.events().filter(({ event }) => event === 'binding_call')
  const [line] = lines
  if (line === undefined || lines.length > 1) throw new Error(`${lines.length} calls were logged`)
  return line
}
