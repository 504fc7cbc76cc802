/** Kills the vault again and again while clients change keys, and looks for what is lost. */

import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen, stop } from '../lib/local-server.ts'
import { randomOf } from '../lib/random.ts'
import { createClient, previewOf, SCOPE, type Client } from './client.ts'
import { findLosses, noteMade, type Slot } from './slot.ts'
import { startVaultProcess } from './vault-process.ts'

const USERS = ['ann', 'bob', 'eve', 'joe']
const PROVIDERS = ['default', 'openai', 'anthropic']
/** A kill comes after at most so many acknowledged changes, and then within so many milliseconds. */
const CHANGES = 150
const SPREAD_MS = 10

/** What came of it. */
export interface Outcome {
  kills: number
  acknowledged: number
  /** Changes that were under way at a kill, and those of them that the vault had made. */
  cut: number
  made: number
  uses: number
  jobs: number
  /** What is wrong, one sentence each. */
  wrong: string[]
}

/** Another seed makes other choices. The timing differs in every run. */
export async function killRepeatedly(kills: number, seed: number): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'vault-kill-'))
  const provider = createServer((_, response) => response.end('{}'))
  const origin = `http://127.0.0.1:${await listen(provider)}`
  try {
    return await runRounds({ kills, random: randomOf(seed), directory, origin })
  } finally {
    await stop(provider)
    rmSync(directory, { recursive: true })
  }
}

interface Rounds {
  kills: number
  random: () => number
  directory: string
  origin: string
}

async function runRounds({ kills, random, directory, origin }: Rounds): Promise<Outcome> {
  const secret = randomBytes(32).toString('hex')
  const keys = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
  const slots = makeSlots()
  const outcome = { kills: 0, acknowledged: 0, cut: 0, made: 0, uses: 0, jobs: 0 }
  const wrong: string[] = []
  for (let round = 0; round <= kills; round += 1) {
    // The first key changes with each start, so that the job has rows to seal again.
    const bindings = {
      API_KEY_ENCRYPTION_KEY: (round % 2 === 0 ? keys : keys.toReversed()).join(','),
      JWT_SECRET_KEY: secret,
      AUTO_CREATE_USERS: 'true',
      RELAY_SCOPE: SCOPE,
      REWRAP_ROWS_PER_RUN: '1',
      VERIFY_ON_SAVE: 'false',
      PROVIDERS: JSON.stringify({ openai: { origin } }),
    }
    // oxlint-disable no-await-in-loop -- one vault after the other
    const vault = await startVaultProcess({
      directory,
      bindings,
      isNew: round === 0,
      jobPauseMs: 0,
    })
    try {
      const client = createClient(vault.url, secret)
      wrong.push(...(await checkSlots(client, slots, outcome)))
      if (round === kills) continue
      await load({ client, slots, random, kill: vault.kill, outcome })
      outcome.kills += 1
      outcome.jobs += vault.jobs()
    } finally {
      await vault.kill()
    }
    // oxlint-enable no-await-in-loop
  }
  return { ...outcome, wrong }
}

function makeSlots(): Slot[] {
  return USERS.flatMap((userId) =>
    PROVIDERS.map((provider) => ({
      userId,
      provider,
      key: null,
      events: new Map<string, string>(),
      pending: null,
    })),
  )
}

type Counts = Omit<Outcome, 'wrong'>

async function checkSlots(client: Client, slots: Slot[], counts: Counts): Promise<string[]> {
  const checks = slots.map(async (slot) => {
    const { pending } = slot
    const wrong = findLosses(slot, await client.show(slot))
    if (pending !== null) counts.cut += 1
    if (pending !== null && slot.events.has(pending.requestId)) counts.made += 1
    return wrong
  })
  return (await Promise.all(checks)).flat()
}

interface Load {
  client: Client
  slots: Slot[]
  random: () => number
  kill: () => Promise<void>
  outcome: Counts
}

/**
 * Changes and uses keys until the vault dies. It returns after the last connection to the vault has ended.
 *
 * @throws Error if the vault refuses a request, or dies before it is killed
 */
async function load({ client, slots, random, kill, outcome }: Load): Promise<void> {
  const killAt = outcome.acknowledged + 1 + Math.floor(random() * CHANGES)
  const spread = random() * SPREAD_MS
  const killing: Promise<void>[] = []
  const change = async (slot: Slot) => {
    const number = Math.floor(random() * 1e8)
    const preview = random() < 0.3 ? null : previewOf(number)
    slot.pending = { requestId: randomUUID(), preview }
    noteMade(slot, slot.pending, await client.change(slot, slot.pending))
    outcome.acknowledged += 1
    if (outcome.acknowledged === killAt) killing.push(sleep(spread).then(kill))
  }
  const use = async (userId: string) => {
    if (await client.use(userId)) outcome.uses += 1
  }
  /** Repeats `work` until the vault is dead. */
  const repeat = async (work: () => Promise<void>) => {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      for (;;) await work()
    } catch (error) {
      if (!(error instanceof TypeError) || killing.length === 0) throw error
    }
  }
  await Promise.all([
    ...slots.map(async (slot) => repeat(async () => change(slot))),
    ...USERS.map(async (userId) => repeat(async () => use(userId))),
  ])
  await Promise.all(killing)
}
