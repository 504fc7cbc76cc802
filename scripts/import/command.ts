/** `npm run import -- FILE`: copies the Flask backend's users and Fernet tokens into D1 unchanged. */

import { VaultError } from '../../src/errors.ts'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { isProviderName } from '../../src/providers/table.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { importRows, type ImportedKey } from '../../src/import/imported-keys.ts'
import { callersPath } from '../lib/checkout.ts'
import { exitWith, JSON_OUTPUT, makeCommand, REMOTE, runCommand, YES } from '../lib/command.ts'
import { withDatabase } from '../lib/database.ts'
import { openUserFile, type Line, type UserFile } from './file.ts'
import { finishImports } from './finish.ts'
import { findMissing, removeMissing } from './missing.ts'
import { importPlain } from './plain.ts'
import { Report } from './report.ts'
import { nameTokenFault, NOT_OPENED, readFernetKeys } from './fernet-keys.ts'
import type { ForeignKeys } from '../../src/crypto/keyring.ts'
import { startBar } from '../lib/progress.ts'
import { announce } from '../lib/question.ts'
import { findWorkerKeys } from './worker-keys.ts'

const DETAILS = `
FILE is CSV with a header (also with semicolons, tabs or bars), NDJSON, or a SQLite database. You can run the import again at any
time, also with a newer FILE. It checks the keys if LEGACY_FERNET_KEY is set: in .dev.vars, or with --remote in the environment.
It lists the keys of an earlier import that FILE lacks.

For keys that are not encrypted: npm run import -- --plain --help`
/** The characters of a batch. D1 accepts 2,000,000 bytes of JSON, and a character may take three. */
const BATCH_LENGTH = 500_000
/** The characters that a user takes in the JSON besides id and token. */
const USER_LENGTH = 90
/** How many tokens are tried before the import begins. One that opens is enough: it tries the rest later. */
const TRIED_TOKENS = 1_000
const AGAIN = 'D1 did not accept the rest. Nothing was lost. Run the import again.'

/** A user's key with its line in the file. */
type ReadKey = Extract<Line, ImportedKey>

async function importFile(
  db: D1Database,
  { total, lines }: UserFile,
  { report, fernetKeys }: { report: Report; fernetKeys: ForeignKeys | null },
): Promise<void> {
  // The listener of the local database would end the process in the middle of a batch.
  process.removeAllListeners('SIGINT').on('SIGINT', () => (report.interrupted = true))
  const bar = startBar('Importing')
  let [keys, users, length]: [ReadKey[], ImportedKey[], number] = [[], [], 0]
  const flush = async () => {
    if (fernetKeys !== null) await checkTokens(keys, fernetKeys, report)
    if (keys.length > 0) await insert(db, keys, report)
    if (users.length > 0) await insertUsers(db, users, report)
    if (report.interrupted)
      throw new Error('The import was interrupted. Run it again to import the rest.')
    ;[keys, users, length] = [[], [], 0]
  }
  for await (const line of lines) {
    const user = 'refused' in line ? line.user : line
    if (report.count(line)) keys.push(line)
    else if (user !== null) users.push(user)
    if (user === null) continue
    length += user.userId.length + (user.token?.length ?? 0) + USER_LENGTH
    if (length < BATCH_LENGTH) continue
    await flush()
    bar.move(line.read, total)
  }
  if (length > 0) await flush()
  bar.move(total, total)
  bar.stop()
}

/** Tries each token of a batch, and reports those that cannot be used. */
async function checkTokens(
  keys: ReadKey[],
  fernetKeys: ForeignKeys,
  report: Report,
): Promise<void> {
  const faults = await Promise.all(keys.map(async (key) => nameTokenFault(fernetKeys, key)))
  for (const [index, key] of keys.entries()) {
    const fault = faults[index]
    if (typeof fault === 'string') report.doubt(key, fault)
  }
}

/** @throws Error if none of the first tokens opens: the key is then wrong, and nothing may be written */
async function requireOpening({ lines }: UserFile, fernetKeys: ForeignKeys): Promise<void> {
  let tried = 0
  for await (const line of lines) {
    if ('refused' in line || line.token === null) continue
    if ((await nameTokenFault(fernetKeys, line)) !== NOT_OPENED) return
    tried += 1
    if (tried === TRIED_TOKENS) break
  }
  if (tried === 0) return
  throw new Error(
    `LEGACY_FERNET_KEY opens none of the first keys (${tried} tried), so nothing was imported.\n` +
      "Set it to the Flask backend's Fernet key, then run the import again.",
  )
}

/**
 * Writes a batch in one transaction. The token holds the time at which the key was saved. A key that was
 * already imported with this time is skipped, and a key that was saved later is never overwritten.
 */
async function insert(db: D1Database, keys: ReadKey[], report: Report): Promise<void> {
  const results = await importRows(db, keys)
  const [users, , added, , , news] = results.map(({ meta }) => meta.changes)
  report.wrote(keys.length, { users: users ?? 0, keys: added ?? 0, news: news ?? 0 })
}

