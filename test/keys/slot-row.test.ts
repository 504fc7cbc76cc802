/** What happens in the slot of `DEFAULT_PROVIDER` while keys of the plain route move there. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { beforeEach, describe, expect, it } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { readSlot } from '../../src/keys/slots.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { makeFernet } from '../import/make-fernet.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  ownerOf,
  recordLogs,
  slotPath,
  someUser,
} from '../support.ts'
import { eventsPath, listPath, MODELS, someKeyOf } from './key-owner.ts'
import { complete, MOMENTS, moving, someMovingUser, type Limited } from './moving-slot.ts'
import { runPass } from './sealed-rows.ts'

beforeEach(() => void recordLogs())

const PROPS = { caller: 'chat', grants: ['use', 'reveal', 'support'] }

/** A binding of a vault, which waits until what follows the answer is done. */
async function bound<T>(
  vault: Env,
  work: (binding: KeyVault) => Promise<T>,
  props: object = PROPS,
): Promise<T> {
  const context = createExecutionContext()
  const result = await work(new KeyVault(Object.assign(context, { props }), vault))
  await waitOnExecutionContext(context)
  return result
}

/** The key that a caller would use in the slot, or why it may not. */
async function used(userId: string, vault = moving(), provider = 'openai') {
  const result = await bound(vault, async (b) => b.getDecryptedApiKey(userId, provider))
  return result.ok ? result.apiKey : result.code
}

/** An operation on the slot, which returns `ok` or the code of its answer. */
type Operation = (userId: string, vault: Env) => Promise<string>

const NEW_KEY = someKeyOf('good')

function http(method: string, pathOf: (userId: string) => string, body?: object): Operation {
  return async (userId, vault) => {
    const token = await mintToken({ sub: userId })
    const response = await call(method, pathOf(userId), { token, body, env: vault })
    return response.headers.get('X-Vault-Error') ?? 'ok'
  }
}

const own = (rest: string) => (userId: string) => slotPath(userId, 'openai') + rest
const NEW = { api_key: NEW_KEY }

/** What changes nothing about which key counts. */
const LOOKS: Record<string, Operation> = {
  'a look at the plain route': http('GET', keyPath),
  'a look at the slot': http('GET', own('')),
  'a look at the list': http('GET', listPath),
  'a look at the trail': http('GET', eventsPath),
  'a change of nothing': http('PATCH', own(''), { expires_at: null }),
  'an assignment': http('POST', own('/assign')),
  'a pass of the job': async (_userId, vault) => {
    await runPass(vault)
    return 'ok'
  },
}
const CHECK = http('POST', own('/verify'))
const SAVES: Record<string, Operation> = {
  'a save': http('PUT', own('?verify=false'), NEW),
  'a save that is checked first': http('PUT', own('?verify=true'), NEW),
  'a save through the plain route': http('PUT', keyPath, NEW),
}
const DELETIONS: Record<string, Operation> = {
  'a deletion': http('DELETE', own('')),
  'a deletion through the plain route': http('DELETE', keyPath),
  'a deletion over a binding': async (userId, vault) =>
    bound(vault, async (b) => {
      const result = await b.deleteKey(userId, 'default')
      return result.ok ? 'ok' : result.code
    }),
}
const USE: Operation = async (userId, vault) =>
  bound(vault, async (b) => {
    const result = await b.fetchWithApiKey(userId, 'openai', new Request(MODELS))
    if (!result.ok) return result.code
    await result.response.text()
    return 'ok'
  })

const moments = Object.entries(MOMENTS)
const over = (operations: Record<string, Operation>) =>
  moments.flatMap(([name, moment]) =>
    Object.entries(operations).map(([what, operation]) => [what, name, moment, operation] as const),
  )

