/** What D1's errors mean to a caller: try again, set something, or a fault of ours. */

import { ApiError } from '../errors.ts'

/** The D1 errors that pass by themselves: https://developers.cloudflare.com/d1/observability/debug-d1/ */
const TRANSIENT = /overloaded|to be reset|was reset|DB reset|Network connection lost|transient/

/** For `catch` behind a D1 call. @throws ApiError `server_misconfigured`, `database_busy`, or `cause` */
export function throwApiError(cause: unknown): never {
  const message = String(cause)
  if (message.includes('no such table') || message.includes('no such column')) {
    throw new ApiError('server_misconfigured', {
      cause: new Error('DB lacks the tables: npm run schema -- --remote', { cause }),
    })
  }
  if (!TRANSIENT.test(message)) throw cause
  throw new ApiError('database_busy', { cause, headers: { 'Retry-After': '1' } })
}
