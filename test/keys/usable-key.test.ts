/** A key is read for its provider from the one row of its slot. */

import { expect, it } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { readUsableKey, readUsableRow } from '../../src/keys/usable-key.ts'
import { env } from '../isolate.ts'
import { ownerOf, someKey, someKeyUser, someUser } from '../support.ts'

it('reads the key of a slot, which it opens', async () => {
  const apiKey = someKey()
  const owner = await ownerOf(await someKeyUser(apiKey))
  expect(await readUsableKey(owner, 'openai')).toMatchObject({ state: 'open', apiKey })
})

it('reads no key from an empty slot', async () => {
  const owner = await ownerOf(await someUser())
  expect(await readUsableKey(owner, 'openai')).toEqual({ state: 'empty' })
  expect(await readUsableRow(owner, 'openai')).toBeNull()
})

it('refuses a user who does not exist', async () => {
  const owner = await ownerOf('nobody')
  await expect(readUsableKey(owner, 'openai')).rejects.toMatchObject({ code: 'user_not_found' })
})

it('reads a key of the plain route from the slot of DEFAULT_PROVIDER', async () => {
  const apiKey = someKey()
  const userId = await someUser()
  await saveSlot(await ownerOf(userId), 'default', { apiKey, verify: false })
  const owner = await ownerOf(userId, { ...env, DEFAULT_PROVIDER: 'openai' })
  expect(await readUsableRow(owner, 'openai')).toMatchObject({ provider: 'openai' })
  expect(await readUsableKey(owner, 'openai')).toMatchObject({ state: 'open', apiKey })
})