describe('the key that counts', () => {
  it.for(over({ ...LOOKS, 'a check': CHECK, 'a use': USE }))(
    '%s finds it, and leaves it usable by both names of the slot: %s',
    async ([, , moment, operation]) => {
      const { userId, keys } = await someMovingUser(moment)
      expect(await operation(userId, moving())).toBe('ok')
      const names = ['openai', 'default']
      const found = await Promise.all(names.map(async (name) => used(userId, moving(), name)))
      expect(found).toEqual([keys[moment.counts], keys[moment.counts]])
    },
  )

  it.for(moments)('a binding that names the provider uses it: %s', async ([, moment]) => {
    const { userId, keys } = await someMovingUser(moment)
    const props = { caller: 'chat', grants: ['reveal'], providers: ['openai'] }
    const vault = moving()
    const found = ['openai', 'default'].map(async (name) =>
      bound(vault, async (b) => b.getDecryptedApiKey(userId, name), props),
    )
    const result = { ok: true, apiKey: keys[moment.counts] }
    expect(await Promise.all(found)).toEqual([result, result])
  })

  it.for(moments)('the list shows it, and no other one: %s', async ([, moment]) => {
    const { userId, keys } = await someMovingUser(moment)
    const token = await mintToken({ sub: userId })
    const list = await call('GET', listPath(userId), { token, env: moving() })
    const { api_keys } = await list.json<{ api_keys: Record<string, unknown>[] }>()
    const filled = api_keys.filter(({ has_api_key, error }) => has_api_key || error !== undefined)
    const last4 = keys[moment.counts].slice(-4)
    expect(filled).toMatchObject([{ provider: 'openai', api_key_last4: last4 }])
  })

  it.for(over(SAVES))('%s replaces it: %s', async ([, , moment, operation]) => {
    const { userId } = await someMovingUser(moment)
    expect(await operation(userId, moving())).toBe('ok')
    expect([await used(userId), await used(userId, complete())]).toEqual([NEW_KEY, NEW_KEY])
  })

  it.for(over(DELETIONS))('%s leaves no key in the slot: %s', async ([, , moment, operation]) => {
    const { userId } = await someMovingUser(moment)
    expect(await operation(userId, moving())).toBe('ok')
    expect([await used(userId), await used(userId, complete())]).toEqual([null, null])
    const sql = 'SELECT 1 FROM api_keys WHERE user_id = ?1'
    expect((await env.DB.prepare(sql).bind(userId).all()).results).toEqual([])
  })

  it.for(moments.filter(([, { fault }]) => fault === 'missing'))(
    'the later key counts again when its encryption key is back: %s',
    async ([, moment]) => {
      const { userId, keys } = await someMovingUser(moment)
      await used(userId)
      const later = moment.counts === 'openai' ? 'default' : 'openai'
      expect(await used(userId, complete())).toBe(keys[later])
    },
  )

  it('a change with the tag of a key that has not moved yet is made', async () => {
    const { userId } = await someMovingUser({ rows: ['default'], counts: 'default' })
    const token = await mintToken({ sub: userId })
    const shown = await call('GET', keyPath(userId), { token })
    const headers = { 'If-Match': shown.headers.get('ETag') ?? '' }
    const options = { token, headers, body: NEW, env: moving() }
    const save = await call('PUT', `${slotPath(userId, 'openai')}?verify=false`, options)
    expect([save.status, await used(userId)]).toEqual([200, NEW_KEY])
  })

  it('a moved key stays the same key', async () => {
    const { userId } = await someMovingUser({ rows: ['default'], counts: 'default' })
    const columns = async () =>
      env.DB.prepare('SELECT identity, revision, updated_at FROM api_keys WHERE user_id = ?1')
        .bind(userId)
        .first()
    const before = await columns()
    await used(userId)
    expect(await columns()).toEqual(before)
  })

  it('a merge leaves a tombstone of the key that goes, and of no other one', async () => {
    const { userId } = await someMovingUser({ rows: ['openai', 'default'], counts: 'default' })
    await env.DB.prepare("UPDATE heartbeat SET at = '2026-01-01T00:00:00.000Z'").run()
    const identity = async (provider: string) =>
      env.DB.prepare('SELECT identity FROM api_keys WHERE user_id = ?1 AND provider = ?2')
        .bind(userId, provider)
        .first('identity')
    const gone = await identity('openai')
    const kept = await identity('default')
    await readSlot(await ownerOf(userId, moving()), 'openai')
    const sql = 'SELECT identity, cause FROM gone_keys WHERE identity IN (?1, ?2)'
    const { results } = await env.DB.prepare(sql).bind(gone, kept).all()
    expect(results).toEqual([{ identity: gone, cause: 'operator' }])
    expect(await identity('openai')).toBe(kept)
  })
})

