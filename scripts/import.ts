/** `npm run import -- FILE`: the users and Fernet tokens of a backend before, as they are, into D1. */

import { parseArgs } from 'node:util'
import { readFernetTime } from '../src/crypto/fernet.ts'
import { FERNET_KEY_ID } from '../src/crypto/seal.ts'
import { runCommand } from './command.ts'
import { openUserFile, type User } from './import-file.ts'
import { formatCount, startBar } from './progress.ts'
import { queryD1, type Where } from './wrangler.ts'

const USAGE = `Usage: npm run import -- FILE [--remote]

FILE: CSV with a header, or NDJSON, with the fields id and encrypted_api_key; or a SQLite database with
a table users of those columns. It may be run again at any time, with a newer FILE too.`
/** Bytes of SQL in a call: Linux takes 131,072 in an argument, D1 100,000 in a statement. */
const BATCH_BYTES = 60_000
/** What a row has besides its id, three times, and its token. */
const ROW_BYTES = 120

interface Report {
  read: number
  usersAdded: number
  keysAdded: number
  alreadyThere: number
  refused: string[]
  interrupted: boolean
}

async function importFile(file: string, where: Where, report: Report): Promise<void> {
  const { total, lines } = await openUserFile(file)
  const bar = startBar('Importing')
  let [batch, length]: [User[], number] = [[], 0]
  for await (const { line, read, ...user } of lines) {
    report.read += 1
    if ('refused' in user) {
      report.refused.push(`line ${line} ${user.refused}`)
      continue
    }
    batch.push(user)
    length += Buffer.byteLength(sqlJson([user.id, user.id, user.id, user.token])) + ROW_BYTES
    if (length < BATCH_BYTES) continue
    await insert(batch, where, report)
    if (report.interrupted) throw new Error('Interrupted')
    ;[batch, length] = [[], 0]
    bar.move(read, total)
  }
  if (batch.length > 0) await insert(batch, where, report)
  bar.move(total, total)
  bar.stop()
}

/**
 * In one transaction. A key is as old as its token says: it is left out where that user's was imported
 * already at that age, and it replaces none that was saved later.
 */
async function insert(users: User[], where: Where, report: Report): Promise<void> {
  const rows = users.map(({ id, token }) => ({ id, token, savedAt: savedAt(token) }))
  const times = sqlJson(rows.map((row) => [row.id, row.savedAt]))
  const keys = sqlJson(
    rows.filter(({ token }) => token !== null).map((row) => [row.id, row.savedAt, row.token]),
  )
  const isNew = `NOT EXISTS (
    SELECT 1 FROM imported_users WHERE id = value ->> 0 AND saved_at >= value ->> 1)`
  const [, usersAdded = [], keysAdded = [], imported = []] = await queryD1(
    `INSERT INTO key_ids (key_id) VALUES ('${FERNET_KEY_ID}')
       ON CONFLICT (key_id) DO UPDATE SET state = 'in_use' WHERE state <> 'in_use';
     INSERT INTO users (id) SELECT value ->> 0 FROM json_each(${times}) WHERE ${isNew}
       ON CONFLICT DO NOTHING RETURNING 1;
     INSERT INTO api_keys (user_id, encrypted_api_key, key_id, updated_at)
       SELECT value ->> 0, value ->> 2, '${FERNET_KEY_ID}', value ->> 1 FROM json_each(${keys})
       WHERE ${isNew}
       ON CONFLICT (user_id, provider) DO UPDATE SET
         encrypted_api_key = excluded.encrypted_api_key, key_id = excluded.key_id,
         status = excluded.status, updated_at = excluded.updated_at, last_used_at = NULL
       WHERE excluded.updated_at > api_keys.updated_at RETURNING 1;
     INSERT INTO imported_users (id, saved_at)
       SELECT value ->> 0, value ->> 1 FROM json_each(${times}) WHERE TRUE
       ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at
       WHERE excluded.saved_at > imported_users.saved_at RETURNING 1`,
    where,
  )
  report.usersAdded += usersAdded.length
  report.keysAdded += keysAdded.length
  report.alreadyThere += users.length - imported.length
}

/** ISO 8601, UTC, as D1 holds times; '' where there is no key. */
function savedAt(token: string | null): string {
  return token === null ? '' : (readFernetTime(token)?.toISOString() ?? '')
}

/** JSON as an SQL literal, without a quote, a semicolon or a space that could be taken for SQL's. */
function sqlJson(value: unknown): string {
  const json = JSON.stringify(value)
  return `'${json.replaceAll(/[';\s]/g, escapeCharacter)}'`
}

function escapeCharacter(character: string): string {
  return String.raw`\u` + character.charCodeAt(0).toString(16).padStart(4, '0')
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
  process.on('SIGINT', () => (report.interrupted = true))
  await importFile(file, where, report).catch((error: unknown) => {
    console.log(`${describe(report)}\nIt was cut off: run it again.`)
    throw error
  })
  console.log(describe(report))
  if (report.read === 0) throw new Error(`${file} has no users`)
  return report.refused.length > 0 ? 1 : 0
})
