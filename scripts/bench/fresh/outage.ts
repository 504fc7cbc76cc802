/** Measures uses while D1 is stopped: which are answered, and which of them the trail has afterwards. */

import { setInterval as every, setTimeout as sleep } from 'node:timers/promises'
import type { EventsAnswer } from '../../../src/shared/answers.ts'
import { inSeconds, signToken } from '../../lib/token.ts'
import { send } from './call.ts'
import { OLD_KEY, SLOT } from './changes.ts'
import type { D1State } from './d1.ts'
import { startProvider } from './provider.ts'
import { startVaults, type Vaults, type VaultSetting } from './vaults.ts'

const OWNERS = 20
/** Of each vault. */
const USES_PER_SECOND = 50
const OUTAGES_S = [25, 90]
/** The owners begin one after the other in this time, so that their keys are read at different times. */
const BEGIN_S = 25
/** When D1 is stopped. */
const WARM_S = 30
/** How long the keys are used after D1 is back. */
const AFTER_S = 5
/** When the trail is read, after the last use. An isolate that nobody uses has written counts by then. */
const QUIET_S = 30
/** After this time, the first use of an owner also writes what was not worth a row before. */
const NEXT_HOUR_S = 66 * 60

const VAULTS: readonly VaultSetting[] = [
  { database: 'kept', freshSeconds: 60 },
  { database: 'asked', freshSeconds: 0 },
]

/** How long the last counts take to be written. */
const SETTLE_MS = 3_000

/** A use. The code is that of its refusal. Times are in milliseconds since the epoch. */
interface Use {
  owner: number
  askedAt: number
  code: string | null
}

/** Prints what each vault did in each outage. */
export async function benchOutage(): Promise<void> {
  for (const fails of ['lost', 'silent'] as const) {
    for (const seconds of OUTAGES_S) {
      // oxlint-disable-next-line no-await-in-loop -- one outage after the other
      console.table(await stopBoth({ fails, seconds }))
    }
  }
  console.log(`${USES_PER_SECOND} uses a second through each vault, of the keys of ${OWNERS} owners. "lost": each call of D1 fails at once.
"silent": it has no answer. "longest": of one owner, from the first refused use to the next one that was answered.
The trail is compared with the uses that were answered in the whole run: ${QUIET_S} s after the last one, and after another use of each
owner an hour later. What is missing then is lost.`)
}

interface Outage {
  fails: D1State
  seconds: number
}

/** Stops the D1 of both vaults. Returns the figures of each. */
async function stopBoth(outage: Outage) {
  const provider = await startProvider()
  const vaults = await startVaults(VAULTS, provider.origin)
  const owners = Array.from({ length: OWNERS }, async (_, owner) => {
    const id = `user-${owner}`
    return { id, token: await signToken({ sub: id, exp: inSeconds(4 * 3_600) }, vaults.secret) }
  })
  const run = { vaults, origin: provider.origin, owners: await Promise.all(owners), outage }
  try {
    return await Promise.all(VAULTS.map(async (_, vault) => stopOne(vault, run)))
  } finally {
    await vaults.close()
    provider.close()
  }
}

interface Owner {
  id: string
  token: string
}

interface Run {
  vaults: Vaults
  /** Of the provider. */
  origin: string
  owners: readonly Owner[]
  outage: Outage
}

async function stopOne(vault: number, run: Run) {
  const { vaults, owners } = run
  const { fails, seconds } = run.outage
  const url = vaults.urls[vault] ?? ''
  for (const { id, token } of owners) {
    const path = `/api/users/${id}/api-keys/${SLOT}`
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await send(url + path, { method: 'PUT', token, body: { api_key: OLD_KEY } })
  }
  const ended = new AbortController()
  const using = useKeys(vault, run, ended.signal)
  await sleep(WARM_S * 1_000)
  await vaults.setD1(vault, fails)
  const from = Date.now()
  await sleep(seconds * 1_000)
  await vaults.setD1(vault, 'up')
  const to = Date.now()
  await sleep(AFTER_S * 1_000)
  ended.abort()
  const uses = await using
  const trail = await countTrail(vault, run, uses)
  const asked = uses.filter(({ askedAt }) => askedAt >= from && askedAt < to)
  const refused = asked.flatMap(({ code }) => code ?? [])
  return {
    'D1 stopped, s': seconds,
    D1: fails,
    USE_FRESH_SECONDS: VAULTS[vault]?.freshSeconds,
    uses: asked.length,
    answered: asked.length - refused.length,
    refused: refused.length,
    codes: [...new Set(refused)].join(', '),
    'longest, s': Number(longestOf(uses).toFixed(1)),
    ...trail,
  }
}

/** Uses the keys of the owners in turn. */
async function useKeys(vault: number, run: Run, ended: AbortSignal): Promise<Use[]> {
  const { owners } = run
  const startedAt = Date.now()
  const uses: Promise<Use>[] = []
  let next = 0
  for await (const _ of every(1_000 / USES_PER_SECOND)) {
    const elapsed = Date.now() - startedAt
    if (ended.aborted) break
    // A timer that is late is followed by a shorter one.
    for (; next < (elapsed / 1_000) * USES_PER_SECOND; next += 1) {
      const owner = next % owners.length
      const hasBegun = elapsed >= (owner * BEGIN_S * 1_000) / owners.length
      if (hasBegun) uses.push(useOnce(urlOf(run, vault, owner), owner))
    }
  }
  return Promise.all(uses)
}

function urlOf({ vaults, owners, origin }: Run, vault: number, owner: number): string {
  return `${vaults.caller}/${vault}/${owners[owner]?.id}/${SLOT}?to=${origin}/`
}

async function useOnce(url: string, owner: number): Promise<Use> {
  const askedAt = Date.now()
  const response = await fetch(url)
  const body: { code?: string } = await response.json()
  return { owner, askedAt, code: response.ok ? null : (body.code ?? String(response.status)) }
}

/** The longest time in seconds in which an owner's uses were refused. */
function longestOf(uses: readonly Use[]): number {
  const since = new Map<number, number>()
  const times = uses.map(({ owner, askedAt, code }) => {
    const first = since.get(owner) ?? askedAt
    if (code === null) since.delete(owner)
    else since.set(owner, first)
    return askedAt - first
  })
  return Math.max(0, ...times) / 1_000
}

/** Compares the trail with the uses that were answered: soon after the last one, and after a use in the next hour. */
async function countTrail(vault: number, run: Run, uses: readonly Use[]) {
  const { vaults, owners } = run
  const count = async () => {
    const counts = await Promise.all(
      owners.map(async (owner) => usesOf(vaults.urls[vault] ?? '', owner)),
    )
    return counts.reduce((sum, used) => sum + used, 0)
  }
  const all = uses.filter(({ code }) => code === null).length
  await sleep(QUIET_S * 1_000)
  const inTrail = await count()
  await vaults.moveClock(vault, NEXT_HOUR_S)
  const last = await Promise.all(
    owners.map(async (_, owner) => useOnce(urlOf(run, vault, owner), owner)),
  )
  const more = last.filter(({ code }) => code === null).length
  await sleep(SETTLE_MS)
  return { 'answered in all': all, 'in the trail': inTrail, lost: all + more - (await count()) }
}

async function usesOf(url: string, { id, token }: Owner): Promise<number> {
  const path = `/api/users/${id}/api-key-events?limit=100`
  const { events } = await send<EventsAnswer>(url + path, { method: 'GET', token })
  const used = events.filter(({ event }) => event === 'used')
  return used.reduce((sum, { count = 1, errors = 0 }) => sum + count - errors, 0)
}
