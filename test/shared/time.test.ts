import * as z from 'zod/mini'
import { expect, it } from 'vitest'
import { expiresAt } from '../../src/shared/time.ts'

it.for<[given: string, taken: string | null]>([
  ['2999-01-31T12:00:00Z', '2999-01-31T12:00:00.000Z'],
  ['2999-01-31T13:00:00+01:00', '2999-01-31T12:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ['9999-12-31T23:00:00-02:00', null],
  ['2020-01-31T12:00:00Z', null],
  ['2999-01-31T12:00:00', null],
  ['2999-01-31', null],
  ['soon', null],
])('takes the expiry %s as %s', ([given, taken]) => {
  const parsed = z.safeParse(expiresAt, given)
  expect(parsed.success ? parsed.data : null).toBe(taken)
})
