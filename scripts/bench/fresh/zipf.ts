/** Measures uses of the keys of few owners and of many, with keys at hand and without. Few of the owners have most of the uses. */

import type { Keyring } from '../../../src/crypto/keyring.ts'
import { sealKey } from '../../../src/crypto/seal.ts'
import { randomOf } from '../../lib/random.ts'
import { cpuOf, findChildren } from '../http/cpu.ts'
import { median } from '../http/report.ts'
import { peerOf, start } from '../http/workers.ts'
import type { Uses } from './caller-worker.ts'
import { OLD_KEY, SLOT } from './changes.ts'
import { startVaults, type Vaults } from './vaults.ts'

const OWNERS = [1, 100, 10_000]
const FRESH_SECONDS = [0, 10]
const SEED = 1
/** The users of a turn, one after the other. */
const DRAWN = 20_000
/** How long a vault is used before its turn counts, so that keys are at hand as in a longer run. */
const LEAD_MS = 3_000

/** What a vault did in a turn, in a second. */
interface Turn {
  uses: number
  /** The CPU time of a use in all Workers and in D1, in µs. */
  cpu: number
  calls: number
  statements: number
  /** The share of the uses that did not wait for D1. */
  hits: number
}

/** Prints the medians of the rounds, in each of which the vaults take turns. The first round does not count. */
export async function benchZipf(options: { rounds: number; seconds: number }): Promise<void> {
  const provider = start({ workers: [await peerOf('hello', {})] })
  const { origin } = await provider.unsafeGetDirectURL('hello')
  const vaults = await startVaults(
    FRESH_SECONDS.map((freshSeconds) => ({ database: 'shared', freshSeconds })),
    origin,
  )
  const cpu = cpuOf(findChildren(process.pid, 'workerd'))
  const [db] = vaults.databases
  if (db !== undefined) await seedKeys(db, vaults.keyring)
  for (const owners of OWNERS) {
    const turns = FRESH_SECONDS.map((): Turn[] => [])
    for (let round = -1; round < options.rounds; round += 1) {
      for (const [vault, own] of turns.entries()) {
        // oxlint-disable-next-line no-await-in-loop -- measured one after the other
        const turn = await takeTurn(vaults, { vault, origin, owners, round, cpu, ...options })
        if (round >= 0) own.push(turn)
      }
    }
    console.table(
      turns.map((own, vault) => figuresOf(own, { vault, owners, asking: turns[0] ?? [] })),
    )
  }
  console.log(
    `Zipf's law with an exponent of 1, seed ${SEED}. 16 uses at once by one Worker. The rate limiter is a stub.`,
  )
  await Promise.all([vaults.close(), provider.dispose()])
}

function figuresOf(
  turns: readonly Turn[],
  { vault, owners, asking }: { vault: number; owners: number; asking: readonly Turn[] },
) {
  const of = (figure: keyof Turn) => median(turns.map((turn) => turn[figure]))
  const ratios = turns.map(({ uses }, index) => uses / (asking[index]?.uses ?? uses))
  return {
    owners,
    USE_FRESH_SECONDS: FRESH_SECONDS[vault],
    'uses/s': Math.round(of('uses')),
    'times that of 0 s': Number(median(ratios).toFixed(2)),
    'CPU µs': Math.round(of('cpu')),
    'D1 round trips/s': Math.round(of('calls')),
    'statements/s': Math.round(of('statements')),
    'uses without D1, %': Number((of('hits') * 100).toFixed(1)),
  }
}

interface TakenTurn {
  vault: number
  /** Of the provider. */
  origin: string
  owners: number
  round: number
  seconds: number
  /** The CPU time of all Workers so far, in µs. */
  cpu: () => number
}

async function takeTurn(
  { caller, setD1 }: Vaults,
  { vault, origin, owners, round, seconds, cpu }: TakenTurn,
): Promise<Turn> {
  const use = async (part: string, ms: number): Promise<Uses> => {
    const users = drawUsers(owners, `${SEED} ${owners} ${round} ${part}`)
    const url = `${caller}/${vault}?to=${origin}&ms=${ms}`
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(users) })
    return response.json()
  }
  await use('lead', LEAD_MS)
  const before = await setD1(vault)
  const cpuBefore = cpu()
  const done = await use('turn', seconds * 1_000)
  const cpuOfTurn = cpu() - cpuBefore
  const after = await setD1(vault)
  if (done.refused > 0) throw new Error(`${done.refused} of ${done.uses} uses were refused`)
  return {
    uses: done.uses / done.seconds,
    cpu: cpuOfTurn / done.uses,
    calls: (after.calls - before.calls) / done.seconds,
    statements: (after.statements - before.statements) / done.seconds,
    hits: 1 - (after.waitedFor - before.waitedFor) / done.uses,
  }
}

/** The users of the uses in a turn: the one of rank n is drawn n times less often than the first. */
function drawUsers(owners: number, seed: string): string[] {
  const random = randomOf(seed)
  let sum = 0
  const sums = Array.from({ length: owners }, (_, index) => (sum += 1 / (index + 1)))
  return Array.from({ length: DRAWN }, () => {
    const drawn = random() * sum
    let [low, high] = [0, owners - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) > drawn) high = middle
      else low = middle + 1
    }
    return `user-${low}`
  })
}

/** Adds the users with a key each, which was used just now. */
async function seedKeys(db: D1Database, keyring: Keyring): Promise<void> {
  const sealing = Array.from({ length: Math.max(...OWNERS) }, async (_, index) => {
    const userId = `user-${index}`
    const { sealed, kid } = await sealKey(keyring, { userId, provider: SLOT }, OLD_KEY)
    return [userId, sealed, kid]
  })
  const json = JSON.stringify(await Promise.all(sealing))
  await db.batch([
    db.prepare('INSERT INTO users (id) SELECT value ->> 0 FROM json_each(?1)').bind(json),
    db
      .prepare(
        `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status, last_used_at)
           SELECT value ->> 0, ?2, value ->> 1, value ->> 2, 'active', strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
           FROM json_each(?1)`,
      )
      .bind(json, SLOT),
  ])
}
