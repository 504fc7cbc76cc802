/** A user of whom the vault knows all that it can know. */

import { importRows } from '../../src/import/imported-keys.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { beginPass, readPass, savePass } from '../../src/keys/rewrap-pass.ts'
import { deleteSlot, setLimits } from '../../src/keys/slots.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { ownerOf } from '../support.ts'
import { goodKey, someVault } from './restoration.ts'

/** Adds a user of whom every table has something, and after whose row a pass of the rewrap job is. */
export async function someKnown(vault: Env) {
  const userId = `zoë+${crypto.randomUUID()}@example.com`
  const apiKey = goodKey()
  const service = await openService(vault)
  await importRows(env.DB, [{ userId, provider: 'acme', savedAt: '2026-01-01', token: 'gAAAA' }])
  await copyDeletions(service)
  const { save, use } = someVault()
  await save(userId, apiKey)
  const owner = await ownerOf(userId, vault)
  await setLimits(owner, 'openai', { maxUses: { count: 5, per: 'month' }, condition: null })
  await deleteSlot(owner, 'default')
  await use(userId)
  await beginPass(service)
  await passUser(userId, vault)
  return { userId, apiKey }
}

/** Moves the pass of the rewrap job to after a row of the user. */
export async function passUser(userId: string, vault: Env): Promise<void> {
  const pass = await readPass(await openService(vault))
  if (pass === null) throw new Error('There is no pass')
  await savePass(env.DB, { ...pass, last: { userId, identity: '~' } }, false)
}
