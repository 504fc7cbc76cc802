/** What a host application gives the element, and what it hears from it. */

// Without file extensions: an application that uses the React component checks this file with its own
// compiler options, which may not allow them.
import type { ErrorCode } from '../../shared/error-code'
import type { KeyStatus } from '../../shared/slot'

/**
 * Returns the signed-in user's access token. With `refresh`, it returns a new one: the service did not
 * accept the last one.
 */
export type GetToken = (options: { refresh: boolean }) => string | Promise<string>

/** Codes of failures without an answer of the service. */
type WayCode = 'offline' | 'unreachable' | 'no_answer' | 'not_an_answer'

export type ProblemCode = ErrorCode | WayCode

/** `detail` of the event `saved`. */
export interface SavedDetail {
  provider: string
  preview: string
  status: KeyStatus
}

/** `detail` of the event `deleted`. */
export interface DeletedDetail {
  provider: string
}

/** `detail` of the event `error`. */
export interface ErrorDetail {
  code: ProblemCode
  /** As the user reads it. */
  message: string
  requestId: string | null
}
