/** Support sees what an owner sees, and the owner sees that. */

import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { someKeyOf, someOwner, sum } from '../keys/key-owner.ts'
import { someUser } from '../support.ts'

const DESK = { caller: 'desk', grants: ['support'] }
const binding = exports.KeyVault({ props: DESK })

it('shows slots and events as their owner sees them, and no key', async () => {
  const key = someKeyOf('good')
  const { userId, save, events, list } = await someOwner()
  await save(key)
  const listed = await binding.listSlots(userId)
  const { api_keys } = (await list()).body
  expect(listed).toEqual({ ok: true, slots: api_keys })
  const shown = await events('?provider=openai')
  const seen = await binding.listEvents(userId, { provider: 'openai' })
  expect(seen).toEqual({ ok: true, events: shown, nextCursor: null })
  expect(JSON.stringify([listed, seen])).not.toContain(key)
})

it.for<[query: object]>([
  [{ limit: 0 }],
  [{ limit: 201 }],
  [{ cursor: 5 }],
  [{ providers: ['openai'] }],
  [['openai']],
  [[null]],
])('refuses to list events by %j', async ([query]) => {
  const refusal = { ok: false, code: 'invalid_argument' }
  expect(await binding.listEvents(await someUser(), Object(query))).toEqual(refusal)
})

it('notes each look, pause and deletion with the caller', async () => {
  const { userId, save, bound, events } = await someOwner()
  await save(someKeyOf('good'))
  await bound(async (vault) => vault.listSlots(userId), DESK)
  await bound(async (vault) => vault.pauseKey(userId, 'openai'), DESK)
  await bound(async (vault) => vault.deleteKey(userId, 'openai'), DESK)
  const byDesk = { by: 'caller', caller: 'binding:desk' }
  expect((await events()).slice(1)).toMatchObject([
    { ...byDesk, provider: 'openai', event: 'paused' },
    { ...byDesk, provider: 'openai', event: 'deleted' },
    { ...byDesk, ...sum, provider: '*', event: 'viewed' },
  ])
})

it('notes no key that a caller gives as the name of a slot', async () => {
  const { userId, bound, events } = await someOwner()
  const key = someKeyOf('good')
  await bound(async (vault) => vault.listEvents(userId, { provider: key }))
  await bound(async (vault) => vault.listEvents(userId, { provider: 'openai' }))
  const viewed = (await events()).map(({ provider }) => provider)
  expect(viewed.toSorted()).toEqual(['*', 'openai'])
})

it('says which user or key there is not', async () => {
  expect(await binding.listSlots('nobody')).toEqual({ ok: false, code: 'user_not_found' })
  expect(await binding.listEvents('nobody')).toEqual({ ok: false, code: 'user_not_found' })
  const userId = await someUser()
  expect(await binding.pauseKey(userId, 'openai')).toEqual({ ok: false, code: 'no_api_key' })
  expect(await binding.deleteKey(userId, 'openai')).toEqual({ ok: true, deleted: false })
})
