/** `npm run import -- FILE`: brings the previous backend's users and Fernet tokens into D1 as they are. */

import { parseArgs } from 'node:util'
import { FERNET_KID } from '../src/crypto/keyring.ts'
import { DEFAULT_SLOT } from '../src/shared/slot.ts'
import { BULK_DEADLINE_MS, runBatch } from '../src/store/d1.ts'
import {
  insertImportedUsers,
  toImportedUsers,
  upsertImported,
  upsertImportedKeys,
  type ImportedUser,
} from '../src/store/imported-users.ts'
import { noteAllReplaced, noteKid } from '../src/store/kids.ts'
import { runCommand } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { openUserFile, type UserFile } from './lib/import-file.ts'
import { formatCount, startBar } from './lib/progress.ts'

const USAGE = `Usage: npm run import -- FILE [--remote]

FILE: CSV with a header, or NDJSON, with the fields id and encrypted_api_key; or a SQLite database with
a table users of those columns. It may be run again at any time, with a newer FILE too.`
/** Characters of ids and tokens in a batch. As JSON, with three bytes a character, D1 takes 2,000,000. */
const BATCH_LENGTH = 500_000
/** What a user has in the JSON besides id and token. */
const USER_LENGTH = 50

interface Report {
  read: number
  usersAdded: number
  keysAdded: number
  alreadyThere: number
  refused: string[]
  interrupted: boolean
}

async function importFile(
  db: D1Database,
  { total, lines }: UserFile,
  report: Report,
): Promise<void> {
  // The local database's own listener would end the process in the middle of a batch.
  process.removeAllListeners('SIGINT').on('SIGINT', () => (report.interrupted = true))
  const bar = startBar('Importing')
  let [batch, length]: [ImportedUser[], number] = [[], 0]
  for await (const { line, read, ...user } of lines) {
    report.read += 1
    if ('refused' in user) {
      report.refused.push(`line ${line} ${user.refused}`)
      continue
    }
    batch.push(user)
    length += user.id.length + (user.token?.length ?? 0) + USER_LENGTH
    if (length < BATCH_LENGTH) continue
    await insert(db, batch, report)
    if (report.interrupted) throw new Error('Interrupted')
    ;[batch, length] = [[], 0]
    bar.move(read, total)
  }
  if (batch.length > 0) await insert(db, batch, report)
  bar.move(total, total)
  bar.stop()
}

/**
 * Writes a batch in one transaction. A key is as old as its token says: one that was imported already
 * at that age is left out, and it replaces no key that was saved later.
 */
async function insert(db: D1Database, users: ImportedUser[], report: Report): Promise<void> {
  const imported = toImportedUsers(users)
  const ids = users.map(({ id }) => id)
  const statements = [
    noteAllReplaced(ids, DEFAULT_SLOT),
    noteKid(FERNET_KID),
    insertImportedUsers(imported),
    upsertImportedKeys(imported),
    upsertImported(imported),
  ]
  const [, , usersAdded, keysAdded, news] = await runBatch(db, statements, BULK_DEADLINE_MS)
  report.usersAdded += usersAdded?.meta.changes ?? 0
  report.keysAdded += keysAdded?.meta.changes ?? 0
  report.alreadyThere += users.length - (news?.meta.changes ?? 0)
}

function describe(report: Report): string {
  const rows: [string, number][] = [
    ['Read', report.read],
    ['Users added', report.usersAdded],
    ['Keys added', report.keysAdded],
    ['Already there', report.alreadyThere],
    ['Refused', report.refused.length],
  ]
  const lines = rows.map(([name, count]) => `${name.padEnd(14)}${formatCount(count).padStart(12)}`)
  return [...lines, ...report.refused.map((reason) => `  ${reason}`)].join('\n')
}

await runCommand(USAGE, async () => {
  const { values: where, positionals } = parseArgs({
    allowPositionals: true,
    options: { remote: { type: 'boolean', default: false } },
  })
  const [file, ...rest] = positionals
  if (file === undefined || rest.length > 0) return 2
  const counts = { read: 0, usersAdded: 0, keysAdded: 0, alreadyThere: 0 }
  const report: Report = { ...counts, refused: [], interrupted: false }
  const users = await openUserFile(file)
  await withDatabase(where, async (db) => importFile(db, users, report)).catch((error: unknown) => {
    if (report.read > 0) console.log(`${describe(report)}\nIt was cut off: run it again.`)
    throw error
  })
  console.log(describe(report))
  if (report.read === 0) throw new Error(`${file} has no users`)
  return report.refused.length > 0 ? 1 : 0
})