/** Limits that refuse each use. */
const REFUSING: Record<string, NewLimits> = {
  api_key_paused: { isPaused: true },
  caller_not_allowed: { callers: ['binding:batch'] },
  limit_reached: { maxUses: { count: 0, per: 'day' } },
}
const PAST = '2026-01-03T00:00:00.000Z'

/** Each limit at each moment, of each of the rows. */
const limited = moments.flatMap(([name, moment]) =>
  Object.entries(REFUSING).flatMap(([code, limits]) =>
    moment.rows.map((row) => [code, row, name, moment, { [row]: limits }] as const),
  ),
)

describe('the limits of either key', () => {
  const ALL = Object.entries({ ...LOOKS, ...SAVES })

  it.for<readonly [string, string, string, (typeof MOMENTS)[string], Limited]>(limited)(
    'a use is refused with %s by the limit of the row %s, whatever comes before it: %s',
    async ([code, , , moment, limits]) => {
      const { userId } = await someMovingUser(moment, limits)
      expect([await USE(userId, moving()), await used(userId)]).toEqual([code, code])
      for (const [, operation] of ALL) expect(await operation(userId, moving())).toBe('ok')
      expect([await used(userId), await used(userId, complete())]).toEqual([code, code])
    },
  )

  it.for(
    moments.flatMap(([name, moment]) => moment.rows.map((row) => [row, name, moment] as const)),
  )('a pause of the row %s can be ended: %s', async ([row, , moment]) => {
    const { userId, keys } = await someMovingUser(moment, { [row]: { isPaused: true } })
    expect(await CHECK(userId, moving())).toBe('api_key_paused')
    const resume = http('PATCH', own(''), { paused: false })
    expect(await resume(userId, moving())).toBe('ok')
    expect(await used(userId)).toBe(keys[moment.counts])
    expect(await used(userId, complete())).toMatch(/^sk-good-/)
  })

  it.for(moments)('a pause over a binding holds: %s', async ([, moment]) => {
    const { userId } = await someMovingUser(moment)
    const paused = await bound(moving(), async (b) => b.pauseKey(userId, 'openai'))
    expect(paused).toEqual({ ok: true, pausedAt: expect.any(String) })
    const codes = [await used(userId), await used(userId, complete())]
    expect(codes).toEqual(['api_key_paused', 'api_key_paused'])
  })

  it.for(
    moments.flatMap(([name, moment]) => moment.rows.map((row) => [row, name, moment] as const)),
  )('the expiry of the row %s that lies ahead holds: %s', async ([row, , moment]) => {
    const expiresAt = '2999-01-01T00:00:00.000Z'
    const { userId } = await someMovingUser(moment, { [row]: { expiresAt } })
    for (const vault of [moving(), moving(), complete()]) {
      // oxlint-disable-next-line no-await-in-loop -- each look may move a key
      expect(await readSlot(await ownerOf(userId, vault), 'openai')).toMatchObject({ expiresAt })
    }
  })

  it.for(moments)(
    'a new key does not have the expiry of the previous ones: %s',
    async ([, moment]) => {
      const limits = { expiresAt: '2999-01-01T00:00:00.000Z' }
      const { userId } = await someMovingUser(moment, { default: limits, openai: limits })
      expect(await SAVES['a save']?.(userId, moving())).toBe('ok')
      for (const vault of [moving(), complete()]) {
        // oxlint-disable-next-line no-await-in-loop -- each look may move a key
        const key = await readSlot(await ownerOf(userId, vault), 'openai')
        expect(key).toMatchObject({ apiKey: NEW_KEY, expiresAt: null })
      }
    },
  )

  it.for(moments)('the past expiry of the later key holds: %s', async ([, moment]) => {
    const later = moment.rows.at(-1) ?? 'default'
    const { userId } = await someMovingUser(moment, { [later]: { expiresAt: PAST } })
    const codes = [await used(userId), await used(userId, complete())]
    expect(codes).toEqual(['api_key_expired', 'api_key_expired'])
  })

  it('a key takes its past expiry along when a later one takes its place', async () => {
    const moment = { rows: ['openai', 'default'], counts: 'default' } as const
    const { userId, keys } = await someMovingUser(moment, { openai: { expiresAt: PAST } })
    expect(await used(userId)).toBe(keys.default)
  })

  it('a past expiry that the trail knows of is not noted again after a merge', async () => {
    const moment = { rows: ['openai', 'default'], counts: 'default' } as const
    const { userId } = await someMovingUser(moment, { default: { expiresAt: PAST } })
    const note = async () =>
      deleteExpiredKeys(await openService({ ...env, EXPIRED_KEPT_DAYS: '3000' }))
    await note()
    await used(userId)
    await note()
    const sql = "SELECT count(*) AS n FROM api_key_events WHERE user_id = ?1 AND event = 'expired'"
    expect(await env.DB.prepare(sql).bind(userId).first('n')).toBe(1)
  })

  it('an expired key that the job deletes does not bring the earlier key of the plain route back', async () => {
    const moment = { rows: ['default', 'openai'], counts: 'openai' } as const
    const { userId } = await someMovingUser(moment, { openai: { expiresAt: PAST } })
    const vault = { ...moving(), EXPIRED_KEPT_DAYS: '0' }
    await deleteExpiredKeys(await openService(vault))
    expect(await used(userId)).toBe('api_key_expired')
    await deleteExpiredKeys(await openService(vault))
    expect(await used(userId)).toBeNull()
  })

  it.for(['default', 'openai'] as const)(
    'the pause of the row %s holds if a later key is sealed again during the merge',
    async (row) => {
      const moment = { rows: ['openai', 'default'], counts: 'default' } as const
      const { userId } = await someMovingUser(moment, { [row]: { isPaused: true } })
      const { keyring } = await openService(env)
      const reseal = async () => {
        const key = await readSlot(await ownerOf(userId), 'default')
        if (key.state !== 'open') throw new Error('The key does not open')
        const { sealed } = await sealKey(keyring, key.row, key.apiKey)
        await env.DB.prepare(
          "UPDATE api_keys SET encrypted_api_key = ?2 WHERE user_id = ?1 AND provider = 'default'",
        )
          .bind(userId, sealed)
          .run()
      }
      // The first round trip finds the key of the plain route, and the second one reads both.
      const DB = beforeTrip(3, reseal)
      expect(await used(userId, { ...moving(), DB })).toBe('api_key_paused')
      expect(await used(userId)).toBe('api_key_paused')
    },
  )

  it('a pause of the later key holds if that is paused while both keys get the stricter limits', async () => {
    const moment = { rows: ['openai', 'default'], fault: 'missing', counts: 'openai' } as const
    const { userId } = await someMovingUser(moment, { default: { callers: ['binding:chat'] } })
    const limits = { isPaused: true, condition: null }
    const pause = async () => setLimits(await ownerOf(userId), 'default', limits)
    const DB = beforeTrip(3, pause)
    expect(await used(userId, { ...moving(), DB })).toBe('api_key_paused')
  })
})

