/** The clients of the kill test, and the kill. */

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomOf } from '../../scripts/lib/random.ts'
import { previewOf, type Client } from './client.ts'
import { patchOf } from './limits.ts'
import { makeImport, type Imports } from './imports.ts'
import { nameOf, noteMade, type Change, type Slot } from './slot.ts'

/** A kill comes after at most so many changes were sent. */
const CHANGES = 150
/** The kill comes after a part of the time that the last change took, times this. So most hit the vault at work. */
const SPREAD = 1.2

/** What the clients have done. */
export interface Counts {
  kills: number
  acknowledged: number
  /** Acknowledged changes of limits. */
  limited: number
  /** Changes that were under way at a kill, and those of them that the vault had made. */
  cut: number
  made: number
  imports: number
  uses: number
  jobs: number
}

interface Load {
  client: Client
  slots: Slot[]
  imports: Imports
  fernetKey: Uint8Array
  /** Names this round's random numbers. Each client has its own, so no other client's speed changes its choices. */
  seed: string
  kill: () => Promise<void>
  counts: Counts
}

/**
 * Changes, imports and uses keys until the vault dies. It returns after the last connection to the vault has ended.
 *
 * @throws Error if the vault refuses a request, or dies before it is killed
 */
export async function load(options: Load): Promise<void> {
  const { client, slots, imports, fernetKey, seed, counts } = options
  const { killing, time } = planKill(options)
  /** Repeats `work` until the vault is dead. */
  const repeat = async (name: string, work: (random: () => number) => Promise<void>) => {
    const random = randomOf(`${seed} ${name}`)
    try {
      for (;;) await work(random)
    } catch (error) {
      if (!(error instanceof TypeError) || killing.length === 0) throw error
    }
  }
  const change = async (slot: Slot, random: () => number) => {
    const sent = drawChange(slot, random)
    slot.pending = sent
    noteMade(slot, sent, await time(client.change(slot, sent)))
    counts.acknowledged += 1
    if (sent.method === 'PATCH') counts.limited += 1
  }
  const bring = async (random: () => number) => {
    const keys = await makeImport(randomUUID(), { fernetKey, random })
    imports.pending = keys.map(({ userId }) => userId)
    await time(client.import(keys))
    imports.acknowledged.push(imports.pending)
    imports.pending = null
    counts.imports += 1
  }
  const use = async (userId: string) => {
    if (await client.use(userId)) counts.uses += 1
  }
  const users = new Set(slots.map(({ userId }) => userId))
  await Promise.all([
    ...slots.map(async (slot) => repeat(nameOf(slot), async (random) => change(slot, random))),
    repeat('import', bring),
    ...Array.from(users, async (userId) => repeat(userId, async () => use(userId))),
  ])
  await Promise.all(killing)
}

/** It draws two numbers for any slot, so the next change does not depend on what this slot holds. */
function drawChange({ key }: Slot, random: () => number): Change {
  const [kind, number, requestId] = [random(), random(), randomUUID()]
  if (kind < 0.25) return { requestId, method: 'DELETE' }
  if (kind < 0.65 && key !== null) {
    return { requestId, method: 'PATCH', limits: patchOf(number, key.limits) }
  }
  return { requestId, method: 'PUT', preview: previewOf(number) }
}

/** Decides when to kill. `time` waits for a change that was sent, and may start the kill meanwhile. */
function planKill({ seed, slots, kill }: Load) {
  const random = randomOf(`${seed} kill`)
  // The first changes tell how long one takes.
  const killAt = 2 * slots.length + Math.floor(random() * CHANGES)
  const spread = random() * SPREAD
  const killing: Promise<void>[] = []
  let [sent, lastMs] = [0, 0]
  const time = async <T>(change: Promise<T>): Promise<T> => {
    sent += 1
    const startedAt = performance.now()
    if (sent === killAt) killing.push(sleep(spread * lastMs).then(kill))
    const answer = await change
    lastMs = performance.now() - startedAt
    return answer
  }
  return { killing, time }
}
