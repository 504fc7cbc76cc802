/** The second store, which remembers the keys that are gone. Each test has a store of its own. */

import { env } from './isolate.ts'
import { expect, it } from 'vitest'
import { EXCHANGED_AT_ONCE } from '../src/deletions.ts'

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

const someStore = () => env.DELETIONS.getByName(crypto.randomUUID())

it('an exchange returns the tombstones that were stored before it, after the given number', async () => {
  const store = someStore()
  const first = await store.exchange(0, ['one'])
  expect(first).toMatchObject({ missing: [], isComplete: true })
  const second = await store.exchange(first.copied, ['two'])
  expect(second).toMatchObject({ missing: [], isComplete: true })
  const third = await store.exchange(first.copied, ['three'])
  expect(third).toMatchObject({ missing: ['two'], isComplete: true })
  const all = await store.exchange(0, [])
  expect(all.missing).toEqual(['one', 'two', 'three'])
  expect((await store.exchange(all.copied, [])).missing).toEqual([])
})

it.for([
  [EXCHANGED_AT_ONCE - 1, EXCHANGED_AT_ONCE - 1, true],
  [EXCHANGED_AT_ONCE, EXCHANGED_AT_ONCE, false],
  [EXCHANGED_AT_ONCE + 1, EXCHANGED_AT_ONCE, false],
] as const)(
  'an exchange with %i missing tombstones returns %i, and is complete: %s',
  async (row) => {
    const [stored, returned, isComplete] = row
    const store = someStore()
    const { copied } = await store.exchange(0, numbered(stored))
    const exchange = await store.exchange(0, [])
    expect(exchange.missing).toEqual(numbered(returned))
    expect(exchange.isComplete).toBe(isComplete)
    const left = await store.exchange(exchange.copied, [])
    expect([left.missing.length, left.copied]).toEqual([stored - returned, copied])
  },
)

it('an exchange that is not complete leaves what it stores for the next one', async () => {
  const store = someStore()
  await store.exchange(0, numbered(EXCHANGED_AT_ONCE))
  const { copied } = await store.exchange(0, ['later'])
  expect((await store.exchange(copied, [])).missing).toEqual(['later'])
})

it('a tombstone that is stored twice keeps its number', async () => {
  const store = someStore()
  const { copied } = await store.exchange(0, ['one'])
  expect(await store.exchange(copied, ['one', 'two'])).toMatchObject({ missing: [] })
  expect((await store.exchange(copied, [])).missing).toEqual(['two'])
  expect((await store.exchange(0, [])).missing).toEqual(['one', 'two'])
})

it('tombstones that were all stored before do not change the number', async () => {
  const store = someStore()
  const { copied } = await store.exchange(0, ['one', 'two'])
  expect(await store.exchange(copied, ['two', 'one'])).toMatchObject({ copied, isComplete: true })
})

it('a new store counts on from the number in D1, since the old one was lost', async () => {
  const store = someStore()
  const lost = Date.now() + 1_000_000
  expect((await store.exchange(lost, ['one'])).copied).toBe(lost + 1)
  expect((await store.exchange(lost, [])).missing).toEqual(['one'])
})

it('a new store without tombstones keeps the number in D1', async () => {
  expect((await someStore().exchange(7, [])).copied).toBe(7)
})

it('a number begins with the time, so that it is higher than that of a lost store', async () => {
  const before = Date.now()
  expect((await someStore().exchange(0, ['one'])).copied).toBeGreaterThanOrEqual(before)
})

it('a store is empty until it has a tombstone', async () => {
  const store = someStore()
  expect(await store.isEmpty()).toBe(true)
  await store.exchange(0, [])
  expect(await store.isEmpty()).toBe(true)
  await store.exchange(0, ['one'])
  expect(await store.isEmpty()).toBe(false)
})

it('an identity is gone if its tombstone is stored, and no other one is', async () => {
  const store = someStore()
  await store.exchange(0, ['one'])
  expect([await store.isGone('one'), await store.isGone('two')]).toEqual([true, false])
})
