/** `ETag`, `If-Match` and `If-None-Match` (RFC 9110 §8.8.3, §13.1): a client changes only what it has seen. */

import type { Context } from 'hono'
import { VaultError } from '../errors.ts'
import type { Condition } from '../store/slot-check.ts'

/**
 * What the request asks of the slot; null if nothing. An `If-None-Match` with tags asks nothing of a change.
 *
 * @throws VaultError `invalid_precondition`
 */
export function readPrecondition({ req }: Context): Condition | null {
  const match = req.header('If-Match')
  if (match === '*') return { kind: 'present' }
  if (match !== undefined) return { kind: 'tagged', tags: readTags(match) }
  return req.header('If-None-Match') === '*' ? { kind: 'empty' } : null
}

/** A proxy that compresses answers makes their tags weak. That changes nothing of the key. */
const TAG = String.raw`(?:W/)?"[^"]*"`
const TAGS = new RegExp(String.raw`^${TAG}(?:\s*,\s*${TAG})*$`)

function readTags(list: string): string[] {
  if (TAGS.test(list)) return Array.from(list.matchAll(/"([^"]*)"/g), ([, tag = '']) => tag)
  const detail = 'If-Match must be * or a list of entity tags, such as "0123abcd.1".'
  throw new VaultError('invalid_precondition', { detail })
}

/** Sets `ETag` to the tag of the key in the body of an answer, also of one that does not open. An empty slot has none. */
export function tagAnswer(c: Context, answer: object): void {
  const key = 'user' in answer && answer.user instanceof Object ? answer.user : answer
  if ('etag' in key && typeof key.etag === 'string') c.header('ETag', key.etag)
}
