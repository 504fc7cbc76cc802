/** Kills the vault again and again while clients change keys, and looks for what is lost. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { createClient, SCOPE, TEAM, TEAM_VARIABLES, type Client } from './client.ts'
import { findImportLosses, type Imports } from './imports.ts'
import { load, type Counts } from './load.ts'
import { findForgotten, findLosses, type Slot } from './slot.ts'
import { startVaultProcess } from './vault-process.ts'

const USERS = ['ann', 'bob', 'eve', 'joe']
const SLOTS = ['default', 'openai', 'openai:work', 'anthropic']
/** Slots of the team. One user alone has no key, and uses these. */
const TEAM_SLOTS = ['openai', 'openai:日本']
const MEMBER = 'sue'

/** The result of a run. */
export interface Outcome extends Counts {
  /** What is wrong, one sentence each. */
  wrong: string[]
}

/**
 * Another seed makes other choices. Each client makes them by itself, so the same seed repeats them. The timing
 * differs in every run.
 */
export async function killRepeatedly(kills: number, seed: number): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'vault-kill-'))
  const provider = createServer((_, response) => response.end('{}'))
  const origin = `http://127.0.0.1:${await listen(provider)}`
  try {
    return await runRounds({ kills, seed, directory, origin })
  } finally {
    await stop(provider)
    rmSync(directory, { recursive: true })
  }
}

interface Rounds {
  kills: number
  seed: number
  directory: string
  origin: string
}

async function runRounds({ kills, seed, directory, origin }: Rounds): Promise<Outcome> {
  const secret = randomBytes(32).toString('hex')
  const keys = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
  const fernetKey = randomBytes(32)
  const slots = makeSlots()
  const imports: Imports = { acknowledged: [], pending: null }
  const counts = {
    kills: 0,
    acknowledged: 0,
    limited: 0,
    cut: 0,
    made: 0,
    imports: 0,
    uses: 0,
    jobs: 0,
  }
  const wrong: string[] = []
  for (let round = 0; round <= kills; round += 1) {
    // The first key changes with each start, so that the job has rows to seal again.
    const bindings = {
      API_KEY_ENCRYPTION_KEY: (round % 2 === 0 ? keys : keys.toReversed()).join(','),
      JWT_SECRET_KEY: secret,
      AUTO_CREATE_USERS: 'true',
      ...TEAM_VARIABLES,
      RELAY_SCOPE: SCOPE,
      LEGACY_FERNET_KEY: `${fernetKey.toString('base64url')}=`,
      REWRAP_ROWS_PER_RUN: '20',
      VERIFY_ON_SAVE: 'false',
      PROVIDERS: JSON.stringify({ openai: { origin } }),
    }
    const vault = await startVaultProcess({
      directory,
      bindings,
      isNew: round === 0,
      jobPauseMs: 0,
    })
    try {
      const client = createClient(vault.url, secret)
      wrong.push(...(await checkSlots(client, slots, counts)))
      wrong.push(...(await checkTables(client, slots, imports)))
      if (round === kills) continue
      const { kill } = vault
      await load({ client, slots, imports, fernetKey, seed: `${seed} ${round}`, kill, counts })
      counts.kills += 1
      counts.jobs += vault.jobs()
    } finally {
      await vault.kill()
    }
  }
  // A loss shows again after each later kill.
  return { ...counts, wrong: [...new Set(wrong)] }
}

function makeSlots(): Slot[] {
  return [
    ...USERS.flatMap((userId) => SLOTS.map((provider) => emptySlot({ userId, provider }))),
    ...TEAM_SLOTS.map((provider) => emptySlot({ userId: MEMBER, team: TEAM, provider })),
  ]
}

function emptySlot(slot: Pick<Slot, 'userId' | 'team' | 'provider'>): Slot {
  return { ...slot, key: null, events: new Map(), gone: new Set(), pending: null }
}

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

/** It comes after {@link checkSlots}, which finds out what became of the changes that were under way. */
async function checkTables(client: Client, slots: Slot[], imports: Imports): Promise<string[]> {
  const stored = await client.stored()
  const gone = new Set(stored.gone)
  return [
    ...findImportLosses(imports, stored),
    ...slots.flatMap((slot) => findForgotten(slot, gone)),
    ...stored.wrong,
  ]
}
