/** Rounds of concurrent work in an order that a seed decides, and what must be true after each of its steps. */

import { vi } from 'vitest'
import type { Exchange } from '../../src/deletions.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { openService, type Service } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { interceptD1, someEncryptionKey } from '../support.ts'
import { judge, look } from './interleaved-faults.ts'
import { compare, describeStep, readState, type State, type Step } from './interleaved-state.ts'
import {
  makeWork,
  outcomeOf,
  someWork,
  type Outcome,
  type Work,
  type World,
} from './interleaved-work.ts'
import { age, backUp } from './restoration.ts'
import { choicesOf, takeTurns, type Turns } from './seeded.ts'

/** The work that is under way at once. */
const WORKS = 10
const LAST_COPY = 'copy, and nothing else'
const [ONE, OTHER] = [someEncryptionKey(), someEncryptionKey()]
const FERNET = crypto.getRandomValues(new Uint8Array(32))

/** A round. */
interface Round {
  world: World
  turns: Turns
  /** Opens every row. */
  service: Service
  state: State
  /** What the second store knows. */
  buried: Set<string>
  /** Every identity that there was. */
  seen: Set<string>
  /** The user of each key that there was, by the key's identity. */
  owners: Map<string, string>
  /** The identities of the keys that a user had, or once had, when the user was removed. */
  left: Set<string>
  log: string[]
  faults: string[]
}

/**
 * Runs a round.
 *
 * @returns its faults, with the list of its steps if there are any
 */
export async function interleave(seed: number): Promise<string[]> {
  const round = await beginRound(seed)
  const { choices } = round.world
  stubProvider(round)
  await fill(round)
  await copyNow(round)
  const restore = await backUp()
  const kept = round.state
  await together(round, WORKS)
  if (choices.maybe(0.5)) {
    await copyNow(round)
    for (const identity of [...round.state.keys.keys(), ...round.state.users.keys()]) {
      // Nothing was wrong with it: the backup lacks it.
      round.seen.delete(identity)
    }
    await restore()
    await age(10)
    round.state = await readState(round.service)
    round.log.push('— restored —')
    for (const identity of [...kept.keys.keys(), ...kept.users.keys()]) round.seen.add(identity)
    await together(round, WORKS)
  }
  await copyNow(round)
  judgeTombstones(round)
  const { faults, log } = round
  return faults.length === 0 ? [] : [`seed ${seed}`, ...faults, ...log]
}

async function beginRound(seed: number): Promise<Round> {
  const choices = choicesOf(seed)
  const tables = [
    'users',
    'gone_keys',
    'imported_keys',
    'removed_users',
    'api_key_events',
    'rewrap',
  ]
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)))
  const userIds = [`ann-${seed}`, `bob-${seed}`] as const
  // They were there before the backup, by its heartbeat too.
  const insert = env.DB.prepare("INSERT INTO users (id, created_at) VALUES (?1, '2026-01-01')")
  await env.DB.batch(userIds.map((userId) => insert.bind(userId)))
  const vaults = someVaults()
  const service = await openService(vaults[0])
  await copyDeletions(service)
  const state = await readState(service)
  return {
    world: { choices, userIds, vaults, fernet: FERNET },
    turns: takeTurns(choices),
    service,
    state,
    buried: new Set(),
    seen: new Set(state.users.keys()),
    owners: new Map(),
    left: new Set(),
    log: [],
    faults: [],
  }
}

/** Versions of the vault that run at the same time. */
function someVaults(): readonly [Env, ...Env[]] {
  const base = {
    ...env,
    LEGACY_FERNET_KEY: FERNET.toBase64({ alphabet: 'base64url' }),
    PROBE_LIMITER: { limit: async () => ({ success: true }) },
    EXPIRED_KEPT_DAYS: '30',
  }
  const [first, second] = [`${ONE},${OTHER}`, `${OTHER},${ONE}`]
  return [
    { ...base, API_KEY_ENCRYPTION_KEY: first },
    { ...base, API_KEY_ENCRYPTION_KEY: second },
    { ...base, API_KEY_ENCRYPTION_KEY: first, DEFAULT_PROVIDER: 'openai' },
    {
      ...base,
      API_KEY_ENCRYPTION_KEY: second,
      DEFAULT_PROVIDER: 'openai',
      AUTO_CREATE_USERS: 'true',
    },
  ]
}

