/** Who calls through a service binding, and what its `props` let it do: nothing, where they say nothing. */

import * as z from 'zod/mini'
import type { ErrorCode } from '../errors.ts'

const grants = z.array(z.enum(['use', 'reveal', 'users']))

/** What a binding may be granted: to use keys, to be told them, to add and delete users. */
export type Grant = z.output<typeof grants>[number]

const props = z.strictObject({
  /** The bound Worker's name, for the log. */
  caller: z.string().check(z.regex(/^[\w.-]{1,64}$/)),
  grants,
  /** The slots that it may touch; left out, all. */
  providers: z.optional(z.array(z.string())),
})

/** The `props` of a binding: `[services.props]` in the caller's wrangler.toml. */
export type BindingProps = z.output<typeof props>

const NOBODY: BindingProps = { caller: 'unknown', grants: [], providers: [] }

/** Reads a binding's `props`. Of what is not exactly as it should be, nothing is granted. */
export function readProps(value: unknown): BindingProps {
  const parsed = props.safeParse(value)
  return parsed.success ? parsed.data : NOBODY
}

/** Why a call came to nothing: its own reasons, and those of the HTTP contract. */
export type RefusalCode =
  | 'not_granted'
  | 'provider_not_granted'
  | 'invalid_argument'
  | 'origin_not_allowed'
  | 'no_api_key'
  | 'api_key_unreadable'
  | 'provider_unreachable'
  | ErrorCode

/** A refusal of a call, thrown where it is found; a binding's caller gets its code. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: RefusalCode

  constructor(code: RefusalCode, options?: ErrorOptions) {
    super(code, options)
    this.code = code
  }
}

/** @throws Refusal `not_granted` */
export function requireGrant({ grants: granted }: BindingProps, grant: Grant): void {
  if (!granted.includes(grant)) throw new Refusal('not_granted')
}

/** @throws Refusal `provider_not_granted` */
export function requireProvider({ providers }: BindingProps, name: string): void {
  if (providers?.includes(name) === false) throw new Refusal('provider_not_granted')
}

/**
 * What a caller sends is checked like all input: types do not cross a binding.
 *
 * @throws Refusal `invalid_argument`
 */
export function requireText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new Refusal('invalid_argument')
  return value
}