/** The real D1, which does `change` before this round trip. */
function beforeTrip(at: number, change: () => Promise<unknown>): D1Database {
  let trips = 0
  return interceptD1(async (trip) => {
    trips += 1
    if (trips === at) await change()
    return trip()
  })
}

describe('a key of the plain route that cannot move, since it does not open', () => {
  const save = async (userId: string, slot: string) =>
    saveSlot(await ownerOf(userId), slot, { apiKey: someKeyOf('good'), verify: false })

  async function someUnmovable() {
    const userId = await someUser()
    await save(userId, 'default')
    const spoil = "UPDATE api_keys SET encrypted_api_key = 'damaged' WHERE user_id = ?1"
    await env.DB.prepare(spoil).bind(userId).run()
    return userId
  }

  /** The slot of the key that a use of the provider takes, or why it takes none. */
  async function taken(userId: string, vars: object, props: object, options = {}) {
    const request = new Request(MODELS)
    const result = await bound(
      { ...moving(), ...vars },
      async (b) => b.fetchWithApiKey(userId, 'openai', request, options),
      { ...PROPS, ...props },
    )
    return result.ok ? `${result.key.source} ${result.key.slot}` : result.code
  }

  it('leaves a use the labelled keys, if it is left out itself', async () => {
    const userId = await someUnmovable()
    await save(userId, 'openai:work')
    const providers = ['openai:work']
    expect(await taken(userId, {}, {})).toBe('api_key_unreadable')
    expect(await taken(userId, {}, { providers })).toBe('own openai:work')
    await setLimits(await ownerOf(userId), 'default', { isPaused: true, condition: null })
    expect(await taken(userId, {}, {})).toBe('own openai:work')
  })

  it('leaves a use the team’s key, if that comes first', async () => {
    const userId = await someUnmovable()
    const teamId = crypto.randomUUID()
    const team = await someUser(teamOwner(teamId))
    await save(team, 'openai')
    const of = async (vars: object) => taken(userId, vars, { teams: true }, { teamId })
    expect(await of({})).toBe('api_key_unreadable')
    expect(await of({ TEAM_FIRST: 'true' })).toBe('team openai')
    await env.DB.prepare('UPDATE users SET own_keys = 0 WHERE id = ?1').bind(team).run()
    expect(await of({})).toBe('team openai')
  })
})

