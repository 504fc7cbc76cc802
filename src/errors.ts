/** The error that every refusal throws: a stable code, what is wrong, and when to try again. */

import { FAULTS, type ErrorCode, type WaitCode } from './shared/error-code.ts'
import type { KeyReason } from './shared/key-text.ts'

interface Options {
  /** What is wrong with this request, as a sentence. It never quotes what was sent. */
  detail?: string | undefined
  /** Why a value is not an API key. */
  reason?: KeyReason | undefined
  /** Which of its characters is wrong: code points, from 0. */
  index?: number | undefined
  /** For the log only. */
  cause?: unknown
}

/**
 * The code of a refusal that passes by itself comes with the seconds until another attempt may succeed. No other code does.
 */
type Refusal =
  | [code: WaitCode, options: Options & { retryAfter: number }]
  | [code: Exclude<ErrorCode, WaitCode>, options?: Options & { retryAfter?: never }]

declare global {
  interface ErrorConstructor {
    /** V8 has it. The types of a Worker lack it, and the routes may be mounted in any Worker. */
    stackTraceLimit: number
  }
}

/** A refusal. HTTP, the binding and the commands each report it in their own form. */
export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly reason: KeyReason | undefined
  readonly index: number | undefined
  readonly retryAfter: number | undefined

  constructor(...[code, options = {}]: Refusal) {
    const { detail, reason, index, retryAfter, cause } = options
    // A refusal needs no stack: its code says everything, and a stack takes 15 µs.
    const { stackTraceLimit } = Error
    if (!(code in FAULTS)) Error.stackTraceLimit = 0
    super(detail ?? code, { cause })
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.detail = detail
    this.reason = reason
    this.index = index
    this.retryAfter = retryAfter
  }

  /** Whether the service is at fault, not the request. The log then says what happened. */
  get isFault(): boolean {
    return this.code in FAULTS
  }

  /** Returns `error` if it is a VaultError, otherwise an `internal` one that holds it as its cause. */
  static from(error: unknown): VaultError {
    return error instanceof VaultError ? error : new VaultError('internal', { cause: error })
  }
}