/** The provider accepts, rejects or fails, in its turn. */
function stubProvider({ world: { choices }, turns }: Round): void {
  const bodies = { 200: '{}', 401: '{"error":{"code":"invalid_api_key"}}', 500: '{}' }
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () =>
    turns.inTurn(async () => {
      const status = choices.pick([200, 200, 401, 500] as const)
      const headers = { 'Content-Type': 'application/json' }
      return new Response(bodies[status], { status, headers })
    }),
  )
}

/** Gives most slots a key, some with limits. */
async function fill(round: Round): Promise<void> {
  const { world, turns } = round
  const [vault] = world.vaults
  for (const userId of world.userIds) {
    for (const given of ['default', 'openai']) {
      const kinds = world.choices.maybe(0.8) ? (['save', 'limit', 'limit'] as const) : []
      for (const kind of kinds) {
        const work = makeWork(world, kind, { vault, userId, given })
        // oxlint-disable-next-line no-await-in-loop -- a key is there before its limits
        await turns.give([runWork(round, work, -1)])
      }
    }
  }
}

/** Runs several pieces of random work at once. */
async function together(round: Round, count: number): Promise<void> {
  const works = Array.from({ length: count }, () => someWork(round.world))
  const runs = works.map(async (work, index) => runWork(round, work, index))
  await round.turns.give(runs)
}

/** Runs the job that copies deletions, and nothing else. It does not fail. */
async function copyNow(round: Round): Promise<void> {
  const { world, turns } = round
  const [userId] = world.userIds
  const target = { vault: world.vaults[0], userId, given: 'default' }
  await turns.give([runWork(round, { ...makeWork(world, 'copy', target), name: LAST_COPY }, -1)])
}

/** A piece of work, and what it does to D1. */
interface Run {
  work: Work
  name: string
  steps: Step[]
  /** Whether an answer of D1 was lost. */
  isInDoubt: boolean
}

async function runWork(round: Round, work: Work, index: number): Promise<void> {
  const run: Run = { work, name: `${index}. ${work.name}`, steps: [], isInDoubt: false }
  round.log.push(`${run.name}: begins`)
  const [DB, DELETIONS] = [observedD1(round, run), observedDeletions(round, work)]
  const outcome = await outcomeOf(work.run({ ...work.vault, DB, DELETIONS }))
  round.log.push(`${run.name}: ${'code' in outcome ? String(outcome.error) : 'ok'}`)
  round.faults.push(
    ...judgeOutcome(run, outcome, round.left).map((fault) => `${run.name}: ${fault}`),
  )
}

const LOST = ['D1_ERROR: Network connection lost.', 'D1_ERROR: D1 DB is overloaded.'] as const
/** What fails is tried again after 5 seconds. */
const UNFAILING = new Set(['reveal', 'use'])

/** The real D1, where each round trip waits for its turn, and may fail, and each change is judged. */
function observedD1(round: Round, run: Run): D1Database {
  const { turns, world } = round
  const { work, name, steps } = run
  const { maybe, pick } = world.choices
  return interceptD1(async (send) =>
    turns.inTurn(async () => {
      const failure =
        !UNFAILING.has(work.kind) && work.name !== LAST_COPY && maybe(0.04) ? pick(LOST) : null
      const isDone = failure === null || maybe(0.5)
      if (failure !== null) run.isInDoubt = true
      const before = round.state
      const result = isDone ? await outcomeOf(send()) : null
      const after = hasRead(result) ? before : await readState(round.service)
      const step = compare(before, after)
      steps.push(step)
      round.log.push(
        `    ${name} ${failure ?? ''}${isDone ? '' : ' not done'}${describeStep(step)}`,
      )
      const isTransaction = result !== null && 'value' in result && Array.isArray(result.value)
      const trip = { before, after, buried: round.buried, isDone: isTransaction }
      const faults = result === null ? [] : judge(work, trip)
      round.faults.push(...faults.map((fault) => `${name}: ${fault}`))
      look(work, before, round.buried)
      for (const { identity, userId } of after.keys.values()) round.owners.set(identity, userId)
      const removed = new Set(step.removed.values())
      for (const [identity, userId] of round.owners) {
        if (removed.has(userId)) round.left.add(identity)
      }
      for (const identity of [...after.users.keys(), ...after.keys.keys()]) round.seen.add(identity)
      // A user who is added again while the heartbeat is late has another one.
      for (const identity of before.users.keys()) {
        if (!after.users.has(identity) && !step.removed.has(identity)) round.seen.delete(identity)
      }
      round.state = after
      if (failure !== null || result === null) throw new Error(failure ?? '')
      if ('code' in result) throw result.error
      return result.value
    }),
  )
}

