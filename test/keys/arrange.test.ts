/** New names and another order of keys: what changes, what stays as it is, and what is refused. */

import { describe, expect, it } from 'vitest'
import { arrangeKey } from '../../src/keys/arrange.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { deleteSlot, listSlots, setLimits } from '../../src/keys/slots.ts'
import { env } from '../isolate.ts'
import { call, ownerOf, putKey, recordLogs, slotPath, someUser } from '../support.ts'
import { kinds, someKeyOf, someOwner } from './key-owner.ts'

/** An owner with keys in these slots, in their order. */
async function ownerWith(...slots: string[]) {
  const owner = await someOwner()
  const saver = await ownerOf(owner.userId)
  for (const slot of slots) {
    // oxlint-disable-next-line no-await-in-loop -- a key comes after those that are there
    await saveSlot(saver, slot, { apiKey: someKeyOf('good'), verify: false })
  }
  /** The rows in the order of the list: slot, revision and sealed text. */
  const rows = async () => {
    const { results } = await env.DB.prepare(
      `SELECT provider, revision, encrypted_api_key AS sealed FROM api_keys WHERE user_id = ?1
       ORDER BY position, provider`,
    )
      .bind(owner.userId)
      .all<{ provider: string; revision: number; sealed: string }>()
    return results
  }
  const order = async () =>
    (await rows()).map(({ provider, revision }) => `${provider} ${revision}`)
  return { ...owner, rows, order }
}

const shown = (provider: string, revision: number) => {
  const etag = expect.stringMatching(new RegExp(`^"[0-9a-f]{32}\\.${revision}"$`))
  return { status: 200, body: { provider, has_api_key: true, etag } }
}
const refused = (status: number, code: string) => ({ status, body: { code } })

