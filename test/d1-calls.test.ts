/** docs/d1-calls.md says what each call costs in D1: among rows of other users, for a user without events on that day. */

import { beforeAll, beforeEach, expect, it } from 'vitest'
import page from '../docs/d1-calls.md?raw'
import { assignKey } from '../src/keys/assign.ts'
import { deleteExpiredKeys, deleteOldEvents } from '../src/keys/expiry.ts'
import { checkHealth } from '../src/keys/health.ts'
import { saveSlot } from '../src/keys/save.ts'
import { deleteSlot, readSlot, setLimits } from '../src/keys/slots.ts'
import type { SlotOwner } from '../src/keys/stored-key.ts'
import { takeKey } from '../src/keys/take.ts'
import { addUser, removeUser } from '../src/keys/users.ts'
import { verifySlot } from '../src/keys/verify.ts'
import { emptyVault, env } from './isolate.ts'
import { rowsUnder } from './markdown.ts'
import { interceptD1, ownerOf, recordLogs, slotOf, someUser, stopClock } from './support.ts'

beforeEach(stopClock)

const ROWS = rowsUnder(page.replace(/^# .*/, '## Calls'), '## Calls')
const SLOT = 'openai'
const KEY = { apiKey: 'sk-good-0123456789-0123456789', verify: false }
const CHECKED = { ...KEY, verify: true }
const NEW = { kind: 'empty' } as const
const PRESENT = { kind: 'present' } as const

type Work = (owner: SlotOwner) => Promise<unknown>

/** A call, after what comes before it. */
interface Case {
  work: Work
  before?: Work
  vars?: object
  /** Whether its user has the events of what came before. */
  hasEvents?: boolean
}

const save: Work = async (owner) => saveSlot(owner, SLOT, KEY)
const saveWith =
  (condition: typeof NEW | typeof PRESENT, key = KEY): Work =>
  async (owner) =>
    saveSlot(owner, SLOT, { ...key, condition })
const read: Work = async (owner) => readSlot(owner, SLOT)
const remove: Work = async (owner) => deleteSlot(owner, SLOT)
const limit =
  (maxUses: { count: number; per: 'day' } | null): Work =>
  async (owner) =>
    setLimits(owner, SLOT, { maxUses, condition: null })
const take: Work = async (owner) => {
  const by = { kind: 'caller', name: 'binding:chat' } as const
  return takeKey({ ...owner, by, waitUntil: () => {} }, slotOf(owner, SLOT))
}

const AUTO = { AUTO_CREATE_USERS: 'true' }
const DEFAULT = { DEFAULT_PROVIDER: SLOT }
const DAILY = { count: 9, per: 'day' } as const

/** By the beginning of a row: its calls, in order. */
const CALLS: Record<string, readonly Case[]> = {
  '`GET` a slot': [{ work: read, before: save }, { work: read }],
  '`PUT`': [{ work: save }],
  'the same, with `If-Match` or': [
    { work: saveWith(NEW) },
    { work: saveWith(PRESENT), before: save },
  ],
  'the same, with `AUTO_CREATE_USERS`': [
    { work: save, vars: { ...AUTO, ...DEFAULT } },
    { work: save, before: save, vars: { ...AUTO, ...DEFAULT } },
  ],
  '`PUT` that is checked': [
    { work: async (owner) => saveSlot(owner, SLOT, CHECKED) },
    { work: async (owner) => saveSlot(owner, SLOT, CHECKED), before: save },
  ],
  '`DELETE`': [{ work: remove, before: save }, { work: remove }],
  '`PATCH`': [
    { work: limit(DAILY), before: save },
    { work: limit(null), before: save },
  ],
  '`POST …/assign`': [
    {
      work: async (owner) => assignKey(owner, SLOT, false),
      before: async (owner) => saveSlot(owner, 'default', KEY),
    },
  ],
  '`POST …/verify`': [{ work: async (owner) => verifySlot(owner, SLOT), before: save }],
  '`fetchWithApiKey`': [
    { work: take, before: save },
    {
      work: take,
      before: async (owner) => {
        await save(owner)
        await limit(DAILY)(owner)
      },
    },
  ],
  'the same, with `USE_FRESH_SECONDS`': [
    { work: take, before: save, vars: { USE_FRESH_SECONDS: '60' } },
  ],
  '`createUser`': [
    { work: async ({ service, userId }) => addUser(service, `${userId}-2`) },
    {
      work: async ({ service, userId }) => removeUser(service, userId),
      before: save,
      hasEvents: true,
    },
  ],
  'the health': [{ work: async ({ service }) => checkHealth(service) }],
  'the expiry job': [{ work: async ({ service }) => deleteExpiredKeys(service) }],
  'the deletion of old events': [{ work: async ({ service }) => deleteOldEvents(service) }],
}

/** Other users, whose rows come before and after. */
beforeAll(async () => {
  await emptyVault()
  for (const id of ['a', 'z']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const owner = await ownerOf(await someUser(id), vaultWith({}))
    for (const slot of ['anthropic', 'default', SLOT, 'xai']) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await saveSlot(owner, slot, KEY)
    }
  }
})

/** The page counts the second store for itself. */
const WITHOUT_STORE: object = { DELETIONS: undefined }
const vaultWith = (vars: object): Env => ({ ...env, ...WITHOUT_STORE, ...vars })

const isResult = (value: unknown): value is D1Result =>
  typeof value === 'object' && value !== null && 'meta' in value

/** Round trips, statements, rows read and rows written. */
async function measure({ work, before, vars = {}, hasEvents = false }: Case): Promise<number[]> {
  const userId = await someUser(`m-${crypto.randomUUID()}`)
  await before?.(await ownerOf(userId, vaultWith(vars)))
  if (!hasEvents) {
    await env.DB.prepare('DELETE FROM api_key_events WHERE user_id = ?1').bind(userId).run()
  }
  const metas: D1Meta[][] = []
  const DB = interceptD1(async (trip) => {
    const answer = await trip()
    metas.push([answer].flat().flatMap((result) => (isResult(result) ? [result.meta] : [])))
    return answer
  })
  await work(await ownerOf(userId, vaultWith({ ...vars, DB })))
  const all = metas.flat()
  const sum = (name: 'rows_read' | 'rows_written') =>
    all.reduce((total, meta) => total + meta[name], 0)
  return [metas.length, all.length, sum('rows_read'), sum('rows_written')]
}

/** The numbers of the row for its call at an index. A cell with one number has it for all calls of the row. */
function numbersOf(row: string, index: number): number[] {
  const [, ...cells] = ROWS.find(([name = '']) => name.startsWith(row)) ?? []
  return cells.map((cell) => {
    const numbers = Array.from(cell.matchAll(/\d+/g), ([number]) => Number(number))
    return numbers[index] ?? numbers[0] ?? Number.NaN
  })
}

it.for(
  Object.entries(CALLS).flatMap(([row, cases]) =>
    cases.map((one, index) => [row, index, one] as const),
  ),
)('costs what the row %s says of its call %i', async ([row, index, one]) => {
  recordLogs()
  expect(await measure(one)).toEqual(numbersOf(row, index))
})
