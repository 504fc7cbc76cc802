/** The providers by the name of their slot: the built-in ones, and those that `PROVIDERS` sets. */

import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { isJsonObject, parseJson } from '../shared/json.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import {
  exactText,
  orNull,
  tableOf,
  withDefault,
  type Refuse,
  type Values,
} from '../shared/variable.ts'
import { BUILT_IN } from './built-in.ts'
import { provider, type Provider } from './provider.ts'

/** Every available provider by the name of its slot. */
export type Providers = ReadonlyMap<string, Provider>

/** Whether a slot may have this name. */
export function isProviderName(name: string): boolean {
  return /^[a-z][a-z0-9-]{0,39}$/.test(name) && name !== DEFAULT_SLOT
}

const table = tableOf(provider, 'must be a table of providers').check(
  z.refine(
    (entries) => Object.keys(entries).every(isProviderName),
    'has an invalid provider name: use lower-case letters, digits and hyphens, and not "default"',
  ),
)

/**
 * `PROVIDERS`: a table or its JSON. A field replaces the same field of a built-in provider. Tests check the built-in ones,
 * so that the first request need not: it took a third of its time.
 */
export const providers = z.pipe(
  z.pipe(z.transform(completeGiven), table),
  z.transform((given): Providers => new Map(Object.entries({ ...BUILT_IN, ...given }))),
)

/** The variables of providers. */
export const providerVariables = {
  PROVIDERS: withDefault(providers, new Map(Object.entries(BUILT_IN))),
  DEFAULT_PROVIDER: orNull(exactText),
}

/** The provider of the plain route's keys; null if there is none. The plain route takes no base URL. */
export function readDefaultProvider(
  { PROVIDERS: known, DEFAULT_PROVIDER: name }: Values<typeof providerVariables>,
  refuse: Refuse<keyof typeof providerVariables>,
): string | null {
  if (name === null || known.get(name)?.origin !== undefined) return name
  refuse('DEFAULT_PROVIDER', 'must be the name of a provider with an origin')
  return null
}

/**
 * The provider of a slot; null for the default slot, which has none.
 *
 * @throws VaultError `unknown_provider`
 */
export function findProvider(known: Providers, slotName: string): Provider | null {
  if (slotName === DEFAULT_SLOT) return null
  const found = known.get(slotName)
  if (found !== undefined) return found
  const detail = `Known providers: ${[...known.keys()].join(', ')}.`
  throw new VaultError('unknown_provider', { detail })
}

/** The providers that are given, with the fields that they keep of built-in ones; null if it is not a table. */
function completeGiven(given: unknown): unknown {
  const added = typeof given === 'string' ? parseJson(given) : (given ?? {})
  if (!isJsonObject(added)) return null
  const fields = Object.entries(added).map(([name, value]) => {
    const known = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined
    return [name, isJsonObject(value) ? { ...inherited(known, value), ...value } : value]
  })
  return Object.fromEntries(fields)
}

/** The built-in fields that `value` keeps. A key for another host must never go to the built-in host. */
function inherited(known: Partial<Provider> = {}, value: Record<string, unknown>) {
  if (value['origin'] === undefined && value['hosts'] === undefined) return known
  const { origin: _, probe, exhausted, ...others } = known
  return {
    ...others,
    ...(probe?.startsWith('https:') === false && { probe }),
    ...(value['hosts'] === undefined && exhausted !== undefined && { exhausted }),
  }
}
