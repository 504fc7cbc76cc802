/** `ETag`, `If-Match` and `If-None-Match` (RFC 9110 §8.8.3, §13.1): a client changes only what it has seen. */

import type { Context } from 'hono'
import type { Condition } from '../store/versions.ts'

/**
 * The entity tag of a key: when it was saved. Its status and its last use change without another tag, since
 * a tag names the key, not the bytes of an answer.
 */
export function entityTag(updatedAt: string): string {
  return `"${updatedAt}"`
}

/** What the request asks of the slot; null if nothing. An `If-None-Match` with tags asks nothing of a change. */
export function readPrecondition({ req }: Context): Condition | null {
  const match = req.header('If-Match')
  if (match !== undefined) {
    return match.trim() === '*'
      ? { kind: 'present' }
      : { kind: 'one of', versions: match.split(',').map(versionOf) }
  }
  return req.header('If-None-Match')?.trim() === '*' ? { kind: 'empty' } : null
}

/** A proxy that compresses answers makes their tags weak. That changes nothing of the key. */
function versionOf(tag: string): string {
  return /^(?:W\/)?"(.*)"$/.exec(tag.trim())?.[1] ?? ''
}