describe('a new label', () => {
  it.for([
    ['openai', 'work', 'openai:work'],
    ['openai:work', 'お仕事', 'openai:お仕事'],
    ['openai:work', 'WORK', 'openai:WORK'],
    ['openai:work', null, 'openai'],
  ] as const)('%s gets the label %j, and is the same key', async ([from, label, to]) => {
    const { limit, rows, get, verify, events } = await ownerWith(from, 'acme')
    const [other, before] = await rows()
    expect(await limit(from, { label })).toMatchObject(shown(to, 2))
    expect(await rows()).toEqual([other, { ...before, provider: to, revision: 2 }])
    expect(await get(to)).toMatchObject(shown(to, 2))
    expect(await verify(to)).toMatchObject({ body: { verdict: 'accepted' } })
    const noted = (await events()).map(({ event, provider, by }) => [event, provider, by])
    expect(noted[2]).toEqual(['renamed', to, 'owner'])
  })

  it('a label that the key has already changes nothing', async () => {
    const { limit, order, events } = await ownerWith('openai:work')
    expect(await limit('openai:work', { label: 'work' })).toMatchObject(shown('openai:work', 1))
    expect([await order(), kinds(await events())]).toEqual([['openai:work 1'], ['saved']])
  })

  it.for<[from: string, label: unknown, status: number, code: string]>([
    ['openai', 'home', 409, 'api_key_exists'],
    ['openai', 'HOME', 409, 'api_key_exists'],
    ['openai:home', null, 409, 'api_key_exists'],
    ['openai:none', 'home', 404, 'no_api_key'],
    ['openai:none', 'other', 404, 'no_api_key'],
    ['openai', 'a b', 400, 'label_invalid'],
    ['openai', '', 400, 'label_invalid'],
    ['openai', 'sk-misplaced', 400, 'label_invalid'],
    ['openai', 7, 400, 'label_invalid'],
    ['openai:a b', 'work', 400, 'label_invalid'],
    ['default', 'work', 400, 'label_invalid'],
    ['nobody', 'work', 404, 'unknown_provider'],
  ])('%s does not get the label %j: %i %s', async ([from, label, status, code]) => {
    const { userId, limit, rows } = await ownerWith('openai', 'openai:home')
    await putKey(userId, someKeyOf('good'))
    const before = await rows()
    expect(await limit(from, { label, position: 1 })).toMatchObject(refused(status, code))
    expect(await rows()).toEqual(before)
  })

  it('a user who does not exist has no key to rename', async () => {
    const owner = await ownerOf(crypto.randomUUID())
    const renamed = arrangeKey(owner, 'openai', { label: 'work', condition: null })
    await expect(renamed).rejects.toMatchObject({ code: 'user_not_found' })
  })

  it('If-Match renames only the key that the client has seen', async () => {
    const { userId, token, order } = await ownerWith('openai')
    const path = slotPath(userId, 'openai')
    const rename = async (tag: string) => {
      const options = { token, headers: { 'If-Match': tag }, body: { label: 'work' } }
      return (await call('PATCH', path, options)).status
    }
    const etag = (await call('GET', path, { token })).headers.get('ETag') ?? ''
    expect(await rename('"0123.1"')).toBe(412)
    expect([await rename(etag), await order()]).toEqual([200, ['openai:work 2']])
  })

  it('a labelled key becomes the one of DEFAULT_PROVIDER, unless the plain route has one', async () => {
    const { userId, order, token } = await ownerWith('openai:work', 'openai:home')
    const isolate = { ...env, DEFAULT_PROVIDER: 'openai' }
    const rename = async (slot: string, label: string | null) =>
      (await call('PATCH', slotPath(userId, slot), { token, env: isolate, body: { label } })).status
    expect(await rename('openai:work', null)).toBe(200)
    expect(await rename('default', 'away')).toBe(200)
    await putKey(userId, someKeyOf('good'))
    expect(await rename('openai:home', null)).toBe(409)
    expect(await order()).toEqual(['openai:away 3', 'openai:home 1', 'openai 1'])
  })

  it('a key that the plain route has, and that does not open, keeps its slot', async () => {
    recordLogs()
    const { userId, rows, token } = await ownerWith('openai:work')
    await putKey(userId, someKeyOf('good'))
    const damage = `UPDATE api_keys SET encrypted_api_key = 'damaged', updated_at = '2026' WHERE user_id = ?1 AND provider = 'default'`
    await env.DB.prepare(damage).bind(userId).run()
    const isolate = { ...env, DEFAULT_PROVIDER: 'openai' }
    const before = await rows()
    for (const [slot, label] of [
      ['openai:work', null],
      ['openai', 'away'],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop
      const answer = await call('PATCH', slotPath(userId, slot), {
        token,
        env: isolate,
        body: { label },
      })
      expect(answer.status).toBe(409)
    }
    expect(await rows()).toEqual(before)
  })
})

describe('another position', () => {
  it('a key that is last stays as it is at any position after it', async () => {
    const { limit, order, events } = await ownerWith('openai', 'openai:work')
    expect(await limit('openai:work', { position: 9 })).toMatchObject(shown('openai:work', 1))
    expect(await order()).toEqual(['openai 1', 'openai:work 1'])
    expect(kinds(await events())).toEqual(['saved', 'saved'])
  })

  const SLOTS = ['openai:a', 'openai', 'openai:b', 'openai:c'] as const

  it.for<[slot: string, position: number, order: string]>([
    ['openai:c', 0, 'openai:c 2 openai:a 1 openai 1 openai:b 1'],
    ['openai:a', 3, 'openai 1 openai:b 1 openai:c 1 openai:a 2'],
    ['openai:a', 9, 'openai 1 openai:b 1 openai:c 1 openai:a 2'],
    ['openai', 2, 'openai:a 1 openai:b 1 openai 2 openai:c 1'],
    ['openai:b', 1, 'openai:a 1 openai:b 2 openai 1 openai:c 1'],
    ['openai:b', 2, 'openai:a 1 openai 1 openai:b 1 openai:c 1'],
  ])('%s moves to %i, and no other revision grows', async ([slot, position, expected]) => {
    const { limit, order, events } = await ownerWith(...SLOTS)
    const isMoved = expected.includes(' 2')
    expect(await limit(slot, { position })).toMatchObject(shown(slot, isMoved ? 2 : 1))
    expect((await order()).join(' ')).toBe(expected)
    const noted = (await events()).slice(4).map(({ event, provider }) => `${event} ${provider}`)
    expect(noted).toEqual(isMoved ? [`moved ${slot}`] : [])
  })

  it('keys of other providers stay where they are', async () => {
    const { limit, order } = await ownerWith('acme:a', 'openai:a', 'acme:b', 'openai:b')
    await limit('openai:b', { position: 0 })
    expect((await order()).toSorted()).toEqual(['acme:a 1', 'acme:b 1', 'openai:a 1', 'openai:b 2'])
  })

  it('a new label and another position are one change', async () => {
    const { limit, order, events } = await ownerWith(...SLOTS)
    const answer = await limit('openai:c', { label: 'z', position: 0 })
    expect(answer).toMatchObject(shown('openai:z', 2))
    expect(await order()).toEqual(['openai:z 2', 'openai:a 1', 'openai 1', 'openai:b 1'])
    expect(kinds(await events()).slice(4)).toEqual(['renamed', 'moved'])
  })

  it('refuses to move a key in an empty slot', async () => {
    const { limit } = await ownerWith('openai:a')
    expect(await limit('openai', { position: 0 })).toMatchObject(refused(404, 'no_api_key'))
  })

  it.for([
    { position: -1 },
    { position: 10 },
    { position: 0.5 },
    { position: '0' },
    { position: null },
  ])('%j is not a position', async (body) => {
    const { limit } = await ownerWith('openai:a')
    expect(await limit('openai:a', body)).toMatchObject(refused(400, 'limits_invalid'))
  })

  it('limits do not change together with the label or the position', async () => {
    const { limit, order } = await ownerWith('openai:a')
    for (const body of [{ label: 'b', paused: true }, { position: 0, callers: null }, {}]) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await limit('openai:a', body)).toMatchObject(refused(400, 'limits_invalid'))
    }
    expect(await order()).toEqual(['openai:a 1'])
  })
})

