/** The forms of variables that several rooms parse. An error says what the value must be, and never the value. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from './confidential-url.ts'

/** A text that is compared exactly. */
export const exactText = z
  .string('must be a string')
  .check(z.refine((text) => text === text.trim(), 'has white space around it'))

export const confidentialUrl = z
  .string('must be a string')
  .check(
    z.refine(
      isConfidentialUrl,
      'must be an https: URL without a password; http: is only for localhost',
    ),
  )

/** Each item of a comma-separated list is one of `item`. */
export function listOf<Item extends z.ZodMiniType<unknown, string>>(
  item: Item,
  fault = 'must be a string',
) {
  return z.pipe(
    z.pipe(
      z.string(fault),
      z.transform((text) => splitList(text)),
    ),
    z.array(item),
  )
}

export const flag = z.enum(['true', 'false'], 'must be "true" or "false"')

/** The items of a comma-separated list. It is empty if `text` is not a string. */
export function splitList(text: unknown): string[] {
  return typeof text === 'string' ? text.split(',').map((item) => item.trim()) : []
}
