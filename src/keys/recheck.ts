/** The recheck job: asks providers about keys that were neither used nor checked for some days. */

import { log } from '../log.ts'
import type { Service } from '../service.ts'
import { splitSlot } from '../shared/slot.ts'
import { updateRechecked } from '../store/api-keys.ts'
import { BULK_DEADLINE_MS, run, runBatch } from '../store/d1.ts'
import {
  claimUpTo,
  END,
  selectIdle,
  selectIdleKey,
  type Idle,
  type IdleKey,
} from '../store/recheck.ts'
import { isGone, readHeartbeat } from './gone.ts'
import { conditionEvents, record, stateAfterCheck } from './key-state.ts'
import { openAndLog } from './stored-key.ts'
import { tryAndLog } from './verify.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** How long the job rests between two laps, so that it asks about no key twice in that time. */
const REST_MS = DAY_MS
/** How many keys a run checks, so that no provider sees a burst. A key takes 2 of the 50 statements of the free plan. */
export const KEYS_PER_PROVIDER = 5
export const KEYS_PER_RUN = 15
/** A Worker has six connections at once, and the other jobs need some of them. */
const PROVIDERS_AT_ONCE = 4

/**
 * Checks the next idle keys, those of a provider one after the other. A run first claims its keys, so that no other run
 * checks them. If it breaks off, its keys wait for the next lap. A lap begins a day after the last one has ended. Without
 * `RECHECK_AFTER_DAYS`, the job does nothing.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function recheckKeys(service: Service): Promise<void> {
  const idle = readIdle(service)
  const claim = idle && (await claimKeys(service, idle))
  if (idle === null || claim === null) return
  let checked = 0
  const providers = Map.groupBy(claim.keys, ({ provider }) => provider).values()
  const checkNext = async () => {
    // The checkers take from one iterator, so each provider is asked by one of them.
    for (const keys of providers) {
      for (const { identity } of keys) {
        // oxlint-disable-next-line no-await-in-loop -- a provider gets one request after the other
        if (await recheckKey(service, identity, idle)) checked += 1
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: PROVIDERS_AT_ONCE }, checkNext))
  const { lapEnded: lap_ended } = claim
  if (checked > 0 || lap_ended) log('info', 'keys_rechecked', { checked, lap_ended })
  const failed = ends.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** Null if the job is off. */
function readIdle({ keyring, settings }: Service, now = Date.now()): Idle | null {
  const { recheckAfterDays, providers } = settings
  if (recheckAfterDays === null) return null
  const foreign = keyring.foreign === null ? [] : [keyring.foreign.kid]
  const probed = Array.from(providers).filter(([, { probe }]) => probe !== undefined)
  return {
    kids: [...keyring.keys.keys(), ...foreign],
    providers: probed.map(([name]) => name),
    since: new Date(now - recheckAfterDays * DAY_MS).toISOString(),
    now: new Date(now).toISOString(),
  }
}

/** Keys that no other run checks in this lap. */
interface Claim {
  keys: IdleKey[]
  lapEnded: boolean
}

/** Claims the next idle keys. Null between two laps, and if another run has claimed them. */
async function claimKeys(service: Service, idle: Idle): Promise<Claim | null> {
  const { db, settings } = service
  const rested = new Date(Date.parse(idle.now) - REST_MS).toISOString()
  // One key more than a run may check shows whether it has to stop before the end of its rows.
  const select = selectIdle(idle, { rested, limit: KEYS_PER_RUN + 1 })
  const [found, beat] = await runBatch(db, [select, ...readHeartbeat(settings)], BULK_DEADLINE_MS)
  const [lap] = found.results
  if (lap === undefined) return null
  const idleKeys = found.results.filter((row) => row.identity !== null)
  const keys = firstKeys(idleKeys)
  const last = keys.length < idleKeys.length ? keys.at(-1) : undefined
  const upTo = last?.identity ?? lap.upTo
  const areGone = await Promise.all(keys.map(async (key) => isGone(service, key, beat?.results[0])))
  const { meta } = await run(db, claimUpTo(upTo, lap, idle.now))
  if (meta.changes === 0) return null
  return { keys: keys.filter((_, index) => !areGone[index]), lapEnded: upTo === END }
}

/** The first of the keys, as many as a run may check. */
function firstKeys(found: readonly IdleKey[]): readonly IdleKey[] {
  const end = found.findIndex(({ provider }, index) => {
    const before = found.slice(0, index).filter((other) => other.provider === provider)
    return index === KEYS_PER_RUN || before.length === KEYS_PER_PROVIDER
  })
  return end === -1 ? found : found.slice(0, end)
}

/**
 * Asks the provider about the key, and records the answer if the key is still as it was read. An unknown answer changes
 * nothing.
 *
 * @returns false if the key is not idle any more, or does not open
 */
async function recheckKey(service: Service, identity: string, idle: Idle): Promise<boolean> {
  const now = new Date().toISOString()
  const [row] = (await run(service.db, selectIdleKey(identity, { ...idle, now }))).results
  const provider = row && service.settings.providers.get(splitSlot(row.provider).provider)
  if (row === undefined || provider === undefined) return false
  const owner = { service, userId: row.userId, by: { kind: 'job' } } as const
  const key = await openAndLog(owner, row)
  if (key.state !== 'open') return false
  const trial = await tryAndLog(owner, row.provider, { provider, credential: key })
  const { verdict, rejection: reason } = trial
  if (verdict === 'unknown') return true
  const at = new Date().toISOString()
  const state = stateAfterCheck(row, trial, at)
  const event = { event: 'rechecked', verdict, reason } as const
  const changes = state.status === row.status ? [] : [event]
  const events = [...changes, ...conditionEvents(row, state, {})]
  await record(owner, updateRechecked(row, { ...state, at }), { provider: row.provider, events })
  return true
}