describe('a key that an import brings to the plain route meanwhile', () => {
  const fernet = crypto.getRandomValues(new Uint8Array(32))
  const importing = () => ({
    ...moving(),
    LEGACY_FERNET_KEY: fernet.toBase64({ alphabet: 'base64url' }),
  })

  /** Imports a key that was saved later than the slot's own one. */
  async function bring(userId: string, apiKey: string, seconds = 1_770_000_000): Promise<void> {
    const iv = crypto.getRandomValues(new Uint8Array(16))
    const token = await makeFernet(fernet, iv, seconds, new TextEncoder().encode(apiKey))
    const savedAt = new Date(seconds * 1_000).toISOString()
    await importRows(env.DB, [{ userId, provider: 'default', token, savedAt }])
  }

  const cases = Object.entries({ ...LOOKS, 'a check': CHECK, 'a use': USE }).flatMap(
    ([what, operation]) => [1, 2, 3].map((trip) => [what, trip, operation] as const),
  )

  it.for(cases.filter(([what]) => what !== 'a pass of the job'))(
    '%s works, and the key counts after it: before the round trip %i',
    async ([, trip, operation]) => {
      const { userId } = await someMovingUser({ rows: ['openai'], counts: 'openai' })
      const key = someKeyOf('good')
      let isBrought = false
      const DB = beforeTrip(trip, async () => {
        isBrought = true
        await bring(userId, key)
      })
      expect(await operation(userId, { ...importing(), DB })).toBe('ok')
      if (!isBrought) await bring(userId, key)
      expect(await used(userId, importing())).toBe(key)
    },
  )

  it.for(
    Object.entries(REFUSING).flatMap(([code, limits]) =>
      [1, 2, 3].map((trip) => [code, trip, limits] as const),
    ),
  )(
    'uses are refused with %s as before: before the round trip %i',
    async ([code, trip, limits]) => {
      const moment = { rows: ['openai'], counts: 'openai' } as const
      const { userId } = await someMovingUser(moment, { openai: limits })
      const DB = beforeTrip(trip, async () => bring(userId, someKeyOf('good')))
      expect(await used(userId, { ...importing(), DB })).toBe(code)
      expect(await used(userId, importing())).toBe(code)
    },
  )

  it('a key that was deleted in the slot does not come back with a later import', async () => {
    const { userId } = await someMovingUser({ rows: ['openai'], counts: 'openai' })
    await bring(userId, someKeyOf('good'))
    expect(await http('DELETE', own(''))(userId, importing())).toBe('ok')
    await bring(userId, someKeyOf('good'), 1_770_000_100)
    expect(await used(userId, importing())).toBeNull()
  })
})
