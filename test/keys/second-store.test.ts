/** The second store is where the settings say, and tombstones in another place are not overlooked. */

import { runInDurableObject } from 'cloudflare:test'
import { emptyVault, env } from '../isolate.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { runJob } from '../../src/jobs.ts'
import { askStore, refuseOthers } from '../../src/keys/second-store.ts'
import { openService } from '../../src/service.ts'
import { recordLogs } from '../support.ts'
import { EMPTY_STORE, SELECT_MOVES } from './moved-tombstones.ts'
import {
  age,
  bury,
  deletionsInPlaces,
  heartbeat,
  rowsOf,
  someCopiedOwner,
  someVault,
} from './restoration.ts'

beforeEach(emptyVault)

/** A vault whose second store is in a jurisdiction. */
function vaultIn(place: string) {
  const { DELETIONS, asked } = deletionsInPlaces()
  const changes = { DELETIONS, DELETIONS_JURISDICTION: place }
  const vault: Env = Object.assign({ ...env }, changes)
  return { changes, vault, asked, at: DELETIONS }
}

async function openSecondStore(vault: Env) {
  const { settings } = await openService(vault)
  if (settings.deletions === null) throw new Error('There is no second store.')
  return settings.deletions
}

/** Stores tombstones outside of any jurisdiction. */
const storeOutside = async (...identities: string[]) =>
  env.DELETIONS.getByName('deletions').exchange(0, identities)

/** Does what an operator does in Cloudflare's dashboard. @returns the first column */
const queryOutside = async (sql: string) =>
  runInDurableObject(env.DELETIONS.getByName('deletions'), (_, { storage }) =>
    [...storage.sql.exec(sql).raw<[string]>()].map(([text]) => text),
  )

it.for([
  ['', 'outside'],
  ['eu', 'eu'],
  ['us', 'us'],
  ['fedramp', 'fedramp'],
] as const)(
  'DELETIONS_JURISDICTION="%s" asks the store that is %s',
  async ([jurisdiction, place]) => {
    const { vault, asked, at } = vaultIn(jurisdiction)
    const second = await openSecondStore(vault)
    await askStore(second, async (store) => store.exchange(0, ['one']))
    expect(asked).toEqual([place])
    const placed = place === 'outside' ? at : at.jurisdiction(place)
    expect(await placed.getByName('deletions').isGone('one')).toBe(true)
  },
)

it('a store that cannot be opened is busy', async () => {
  const second = await openSecondStore(vaultIn('eu').vault)
  // workerd has no jurisdictions.
  const { DELETIONS: namespace } = env
  const asked = askStore({ ...second, namespace }, async (store) => store.isEmpty())
  await expect(asked).rejects.toMatchObject({ code: 'database_busy', retryAfter: 1 })
})

describe('tombstones outside of the jurisdiction', () => {
  it('nobody looks for them without DELETIONS_JURISDICTION, or without a second store', async () => {
    await storeOutside('old')
    const { vault, asked } = vaultIn('')
    await refuseOthers({ deletions: await openSecondStore(vault) })
    await refuseOthers({ deletions: null })
    expect(asked).toEqual([])
  })

  it('the job copies nothing while there are some, and logs what to do', async () => {
    await storeOutside('old')
    await bury(['new'])
    const { vault, at, asked } = vaultIn('eu')
    const [before, logs] = [await heartbeat(), recordLogs()]
    const refused = { code: 'server_misconfigured' }
    await expect(runJob(vault, 'copyDeletions')).rejects.toMatchObject(refused)
    const [line] = logs.events()
    expect(line).toMatchObject({ ...refused, event: 'deletions_not_copied' })
    expect(line?.['error']).toMatchObject({
      message:
        'tombstones are outside of DELETIONS_JURISDICTION; move or delete them as docs/eu.md says',
    })
    expect(asked).toEqual(['outside'])
    expect(await rowsOf('SELECT identity FROM gone_keys')).toEqual([{ identity: 'new' }])
    expect(await heartbeat()).toEqual(before)
    expect(await at.jurisdiction('eu').getByName('deletions').isEmpty()).toBe(true)
  })

  it('the job copies into the jurisdiction, and not outside of it', async () => {
    await bury(['new'])
    const { vault, at } = vaultIn('eu')
    await runJob(vault, 'copyDeletions')
    expect(await rowsOf('SELECT identity FROM gone_keys')).toEqual([])
    expect(await at.jurisdiction('eu').getByName('deletions').isGone('new')).toBe(true)
    expect(await at.getByName('deletions').isEmpty()).toBe(true)
  })

  it('the job copies nothing if the store outside cannot be asked', async () => {
    await bury(['new'])
    const { vault, at } = vaultIn('eu')
    const getByName = () => {
      throw new Error('Network connection lost')
    }
    const broken: Env = Object.assign({ ...vault }, { DELETIONS: { ...at, getByName } })
    recordLogs()
    const busy = { code: 'database_busy' }
    await expect(runJob(broken, 'copyDeletions')).rejects.toMatchObject(busy)
    expect(await rowsOf('SELECT identity FROM gone_keys')).toEqual([{ identity: 'new' }])
  })

  it('a use asks the store in the jurisdiction alone', async () => {
    const { userId } = await someCopiedOwner()
    await storeOutside('old')
    await age(10)
    const { changes, asked } = vaultIn('eu')
    expect(await someVault(changes).use(userId)).toBe(200)
    expect(asked).toEqual(['eu'])
  })

  it('an operator moves them into the jurisdiction by way of the database', async () => {
    await storeOutside('one', 'two')
    await bury(['two'])
    const moves = await queryOutside(SELECT_MOVES)
    await env.DB.exec(moves.join('\n'))
    await queryOutside(EMPTY_STORE)
    const { vault, at } = vaultIn('eu')
    await runJob(vault, 'copyDeletions')
    const store = at.jurisdiction('eu').getByName('deletions')
    expect([await store.isGone('one'), await store.isGone('two')]).toEqual([true, true])
    expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
  })
})
