/** The second store, which remembers the keys that are gone. Each test has a store of its own. */

import { env } from './isolate.ts'
import { expect, it } from 'vitest'
import { EXCHANGED_AT_ONCE } from '../src/deletions.ts'
import type { GoneKey } from '../src/shared/gone-key.ts'

const KEY: GoneKey = { userId: 'a', provider: 'openai', version: 'v', goneAt: '2' }
const keyOf = (userId: string): GoneKey => ({ ...KEY, userId })
const numbered = (count: number): GoneKey[] =>
  Array.from({ length: count }, (_, index) => ({ ...KEY, version: `${index}` }))

const someStore = () => env.DELETIONS.getByName(crypto.randomUUID())

it('an exchange returns the keys that were stored before it, after the given number', async () => {
  const store = someStore()
  const [one, two, three] = [keyOf('one'), keyOf('two'), keyOf('three')]
  const first = await store.exchange(0, [one])
  expect(first).toMatchObject({ missing: [], isComplete: true })
  const second = await store.exchange(first.copied, [two])
  expect(second).toMatchObject({ missing: [], isComplete: true })
  expect(await store.exchange(first.copied, [three])).toMatchObject({
    missing: [two],
    isComplete: true,
  })
  const all = await store.exchange(0, [])
  expect(all.missing).toMatchObject([one, two, three])
  expect((await store.exchange(all.copied, [])).missing).toEqual([])
})

it.for([
  [EXCHANGED_AT_ONCE - 1, EXCHANGED_AT_ONCE - 1, true],
  [EXCHANGED_AT_ONCE, EXCHANGED_AT_ONCE, false],
  [EXCHANGED_AT_ONCE + 1, EXCHANGED_AT_ONCE, false],
] as const)('an exchange with %i missing keys returns %i, and is complete: %s', async (row) => {
  const [stored, returned, isComplete] = row
  const store = someStore()
  const { copied } = await store.exchange(0, numbered(stored))
  const exchange = await store.exchange(0, [])
  expect(exchange.missing).toMatchObject(numbered(returned))
  expect(exchange.isComplete).toBe(isComplete)
  const left = await store.exchange(exchange.copied, [])
  expect([left.missing.length, left.copied]).toEqual([stored - returned, copied])
})

it('a key that is stored twice is the same key', async () => {
  const store = someStore()
  const { copied } = await store.exchange(0, [KEY])
  expect(await store.exchange(copied, [KEY])).toMatchObject({ missing: [] })
  expect((await store.exchange(copied, [])).missing).toEqual([])
  expect((await store.exchange(0, [])).missing).toMatchObject([KEY])
})

it('a key that goes once more later is missing again', async () => {
  const store = someStore()
  const { copied } = await store.exchange(0, [KEY])
  const again = { ...KEY, goneAt: '3' }
  await store.exchange(copied, [again])
  expect((await store.exchange(copied, [])).missing).toMatchObject([again])
  expect((await store.exchange(0, [])).missing).toMatchObject([again])
})

it('a new store counts on from the number in D1, since the old one was lost', async () => {
  const store = someStore()
  const lost = Date.now() + 1_000_000
  expect((await store.exchange(lost, [KEY])).copied).toBe(lost + 1)
  expect((await store.exchange(lost, [])).missing).toMatchObject([KEY])
})

it('a number begins with the time, so that it is higher than that of a lost store', async () => {
  const before = Date.now()
  expect((await someStore().exchange(0, [KEY])).copied).toBeGreaterThanOrEqual(before)
})

it.for<[name: string, isGone: boolean, changes: object]>([
  ['a key that was stored', true, {}],
  [
    'a key in the default slot, from which it was moved before it was stored,',
    true,
    { provider: 'default' },
  ],
  ['the same version in another slot', false, { provider: 'acme' }],
  ['another version', false, { version: 'w' }],
  ['a key of another user', false, { userId: 'b' }],
  ['a row that was made in the millisecond of the deletion', true, { createdAt: '2' }],
  ['a row that an import made after the deletion', false, { createdAt: '3' }],
])('%s is gone: %s', async ([, isGone, changes]) => {
  const store = someStore()
  await store.exchange(0, [KEY])
  expect(await store.isGone({ ...KEY, createdAt: '1', ...changes })).toBe(isGone)
})