it('the keys of a team are renamed and moved as those of a user', async () => {
  const team = await ownerOf(await someUser(`team:${crypto.randomUUID()}`))
  for (const slot of ['openai', 'openai:a']) {
    // oxlint-disable-next-line no-await-in-loop
    await saveSlot(team, slot, { apiKey: someKeyOf('good'), verify: false })
  }
  const change = { label: 'b', position: 0, condition: null }
  const { name, key } = await arrangeKey(team, 'openai:a', change)
  expect({ name, key }).toMatchObject({ name: 'openai:b', key: { state: 'open' } })
  const filled = (await listSlots(team)).filter((slot) => slot.key.state === 'open')
  expect(filled.map((slot) => slot.name)).toEqual(['openai:b', 'openai'])
  const plain = arrangeKey(team, 'default', { label: 'b', condition: null })
  await expect(plain).rejects.toMatchObject({ code: 'unknown_provider' })
})

/** Pseudo-random numbers below 1, the same ones for a seed. */
function randomsOf(seed: number) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff
    return state / 0x80_00_00_00
  }
}

it.for([1, 2, 3])(
  'ten random changes keep the order dense and count each revision, with the seed %i',
  async (seed) => {
    const owner = await ownerOf(await someUser())
    const random = randomsOf(seed)
    const choose = (count: number) => Math.floor(random() * count)
    /** The labels in their order, each with the revision of its key. */
    let model: { label: string; revision: number }[] = []
    const slotOf = (label: string) => `openai:${label}`
    for (let step = 0; step < 10; step += 1) {
      const label = `${step}`
      const index = choose(model.length)
      const old = model[index]
      const others = model.toSpliced(index, 1)
      const kind = old === undefined ? 0 : choose(6)
      if (old === undefined || kind < 2) {
        // oxlint-disable no-await-in-loop -- each change works on what the last one has left
        await saveSlot(owner, slotOf(label), { apiKey: someKeyOf('good'), verify: false })
        model.push({ label, revision: 1 })
      } else if (kind === 2) {
        await deleteSlot(owner, slotOf(old.label))
        model = others
      } else if (kind === 3) {
        await arrangeKey(owner, slotOf(old.label), { label, condition: null })
        model = model.with(index, { label, revision: old.revision + 1 })
      } else if (kind === 4) {
        const position = choose(model.length)
        await arrangeKey(owner, slotOf(old.label), { position, condition: null })
        const revision = old.revision + (position === index ? 0 : 1)
        model = others.toSpliced(position, 0, { ...old, revision })
      } else {
        const callers = [`binding:${label}`]
        await setLimits(owner, slotOf(old.label), { callers, condition: null })
        model = model.with(index, { ...old, revision: old.revision + 1 })
      }
      const listed = (await listSlots(owner)).flatMap(({ name, position, key }) =>
        key.state === 'open' ? [[name, position, key.row.revision]] : [],
      )
      // oxlint-enable no-await-in-loop
      const expected = model.map((key, rank) => [slotOf(key.label), rank, key.revision])
      expect(listed).toEqual(expected)
    }
  },
)
