/** `npm run import -- FILE`: brings the previous backend's users and Fernet tokens into D1 as they are. */

import { parseArgs } from 'node:util'
import { FERNET_KID } from '../src/crypto/keyring.ts'
import { VaultError } from '../src/errors.ts'
import { BUILT_IN } from '../src/providers/built-in.ts'
import { isProviderName } from '../src/providers/table.ts'
import { DEFAULT_SLOT } from '../src/shared/slot.ts'
import { BULK_DEADLINE_MS, runBatch } from '../src/store/d1.ts'
import {
  insertImportedUsers,
  toImportedKeys,
  upsertImported,
  upsertImportedKeys,
} from '../src/store/imported-keys.ts'
import { noteAllReplaced, noteKid } from '../src/store/kids.ts'
import { runCommand } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { openUserFile, type Line, type UserFile } from './lib/import-file.ts'
import { Report } from './lib/import-report.ts'
import { findMissingKids, nameTokenFault, NOT_OPENED, readLegacyKeys } from './lib/legacy-key.ts'
import type { LegacyKeys } from './lib/legacy-key.ts'
import { startBar } from './lib/progress.ts'

const USAGE = `Usage: npm run import -- FILE [--provider NAME] [--remote]
         [--id-column NAME] [--key-column NAME] [--table NAME]

FILE: CSV or tab-separated with a header, NDJSON, or a SQLite database. Of each user it has the fields id
and encrypted_api_key (or those that are named), and may have the field provider. Keys without one go to
the slot of --provider, otherwise to the plain route's. It may be run again at any time, with a newer
FILE too. LEGACY_FERNET_KEY, in .dev.vars or for --remote in the environment, has the keys checked.`
/** Characters of ids and tokens in a batch. As JSON, with three bytes a character, D1 takes 2,000,000. */
const BATCH_LENGTH = 500_000
/** What a user has in the JSON besides id and token. */
const USER_LENGTH = 90
/** One that opens is enough to begin with; all are tried when they are written. */
const TRIED_TOKENS = 1_000
const AGAIN = 'D1 did not take the rest this time. Nothing was lost: run this again.'

/** A user's key, and the line that it comes from. */
type ReadKey = Exclude<Line, { refused: string }>

async function importFile(
  db: D1Database,
  { total, lines }: UserFile,
  { report, legacyKeys }: { report: Report; legacyKeys: LegacyKeys | null },
): Promise<void> {
  // The local database's own listener would end the process in the middle of a batch.
  process.removeAllListeners('SIGINT').on('SIGINT', () => (report.interrupted = true))
  const bar = startBar('Importing')
  let [batch, length]: [ReadKey[], number] = [[], 0]
  const flush = async () => {
    if (legacyKeys !== null) await checkTokens(batch, legacyKeys, report)
    await insert(db, batch, report)
    if (report.interrupted)
      throw new Error('It was interrupted. Run it again to bring in the rest.')
    ;[batch, length] = [[], 0]
  }
  for await (const line of lines) {
    if (!report.count(line)) continue
    batch.push(line)
    length += line.userId.length + (line.token?.length ?? 0) + USER_LENGTH
    if (length < BATCH_LENGTH) continue
    await flush()
    bar.move(line.read, total)
  }
  if (batch.length > 0) await flush()
  bar.move(total, total)
  bar.stop()
}

/** Tries each token of a batch, and reports those that are no use. */
async function checkTokens(keys: ReadKey[], legacyKeys: LegacyKeys, report: Report): Promise<void> {
  const faults = await Promise.all(keys.map(async (key) => nameTokenFault(legacyKeys, key)))
  for (const [index, fault] of faults.entries()) {
    if (fault !== null) report.doubt(keys[index]?.line ?? 0, fault)
  }
}

/** @throws Error if none of the first tokens opens: then the key is wrong, and nothing should be written */
async function requireOpening({ lines }: UserFile, legacyKeys: LegacyKeys): Promise<void> {
  let tried = 0
  for await (const line of lines) {
    if ('refused' in line || line.token === null) continue
    if ((await nameTokenFault(legacyKeys, line)) !== NOT_OPENED) return
    tried += 1
    if (tried === TRIED_TOKENS) break
  }
  if (tried === 0) return
  throw new Error(
    `LEGACY_FERNET_KEY opens none of the keys that were tried (${tried}), so nothing was imported.\n` +
      "Set it to the previous backend's Fernet key, then run this again.",
  )
}

/**
 * Writes a batch in one transaction. A key is as old as its token says: one that was imported already
 * at that age is left out, and it replaces no key that was saved later.
 */
async function insert(db: D1Database, keys: ReadKey[], report: Report): Promise<void> {
  const imported = toImportedKeys(keys)
  const statements = [
    noteAllReplaced(imported),
    noteKid(FERNET_KID),
    insertImportedUsers(imported),
    upsertImportedKeys(imported),
    upsertImported(imported),
  ]
  const [, , users, added, news] = await runBatch(db, statements, BULK_DEADLINE_MS)
  report.wrote(keys.length, {
    users: users?.meta.changes ?? 0,
    keys: added?.meta.changes ?? 0,
    news: news?.meta.changes ?? 0,
  })
}

/** Whether D1 did not take a batch, and will take it later. */
function isBusy(error: unknown): error is VaultError & { cause: Error } {
  return (
    error instanceof VaultError && error.code === 'database_busy' && error.cause instanceof Error
  )
}

await runCommand(USAGE, async () => {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      remote: { type: 'boolean', default: false },
      provider: { type: 'string', default: DEFAULT_SLOT },
      table: { type: 'string', default: 'users' },
      'id-column': { type: 'string', default: 'id' },
      'key-column': { type: 'string', default: 'encrypted_api_key' },
    },
  })
  const [file, ...rest] = positionals
  const { provider, table, 'id-column': id, 'key-column': key } = options
  const isSlot = provider === DEFAULT_SLOT || isProviderName(provider)
  if (file === undefined || rest.length > 0 || !isSlot) return 2
  const layout = { id, key, provider, table }
  const users = await openUserFile(file, layout)
  const legacyKeys = await readLegacyKeys(options)
  if (legacyKeys !== null) await requireOpening(await openUserFile(file, layout), legacyKeys)
  const report = new Report(new Set([DEFAULT_SLOT, ...Object.keys(BUILT_IN)]))
  await withDatabase(options, async (db) => {
    await importFile(db, users, { report, legacyKeys })
    if (legacyKeys !== null) report.missingKids = await findMissingKids(db, legacyKeys)
  }).catch((error: unknown) => {
    if (!report.isFirstBatch) console.log(report.describe(options, legacyKeys !== null))
    throw isBusy(error) ? new Error(`${error.cause.message}\n${AGAIN}`, { cause: error }) : error
  })
  if (report.isEmpty) throw new Error(`${file} has no users`)
  console.log(report.describe(options, legacyKeys !== null))
  return report.isClean ? 0 : 1
})
