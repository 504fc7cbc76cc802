import { expect, it } from 'vitest'
import { DEMO_KEYS } from '../../../scripts/lib/demo-keys.ts'
import { BUILT_IN } from '../../../src/providers/built-in.ts'
import { DEFAULT_SLOT, splitSlot } from '../../../src/shared/slot.ts'

it('each demo key is in a slot of its own, of a provider that is built in', () => {
  const slots = DEMO_KEYS.map(({ slot }) => slot)
  expect(new Set(slots).size).toBe(slots.length)
  const providers = new Set([DEFAULT_SLOT, ...Object.keys(BUILT_IN)])
  expect(slots.filter((slot) => !providers.has(splitSlot(slot).provider))).toEqual([])
})

it('each demo key says that it is made up', () => {
  const others = DEMO_KEYS.filter(({ apiKey }) => !/made.up.for.the.demo/.test(apiKey))
  expect(others).toEqual([])
})

it('two demo slots have the same key, which is long enough to be told', () => {
  const keys = DEMO_KEYS.map(({ apiKey }) => apiKey)
  const same = keys.filter((key, index) => keys.indexOf(key) !== index)
  expect(same).toHaveLength(1)
  expect(same[0]?.length).toBeGreaterThanOrEqual(20)
})
