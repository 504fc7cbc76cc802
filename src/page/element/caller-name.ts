/** The name of a caller, as the owner of a key reads it. */

import type { Language } from './language.ts'

/** Distinguishes a client of the relay and a server from a bound Worker, which may have the same name. */
export function nameCaller(caller: string, say: Language['say']): string {
  const name = caller.replace(/^(binding|relay|server):/, '')
  return caller.startsWith('binding:') ? name : say('viaApi', { caller: name })
}
