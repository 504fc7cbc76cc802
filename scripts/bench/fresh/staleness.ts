/** Measures how long four isolates go on using a key that one of them has changed. */

import { setTimeout as sleep } from 'node:timers/promises'
import { randomOf } from '../../lib/random.ts'
import { inSeconds, signToken } from '../../lib/token.ts'
import { send } from './call.ts'
import { KINDS, OLD_KEY, SLOT, type Kind } from './changes.ts'
import { startProvider, type Arrival } from './provider.ts'
import { startVaults, type Vaults } from './vaults.ts'

const FRESH_SECONDS = 10
const EVERY_MS = 100
const SEED = 1
/** How long the keys are used before the changes. */
const WARM_MS = 2_000
/** The isolates. The first one makes the changes. */
const BUSY = [0, 1]
/** It reads the key just before the change, and uses it again after a random time. */
const RESTING = 2
/** It reads the key just before the change, uses it all the time, and cannot read it anew. */
const CUT_OFF = 3
/** How long the resting isolate rests. */
const REST_MS = { least: 5_000, most: 9_000 }

/** A change that is made in this run. */
interface Case {
  name: string
  kind: Kind
  token: string
  /** Of the key. */
  path: string
  /** When the change was answered, or took effect: in milliseconds since the epoch. */
  changedAt: number
}

/** Prints the last use of each kind. Returns whether all of them were in time. */
export async function benchStaleness(): Promise<boolean> {
  const provider = await startProvider()
  const isolates = Array.from({ length: 4 }, () => ({
    database: 'shared',
    freshSeconds: FRESH_SECONDS,
  }))
  const vaults = await startVaults(isolates, provider.origin)
  const use = useWith(vaults, provider.origin)
  try {
    const cases = await prepare(vaults)
    await useAndChange(vaults, cases, use)
    const rows = cases.map((made) => lastUses(made, provider.arrivals))
    console.table(rows)
    console.log(`Seconds from the change to the last use with the old key, which came to the provider; 0 if none did. The
keys are at hand for ${FRESH_SECONDS} s, and are used every ${EVERY_MS} ms. Seed ${SEED}.`)
    return rows.every((row) => row['uses where it was changed'] === 0 && row.most < FRESH_SECONDS)
  } finally {
    await vaults.close()
    provider.close()
  }
}

/** Saves a key for each change. */
async function prepare({ urls, secret }: Vaults): Promise<Case[]> {
  const cases = Object.entries(KINDS).map(async ([name, kind]): Promise<Case> => {
    const claims = { sub: name, team: name, role: 'admin', scope: 'relay', iat: inSeconds(-5) }
    const token = await signToken(claims, secret)
    const owner = kind.isTeams === true ? 'teams' : 'users'
    const path = `/api/${owner}/${name}/api-keys/${kind.slot ?? SLOT}`
    const expiry = Date.now() + (kind.expiresInMs ?? 0)
    const body = {
      api_key: OLD_KEY,
      ...(kind.expiresInMs !== undefined && { expires_at: new Date(expiry).toISOString() }),
    }
    await send(urls[0] + path, { method: 'PUT', token, body })
    return { name, kind, token, path, changedAt: expiry }
  })
  return Promise.all(cases)
}

type Use = (made: Case, isolate: number) => Promise<void>

/** Uses a key. The path of the use names the change, the isolate and the time. */
function useWith({ urls, caller }: Vaults, origin: string): Use {
  return async ({ name, kind, token }, isolate) => {
    const { slot = SLOT, hasTeam, isRelayed } = kind
    const path = `/${name}/${isolate}/${Date.now()}`
    const team = hasTeam === true ? { team: name } : {}
    const query = new URLSearchParams({ to: origin + path, ...team })
    const headers = { Authorization: `Bearer ${token}` }
    const response =
      isRelayed === true
        ? await fetch(`${urls[isolate]}/relay/${SLOT}${path}`, { method: 'POST', headers })
        : await fetch(`${caller}/${isolate}/${name}/${slot}?${query.toString()}`)
    await response.text()
  }
}

/** Makes one change after the other, while the keys are used. */
async function useAndChange(vaults: Vaults, cases: readonly Case[], use: Use): Promise<void> {
  const random = randomOf(SEED)
  const ended = new AbortController()
  const useOn = async (made: Case, isolate: number, restMs = 0) => {
    await sleep(restMs)
    while (!ended.signal.aborted) {
      const next = sleep(EVERY_MS)
      // oxlint-disable no-await-in-loop -- one use after the other
      await use(made, isolate)
      await next
      // oxlint-enable no-await-in-loop
    }
  }
  await vaults.setD1(CUT_OFF, 'not-anew')
  const uses = BUSY.flatMap((isolate) => cases.map(async (made) => useOn(made, isolate)))
  await sleep(WARM_MS)
  for (const made of cases) {
    // oxlint-disable no-await-in-loop -- so that each change comes soon after the reads
    await Promise.all([use(made, RESTING), use(made, CUT_OFF)])
    await change(vaults, made)
    // oxlint-enable no-await-in-loop
    const restMs = REST_MS.least + random() * (REST_MS.most - REST_MS.least)
    uses.push(useOn(made, CUT_OFF), useOn(made, RESTING, restMs))
  }
  const last = Math.max(...cases.map(({ changedAt }) => changedAt))
  await sleep(last + (FRESH_SECONDS + 1) * 1_000 - Date.now())
  ended.abort()
  await Promise.all(uses)
}

/** Makes a change, and notes when it was answered or took effect. */
async function change({ urls }: Vaults, made: Case): Promise<void> {
  const { token, path, name, kind } = made
  const asked = kind.change?.({ key: path, team: `/api/teams/${name}` })
  if (asked === undefined) return
  await send(urls[0] + asked.path, { ...asked, token })
  made.changedAt = asked.at ?? Date.now()
}

/** The last use with the old key in each isolate. @throws Error if one of them did not use the key before the change */
function lastUses({ name, changedAt }: Case, arrivals: readonly Arrival[]) {
  const old = arrivals.flatMap(({ path, key, at }) => {
    const [, of, isolate, askedAt] = path.split('/')
    return of === name && key === OLD_KEY
      ? [{ isolate: Number(isolate), askedAt: Number(askedAt), at }]
      : []
  })
  const secondsIn = (isolate: number) => {
    const times = old.filter((use) => use.isolate === isolate)
    if (!times.some(({ at }) => at <= changedAt)) throw new Error(`${name}: unused in ${isolate}`)
    const after = times.filter(({ askedAt }) => askedAt > changedAt)
    return Math.max(0, ...after.map(({ at }) => at - changedAt)) / 1_000
  }
  const [changed = 0, ...others] = [...BUSY, RESTING, CUT_OFF].map(secondsIn)
  const [busy = 0, resting = 0, cutOff = 0] = others
  return {
    change: name,
    'uses where it was changed': old.filter((use) => use.isolate === 0 && use.askedAt > changedAt)
      .length,
    'used on': busy,
    'used after a rest': resting,
    'not read anew': cutOff,
    most: Math.max(changed, ...others),
  }
}
