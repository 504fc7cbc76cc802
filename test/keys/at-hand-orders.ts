/** A story of one key that several isolates use, and that one of them changes, in an order that a seed decides. */

import { vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { arrangeKey } from '../../src/keys/arrange.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { deleteSlot, setLimits } from '../../src/keys/slots.ts'
import { takeKey } from '../../src/keys/take.ts'
import { changeTeam } from '../../src/keys/teams.ts'
import { removeUser } from '../../src/keys/users.ts'
import { namesIn } from '../../src/shared/json.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { env } from '../isolate.ts'
import { interceptD1, ownerOf, slotOf, someKey } from '../support.ts'
import { choicesOf, takeTurns, type Choices, type Turns } from './seeded.ts'

export const FRESH_SECONDS = 10
const FRESH_MS = FRESH_SECONDS * 1_000
const ISOLATES = 4
const USES = 9
const CALLER = 'binding:chat'
const ISSUED_AT = '2026-01-01T00:00:00.000Z'
const SLOT = 'openai:work'

/** What ends the uses of the key. `owner` has it, and `change` is done to it in one of the isolates. */
interface Kind {
  owner: 'user' | 'team'
  change: (owner: Awaited<ReturnType<typeof ownerOf>>) => Promise<unknown>
}

const limitTo = (limits: object): Kind['change'] => {
  return async (owner) => setLimits(owner, SLOT, { condition: null, ...limits })
}
const replace: Kind['change'] = async (owner) =>
  saveSlot(owner, SLOT, { apiKey: someKey(), verify: false })

const KINDS = {
  deleted: { owner: 'user', change: async (owner) => deleteSlot(owner, SLOT) },
  replaced: { owner: 'user', change: replace },
  paused: { owner: 'user', change: limitTo({ isPaused: true }) },
  'without this caller': { owner: 'user', change: limitTo({ callers: ['binding:other'] }) },
  expired: { owner: 'user', change: limitTo({ expiresAt: '2020-01-01T00:00:00.000Z' }) },
  'at its maximum': { owner: 'user', change: limitTo({ maxUses: { count: 0, per: 'day' } }) },
  moved: {
    owner: 'user',
    change: async (owner) => arrangeKey(owner, SLOT, { label: 'home', condition: null }),
  },
  'of a removed user': {
    owner: 'user',
    change: async ({ service, userId }) => removeUser(service, userId),
  },
  'of a team, deleted': { owner: 'team', change: async (owner) => deleteSlot(owner, SLOT) },
  'of a team, for newer tokens': {
    owner: 'team',
    change: async (owner) => changeTeam(owner, { tokensSince: '2026-02-01T00:00:00.000Z' }),
  },
  'of a member whose team forbids it': {
    owner: 'user',
    change: async (owner) =>
      changeTeam({ ...owner, userId: teamOwner(owner.userId) }, { ownKeys: false }),
  },
} as const satisfies Record<string, Kind>

const [FIRST = 'deleted', ...OTHERS] = namesIn(KINDS)

/** What happens at each round trip to D1. Without a story, it goes through. */
interface Story {
  choices: Choices
  turns: Turns
  /** After each round trip: whether the change is done. */
  look: () => Promise<void>
}
let story: Story | null = null

/** The test moves the clock. No attempt waits for the next one, and no count is written later. */
export function holdTime(): void {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const { setTimeout: set } = globalThis
  const never = set(() => {}, 0)
  vi.spyOn(globalThis, 'setTimeout').mockImplementation((work: () => void, ms = 0) =>
    ms > 10_000 ? never : set(work, ms),
  )
}

/** Isolates that share a database, for as long as the test runs. */
export function someIsolates(): Env[] {
  const vars = {
    USE_FRESH_SECONDS: String(FRESH_SECONDS),
    DELETIONS: undefined,
    JWT_TEAM_CLAIM: 'groups',
  }
  return Array.from({ length: ISOLATES }, () => {
    const DB = interceptD1(async (trip) => (story === null ? trip() : takeTrip(story, trip)))
    return Object.assign({ ...env }, vars, { DB })
  })
}

/** D1 is slow, the clock goes on, and now and then an answer is lost. */
async function takeTrip({ choices, turns, look }: Story, trip: () => Promise<unknown>) {
  const wait = async () =>
    turns.inTurn(async () => {
      if (choices.maybe(0.4)) vi.setSystemTime(Date.now() + choices.next() * FRESH_MS * 0.7)
    })
  await wait()
  const done = await trip()
  await look()
  await wait()
  if (choices.maybe(0.08)) throw new Error('D1_ERROR: Network connection lost.')
  return done
}

/** A use that was taken. Steps are in the order in which they happened. */
interface Taken {
  isolate: number
  step: number
  at: number
  isOld: boolean
}

/** When the change happened: in D1, and for the isolate that made it. */
interface Change {
  isolate: number
  doneAt: number | null
  endedStep: number | null
}

/** Plays the story of a seed. @returns the uses that should not have been, and how long after the change the last one began, in ms */
export async function playOrder(
  seed: number,
  isolates: readonly Env[],
): Promise<{ faults: string[]; lastMs: number }> {
  const choices = choicesOf(seed)
  const name = choices.pick([FIRST, ...OTHERS])
  const { owner: kind, change } = KINDS[name]
  const id = `${name.replaceAll(' ', '-')}-${seed}`
  const [team, keyOwner] = [teamOwner(id), kind === 'team' ? teamOwner(id) : id]
  const inTeam = kind === 'team' || name.includes('team')
  const insert = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  await env.DB.batch([insert.bind(id), insert.bind(team)])
  const vaults = await Promise.all(isolates.map(async (vault) => ownerOf(keyOwner, vault)))
  const [first] = vaults
  if (first === undefined) throw new Error('There is no isolate')
  const apiKey = someKey()
  await saveSlot(first, SLOT, { apiKey, verify: false })

  const stateNow = async () => {
    const [keys, users] = await env.DB.batch([
      env.DB.prepare('SELECT * FROM api_keys WHERE user_id = ?1').bind(keyOwner),
      env.DB.prepare('SELECT * FROM users WHERE id IN (?1, ?2)').bind(id, team),
    ])
    return JSON.stringify([keys?.results, users?.results])
  }
  const before = await stateNow()
  const changed: Change = {
    isolate: Math.floor(choices.next() * ISOLATES),
    doneAt: null,
    endedStep: null,
  }
  const taken: Taken[] = []
  const works: Promise<unknown>[] = []
  let step = 0
  let isChanging = false
  const turns = takeTurns(choices)
  const look = async () => {
    if (isChanging && changed.doneAt === null && (await stateNow()) !== before)
      changed.doneAt = Date.now()
  }

  const use = async (isolate: number) => {
    const begun = { isolate, step: (step += 1), at: Date.now() }
    const { service } = vaults[isolate] ?? first
    const by = { kind: 'caller', name: CALLER } as const
    const given = inTeam ? { team: { userId: team, issuedAt: ISSUED_AT } } : {}
    const later: Promise<void>[] = []
    const waitUntil = (work: Promise<void>) => void later.push(work)
    const user = { service, userId: id, by, waitUntil, ...given }
    const key = await takeKey(user, slotOf(user, SLOT)).catch((error: unknown) =>
      VaultError.from(error),
    )
    const isOpen = 'apiKey' in key
    // Otherwise it is a count, which may wait for long.
    if (isOpen) works.push(...later)
    taken.push({ ...begun, isOld: isOpen && key.apiKey === apiKey })
  }
  const makeChange = async () => {
    isChanging = true
    // If D1 loses its answers, nobody knows whether it is done.
    await Promise.resolve(change(vaults[changed.isolate] ?? first)).catch(() => {})
    changed.endedStep = step += 1
  }
  story = { choices, turns, look }
  const changeAfter = Math.floor(choices.next() * USES)
  const play = async () => {
    for (let number = 0; number < USES; number += 1) {
      if (number === changeAfter) works.push(makeChange())
      const used = use(Math.floor(choices.next() * ISOLATES))
      works.push(used)
      // oxlint-disable-next-line no-await-in-loop -- some uses follow each other, and some overlap
      if (choices.maybe(0.7)) await used
      else if (choices.maybe(0.5)) await turns.inTurn(async () => {})
    }
    for (let awaited = 0; awaited < works.length;) {
      awaited = works.length
      // oxlint-disable-next-line no-await-in-loop -- work may begin other work
      await Promise.allSettled(works)
    }
  }
  await turns.give([play()])
  story = null
  const faults = taken.filter((one) => isFault(one, changed)).map((one) => JSON.stringify(one))
  const shown = [`seed ${seed}: ${name}`, JSON.stringify(changed), ...faults]
  const { doneAt } = changed
  const late = taken.map(({ isOld, at }) => (isOld && doneAt !== null ? at - doneAt : 0))
  return { faults: faults.length === 0 ? [] : shown, lastMs: Math.max(0, ...late) }
}

/** A use takes the old key after the bound, or in the isolate that has made the change. */
function isFault({ isOld, isolate, step, at }: Taken, changed: Change): boolean {
  if (!isOld || changed.doneAt === null) return false
  const isOver = at >= changed.doneAt + FRESH_MS
  const isOwn =
    isolate === changed.isolate && changed.endedStep !== null && step > changed.endedStep
  return isOver || isOwn
}
