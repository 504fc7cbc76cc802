/** Why the service refuses: a stable code, what is wrong, and when to try again. */

import type { ErrorCode, FaultCode } from './shared/error-code.ts'

interface VaultErrorOptions {
  /** What is wrong with this request, as a sentence. Never holds what was sent. */
  detail?: string
  /** Seconds until another attempt may succeed. */
  retryAfter?: number
  /** For the log alone. */
  cause?: unknown
}

const FAULTS: Record<FaultCode, true> = {
  internal: true,
  server_misconfigured: true,
  database_busy: true,
  token_keys_unreachable: true,
  unhealthy: true,
}

/** A refusal, thrown where it is found. The door that it leaves by says it in its own way. */
export class VaultError extends Error {
  override readonly name = 'VaultError'
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, { detail, retryAfter, cause }: VaultErrorOptions = {}) {
    // A refusal says all that there is to know. Its stack would take 15 µs, and nobody would read it.
    const { stackTraceLimit } = Error
    if (!(code in FAULTS)) Error.stackTraceLimit = 0
    super(detail ?? code, { cause })
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.detail = detail
    this.retryAfter = retryAfter
  }

  /** Whether the service is at fault, not the request: its log then says what happened. */
  get isFault(): boolean {
    return this.code in FAULTS
  }

  /** `error` itself if it is a VaultError. Anything else is a fault of the service: `internal`. */
  static from(error: unknown): VaultError {
    return error instanceof VaultError ? error : new VaultError('internal', { cause: error })
  }
}
