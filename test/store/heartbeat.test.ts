import { expect, it } from 'vitest'
import { FRESH_S, isRecent } from '../../src/store/heartbeat.ts'

it.for<[age: number | null, expected: boolean]>([
  [null, false],
  [0, true],
  [FRESH_S - 1, true],
  [FRESH_S, false],
  [1 - FRESH_S, true],
  [-FRESH_S, false],
])('a heartbeat of the age %s is recent: %s', ([age, expected]) => {
  expect(isRecent({ age })).toBe(expected)
})
