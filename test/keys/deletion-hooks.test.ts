import { expect, it } from 'vitest'
import { deletionHooks } from '../../src/keys/deletion-hooks.ts'

const SLOT = { userId: 'ann', names: ['openai'], isKnown: true }

it.for([
  ['notes', true, 1],
  ['does not note', false, 0],
] as const)(
  '%s the deletion of an empty slot if rows are expected: %s',
  ([, isExpected, count]) => {
    expect(deletionHooks(isExpected).flatMap((hook) => hook.slot(SLOT))).toHaveLength(count)
  },
)
