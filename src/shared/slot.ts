/** The slot of the plain route, and what is known about a slot's key. */

import type * as z from 'zod/mini'
import type { keyStatus, verdict } from './answers.ts'

/** The slot of the plain route. It has no provider. */
export const DEFAULT_SLOT = 'default'

/** Whether the provider accepted the stored key, rejected it, or has not said. */
export type KeyStatus = z.infer<typeof keyStatus>

/** A provider's answer to a probe. It is `unknown` if the answer proves nothing. */
export type Verdict = z.infer<typeof verdict>
