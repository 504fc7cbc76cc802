/** The job that moves users from one map to the next. It dies at times, and at times runs twice. */

import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod/mini'
import { databaseOf, type Maps } from './shards-map.ts'
import type { MoveCost } from './shards-move.ts'
import type { Vault } from './shards-vault.ts'

const MOVES_AT_ONCE = 4
/** So long two versions answer requests side by side. */
const ROLLOUT_MS = 200
/** How many of the moves die, and how many run twice at once. */
const [CRASHES, DOUBLES] = [0.1, 0.1]

/** What the job has done. */
export interface Moves extends MoveCost {
  moves: number
  crashes: number
  doubles: number
}

/** The job. */
export interface Mover {
  vault: Vault
  random: () => number
  /** The deliberate mistake of a move. */
  copiesFirst: boolean
  /** The users that are being moved. */
  moving: Set<string>
  done: Moves
}

/** Deploys both maps, moves the users whose database changes, and takes the first map away. */
export async function moveUsers(mover: Mover, users: readonly string[], maps: Maps): Promise<void> {
  const { vault, random } = mover
  await deploy(vault, maps)
  const places = await Promise.all(
    users.map(async (userId) => ({
      userId,
      order: random(),
      isMoved: (await databaseOf(userId, maps.from)) !== (await databaseOf(userId, maps.to)),
    })),
  )
  const moved = places.filter(({ isMoved }) => isMoved)
  const queue = moved.toSorted((one, other) => one.order - other.order).values()
  await Promise.all(
    Array.from({ length: MOVES_AT_ONCE }, async () => {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      for (const { userId } of queue) await moveOne(mover, userId)
    }),
  )
  await deploy(vault, { from: 0, to: maps.to })
  await Promise.all(vault.databases.map(forgetDepartures))
}

/** One Worker after the other: meanwhile they disagree about the maps. */
async function deploy({ workers, deploy: deployTo }: Vault, maps: Maps): Promise<void> {
  for (const worker of workers) {
    deployTo(worker, maps)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await sleep(ROLLOUT_MS)
  }
}

async function moveOne(mover: Mover, userId: string): Promise<void> {
  const { random, moving, done } = mover
  moving.add(userId)
  if (random() < CRASHES) {
    done.crashes += 1
    await run(mover, userId, random() < 0.5 ? 'departed' : 'arrived')
  }
  const isDouble = random() < DOUBLES
  if (isDouble) done.doubles += 1
  const runs = isDouble ? [run(mover, userId), run(mover, userId)] : [run(mover, userId)]
  await Promise.all(runs)
  done.moves += 1
  moving.delete(userId)
}

const cost = z.object({ read: z.number(), written: z.number() })

async function run({ vault, random, copiesFirst, done }: Mover, userId: string, crash = '') {
  const worker = vault.workers[Math.floor(random() * vault.workers.length)] ?? ''
  const query = { crash, copiesFirst: String(copiesFirst) }
  const { status, text } = await vault.askWorker(worker, 'POST', userId, query)
  if (status !== 200) throw new Error(`A move answered ${status}: ${text}`)
  const { read, written } = cost.parse(JSON.parse(text))
  done.read += read
  done.written += written
}

async function forgetDepartures(db: D1Database): Promise<void> {
  await db.prepare('DELETE FROM departures WHERE payload IS NULL').run()
}