/** Whether the round trip surely has changed nothing. */
function hasRead(result: Outcome | null): boolean {
  if (result === null) return true
  if ('code' in result) return false
  const results = Array.isArray(result.value) ? result.value : [result.value]
  return results.every((one) => one?.meta?.rows_written === 0)
}

/** The real second store, where each question waits for its turn. */
function observedDeletions({ turns, buried }: Round, { saw }: Work) {
  const getByName = (name: string) => {
    const store = env.DELETIONS.getByName(name)
    return {
      exchange: async (copied: number, gone: readonly string[]): Promise<Exchange> =>
        turns.inTurn(async () => {
          const answer = await store.exchange(copied, gone)
          for (const identity of [...gone, ...answer.missing]) buried.add(identity)
          return answer
        }),
      isGone: async (identity: string) =>
        turns.inTurn(async () => {
          const isGone = await store.isGone(identity)
          if (isGone) saw.gone.add(identity)
          return isGone
        }),
    }
  }
  return Object.assign(Object.create(env.DELETIONS), { getByName })
}

/** The codes that say that something is wrong, and not that a request is. */
const BROKEN = new Set(['internal', 'server_misconfigured'])

/** Whether the work did what it answered. */
function judgeOutcome(
  { work: { kind, saw }, steps, isInDoubt }: Run,
  outcome: Outcome,
  left: ReadonlySet<string>,
): string[] {
  // Between two attempts its user may be removed, and added again. The second one then does what a later request would.
  const isKept = ({ identity }: { identity: string }) => !(isInDoubt && left.has(identity))
  const saves = steps.map(({ come }) => come).filter((come) => come.length > 0)
  const saved = saves.filter(
    (come, index) => index === saves.length - 1 || come.some(isKept),
  ).length
  const deleted = steps.filter(
    ({ gone, met }) => met === null && gone.some(({ identity }) => !saw.gone.has(identity)),
  ).length
  const done = kind === 'save' ? saved : kind === 'delete' ? deleted : 0
  if ('code' in outcome) {
    const { code, error } = outcome
    const isBroken = BROKEN.has(code) || (code === 'database_busy' && !isInDoubt)
    return [
      ...(isBroken ? [`${code} ${String(error)}`] : []),
      ...(done > (isInDoubt ? 1 : 0) ? ['refused, and done'] : []),
    ]
  }
  const { value } = outcome
  if (kind === 'save') return saved === 1 ? [] : [`saved ${saved} times`]
  if (kind === 'delete') {
    // A restored database may have only a key that is gone. Its deletion is one too.
    const isAgain = value === true && steps.some(({ gone, met }) => met === null && gone.length > 0)
    const isForgotten = value === false && !steps.some(({ gone }) => gone.some(isKept))
    const isDone = isForgotten || deleted === (value === true ? 1 : 0) || (deleted === 0 && isAgain)
    return isDone ? [] : [`deleted ${deleted} times`]
  }
  if (kind === 'limit') return value === true || isInDoubt ? [] : ['another pause']
  const isShown = kind === 'reveal' && typeof value === 'string'
  return isShown && !saw.usable.has(value) ? [`not usable: ${value}`] : []
}

/** Each one that is gone has a tombstone, and no living one has. */
function judgeTombstones({ state, buried, seen, faults }: Round): void {
  const living = new Set([...state.users.keys(), ...state.keys.keys()])
  for (const identity of seen) {
    const isKnown = buried.has(identity) || state.tombstones.has(identity)
    if (!living.has(identity) && !isKnown) faults.push(`no tombstone: ${identity}`)
  }
  for (const identity of living) {
    if (buried.has(identity)) faults.push(`lives although it is gone: ${identity}`)
  }
}
