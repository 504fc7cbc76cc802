import { expect, it } from 'vitest'
import { nameUserIdFault } from '../../src/shared/user-id.ts'

it.for<[name: string, userId: string, fault: string]>([
  ['an empty id', '', 'is empty'],
  ['an id of one dot', '.', 'is "." or "..", which cannot be in a URL'],
  ['an id of two dots', '..', 'is "." or "..", which cannot be in a URL'],
  ['an id of 2,001 characters', 'x'.repeat(2_001), 'is over 2,000 characters'],
  ['an id of 1,001 emoji, each of two code units', '😀'.repeat(1_001), 'is over 2,000 characters'],
  ['a lone high surrogate', 'a\uD800', 'is not well-formed Unicode'],
  ['a lone low surrogate', '\uDC00a', 'is not well-formed Unicode'],
])('refuses %s', ([, userId, fault]) => {
  expect(nameUserIdFault(userId)).toBe(fault)
})

it.for<[name: string, userId: string]>([
  ['2,000 characters', 'x'.repeat(2_000)],
  ['1,000 emoji', '😀'.repeat(1_000)],
  ['three dots', '...'],
  ['a slash', 'one/slash'],
  ['an escape', '%2e'],
  ['a NUL', 'n\u0000ul'],
  ['a space alone', ' '],
])('accepts an id of %s', ([, userId]) => {
  expect(nameUserIdFault(userId)).toBeNull()
})
