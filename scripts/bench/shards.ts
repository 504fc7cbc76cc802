/** Users spread over several D1 databases: how evenly, and whether a write is lost when users move. */

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { formatCount } from '../lib/progress.ts'
import { randomOf } from '../lib/random.ts'
import { bucketOf, databaseOfBucket } from './shards-map.ts'
import { simulate, type Outcome } from './shards-simulation.ts'

const DATABASES = 8
const IDS = 100_000

/** The options of `npm run bench -- shards`. */
export interface ShardOptions {
  /** The seed of another run repeats that run's choices, but not its timing. */
  seed: number
  /** A deliberate mistake, which the run has to notice. */
  copiesFirst: boolean
}

/** @throws Error `ERR_PARSE_ARGS…` */
export function readShardOptions(args: string[]): ShardOptions {
  const options = { seed: { type: 'string' }, mistake: { type: 'boolean' } } as const
  const { seed, mistake = false } = parseArgs({ args, options }).values
  return { seed: seed === undefined ? randomInt(2 ** 32) : Number(seed), copiesFirst: mistake }
}

/** Prints the figures. It returns false if a write was lost, a read was stale, or a user was misplaced. */
export async function benchShards({ seed, copiesFirst }: ShardOptions): Promise<boolean> {
  console.log(`seed ${seed}${copiesFirst ? ', with the deliberate mistake' : ''}`)
  await printBalance()
  const outcome = await simulate({ random: randomOf(seed), copiesFirst })
  printOutcome(outcome)
  const { seen, lost, misplaced } = outcome
  return seen.stale + lost + misplaced === 0
}

/** Prints how many user ids each database gets, for user ids of three kinds. */
async function printBalance(): Promise<void> {
  const kinds = {
    'whole numbers': (index: number) => String(index),
    UUIDs: () => crypto.randomUUID(),
    'e-mail addresses': (index: number) => `user.${index}@example.com`,
  }
  for (const [kind, idOf] of Object.entries(kinds)) {
    const ids = Array.from({ length: IDS }, (_, index) => idOf(index))
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const buckets = await Promise.all(ids.map(bucketOf))
    const counts = Array.from({ length: DATABASES }, () => 0)
    let moved = 0
    for (const bucket of buckets) {
      const database = databaseOfBucket(bucket, DATABASES)
      counts[database] = (counts[database] ?? 0) + 1
      if (databaseOfBucket(bucket, DATABASES + 1) !== database) moved += 1
    }
    const off = Math.max(...counts.map((count) => Math.abs((count * DATABASES) / IDS - 1)))
    console.log(
      `${formatCount(IDS)} ${kind} in ${DATABASES} databases: ${counts.map(formatCount).join(' ')}, ` +
        `at most ${percent(off)} off the mean; a ninth database moves ${percent(moved / IDS)} of them`,
    )
  }
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`
}

function printOutcome({ users, clients, seconds, moved, seen, lost, misplaced }: Outcome): void {
  const each = (rows: number) => (rows / moved.moves).toFixed(1)
  const lines = [
    `${formatCount(users)} users of ${clients} clients, moved from 4 to 8 databases and back in ${seconds.toFixed(1)} s`,
    `${formatCount(moved.moves)} moves, of which ${moved.crashes} died once and ${moved.doubles} ran twice at once`,
    `a move reads ${each(moved.read)} rows and writes ${each(moved.written)}`,
    `${formatCount(seen.writes)} acknowledged writes, ${formatCount(seen.contested)} of them to a user that was being moved, and ${formatCount(seen.reads)} reads`,
    `${formatCount(seen.refused)} answers of 503, after each of which the client tried again; the longest request took ${seen.longestWaitMs.toFixed(0)} ms`,
    `reads that did not answer the last acknowledged key: ${seen.stale}`,
    `users whose last acknowledged key is lost: ${lost}`,
    `users that are not in their database alone: ${misplaced}`,
  ]
  for (const line of lines) console.log(line)
}