/**
 * Adds the users of refused lines without a key. Otherwise they would not exist after the move, and could not save
 * a key. An import of the mended line adds the key.
 */
async function insertUsers(db: D1Database, users: ImportedKey[], report: Report): Promise<void> {
  const [added] = await importRows(db, users)
  report.wroteUsers(added.meta.changes)
}

/** Whether D1 refused a batch that it will accept later. */
function isBusy(error: unknown): error is VaultError & { cause: Error } {
  return (
    error instanceof VaultError && error.code === 'database_busy' && error.cause instanceof Error
  )
}

const command = makeCommand(
  'import',
  "Copies the Flask backend's users and Fernet tokens from FILE into the database, unchanged.",
)
  .argument('[file]', 'the users of the Flask backend')
  .addOption(REMOTE)
  .addOption(JSON_OUTPUT)
  .addOption(YES)
  .option('--id-column <name>', 'the column of the user id', 'id')
  .option('--key-column <name>', 'the column of the Fernet token', 'encrypted_api_key')
  .option('--provider-column <name>', 'the column of the provider, by default provider')
  .option('--provider <name>', "the slot of keys without a provider, by default the plain route's")
  .option('--table <name>', 'the table of a SQLite database', 'users')
  .option('--remove-missing', 'removes the keys of an earlier import that FILE lacks', false)
  .option(
    '--remove-up-to <count>',
    'removes none if there are more; otherwise 2 % of the imported keys',
  )
  .option('--finish', 'forgets who and what was imported, after the last import')
  .addHelpText('after', DETAILS)
  .action(
    exitWith((file, options) =>
      options.finish ? finish(file, options) : importUsers(file, options),
    ),
  )

type Options = ReturnType<typeof command.opts>

async function finish(file: string | undefined, options: Options): Promise<number> {
  if (file !== undefined) command.error('error: --finish takes no FILE')
  return withDatabase(options, async (db, name) => {
    await announce(`Forgets who and what was imported into ${name}.`, { asks: true, ...options })
    console.log(await finishImports(db, options))
    return 0
  })
}

/** What the options say of the file. @throws CommanderError if they are misused */
function readLayout(options: Options) {
  const { provider = DEFAULT_SLOT, table, idColumn: id, keyColumn: key, removeUpTo: upTo } = options
  if (provider !== DEFAULT_SLOT && !isProviderName(provider)) {
    command.error(`error: --provider ${provider}: must be the name of a provider`)
  }
  if (upTo !== undefined && !(options.removeMissing && /^\d{1,9}$/.test(upTo))) {
    command.error('error: --remove-up-to must be a whole number, and needs --remove-missing')
  }
  // With --provider, a column of that name may mean something else, such as how the user signed in.
  const guessed = options.provider === undefined ? 'provider' : null
  const { providerColumn = guessed } = options
  return { id, key, provider, providerColumn, table }
}

async function importUsers(given: string | undefined, options: Options): Promise<number> {
  const layout = readLayout(options)
  const file = callersPath(given ?? command.error('error: FILE is missing'))
  const users = await openUserFile(file, layout)
  const fernetKeys = await readFernetKeys(options)
  if (fernetKeys !== null) await requireOpening(await openUserFile(file, layout), fernetKeys)
  const { removeUpTo: upTo, removeMissing: isRemoving } = options
  const rules = { isWhole: users.isWhole, most: upTo === undefined ? undefined : Number(upTo) }
  const report = new Report(new Set([DEFAULT_SLOT, ...Object.keys(BUILT_IN)]), users.unit)
  const print = () => {
    const isChecked = fernetKeys !== null
    const json = () => JSON.stringify(report.toJson(options, isChecked), null, 2)
    console.log(options.json ? json() : report.describe(options, isChecked))
  }
  await withDatabase(options, async (db, name) => {
    const removal = isRemoving ? ', and removes the imported keys that it lacks' : ''
    const asks = options.remote || isRemoving
    await announce(`Imports the users of ${file} into ${name}${removal}.`, { asks, ...options })
    await importFile(db, users, { report, fernetKeys })
    report.missing = await findMissing(db, report.seen)
    if (isRemoving) report.removal = await removeMissing(db, report.missing, report.seen, rules)
    report.worker = await findWorkerKeys(db, fernetKeys)
  }).catch((error: unknown) => {
    if (!report.isFirstBatch) print()
    throw isBusy(error) ? new Error(`${error.cause.message}\n${AGAIN}`, { cause: error }) : error
  })
  if (report.isEmpty) throw new Error(`${file} has no users`)
  print()
  return report.isClean ? 0 : 1
}

/** Keys that are not encrypted come from a pipe, and go to a vault. */
const plain = {
  parseAsync: async () => {
    process.exitCode = await importPlain(process.stdin, process.argv.slice(2))
  },
}

await runCommand(process.argv.includes('--plain') ? plain : command)
