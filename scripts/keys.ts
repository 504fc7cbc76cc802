/** `npm run keys`: makes encryption keys, shows a rotation, counts and exports keys, and confirms deletions. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyringKids } from '../src/crypto/keyring.ts'
import { BULK_DEADLINE_MS, run } from '../src/store/d1.ts'
import { confirmGone } from '../src/store/gone-keys.ts'
import { askForPass } from '../src/store/rewrap.ts'
import { prepareExport } from './export/keys.ts'
import { callersPath } from './lib/checkout.ts'
import { exitWith, JSON_OUTPUT, makeCommand, REMOTE, runCommand, YES } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { findDeletionNotes } from './lib/deletion-status.ts'
import { makeKey, printKids } from './lib/encryption-key.ts'
import { planNext } from './lib/key-plan.ts'
import { describeReport, parseDays, readReport } from './lib/key-report.ts'
import {
  FOREIGN,
  readProgress,
  readStatus,
  type KidStatus,
  type Progress,
  type RotationStatus,
  variableOf,
} from './lib/key-status.ts'
import { drawBar, formatCount, formatSeconds, startBar, startCounter } from './lib/progress.ts'
import { announce } from './lib/question.ts'
import { layOut } from './lib/table.ts'
import { describeUnopenable, findUnopenable } from './lib/unopenable-keys.ts'

const EXIT_CODE = `
--json also lists the keys that do not open, with their owners, as unopenable_keys.
Exit code 1: the keyring lacks an encryption key that stored keys need, or the keyring is not known yet.`
const LATE = 'the job has not run for three minutes, or deletions are held.'
const EXPORT_NEEDS = `
It needs API_KEY_ENCRYPTION_KEY, and LEGACY_FERNET_KEY if there are imported rows, as the Worker has them: in .dev.vars,
or with --remote in the environment. It asks first.
Exit code 1: the file lacks keys that do not open, or that were changed meanwhile.`
const WATCH_MS = 2_000
const CONFIRMED_AT_ONCE = 10_000
const BEGINS = 'The job begins a pass at its next run. A running Worker runs it every minute.'

interface Options {
  remote: boolean
  json: boolean
}

/** What a command that asks needs. */
interface Asking {
  remote: boolean
  yes: boolean
}

async function printPlan(db: D1Database, options: Options): Promise<number> {
  const status = await countedStatus(db)
  const unopenable = await findUnopenable(db, status)
  const next = planNext(status, options)
  const asOf = status.rewrap?.started_at ?? null
  const text =
    asOf === null
      ? next.text
      : `Based on the keyring that the Worker's job found at ${asOf}. It finds a change within a minute.\n${next.text}`
  const plan = { as_of: asOf, ...next, unopenable_keys: unopenable.keys }
  const words = [text, ...describeUnopenable(unopenable, options)].join('\n')
  console.log(options.json ? JSON.stringify(plan, null, 2) : words)
  return exitCode(status)
}

async function printStatus(db: D1Database, options: Options & { watch?: true }): Promise<number> {
  let status = await countedStatus(db)
  if (options.watch && isRunning(status.rewrap)) {
    await watch(db, status.rows)
    status = await countedStatus(db)
  }
  const unopenable = await findUnopenable(db, status)
  const { faults, waiting } = await findDeletionNotes(db, options)
  const notes = [...faults, ...waiting]
  const whole = {
    ...status,
    keyring: status.keyring && toJson(status.keyring),
    unopenable_keys: unopenable.keys,
    notes,
  }
  const words = [describe(status, options), ...describeUnopenable(unopenable, options)].join('\n')
  console.log(options.json ? JSON.stringify(whole, null, 2) : words)
  for (const note of notes) console.error(note)
  return faults.length > 0 ? 1 : exitCode(status)
}

/** The keyring as `--json` prints it. */
function toJson({ foreign, ...own }: KeyringKids): object {
  const names = FOREIGN.map(({ kid }) => [kid, foreign?.names ?? []])
  return { ...own, ...Object.fromEntries(names) }
}

/** Returns 1 if a key is missing, and also if the keyring is not known. */
function exitCode({ keyring, missing }: RotationStatus): number {
  return keyring === null || missing.length > 0 ? 1 : 0
}

async function countedStatus(db: D1Database): Promise<RotationStatus> {
  return whileCounting(async (counted) => readStatus(db, { counted }))
}

/** Counts all keys, and shows how many are counted. */
async function whileCounting<T>(count: (counted: (rows: number) => void) => Promise<T>) {
  const counter = startCounter('Counting keys')
  return count((rows) => counter.move(rows)).finally(() => counter.stop())
}

async function printReport(db: D1Database, json: boolean, days: number): Promise<number> {
  const report = await whileCounting(async (counted) =>
    readReport(db, { now: new Date(), days, counted }),
  )
  console.log(json ? JSON.stringify(report, null, 2) : describeReport(report))
  return 0
}

function isRunning(rewrap: Progress | null): rewrap is Progress {
  return rewrap !== null && (rewrap.finished_at === null || rewrap.asked_at !== null)
}

function checkAgain(options: Asking) {
  return async (db: D1Database, name: string): Promise<number> => {
    await announce(`Has the job open every row of ${name} again.`, {
      asks: options.remote,
      ...options,
    })
    const asked = await run(db, askForPass(new Date().toISOString()))
    const isAsked = asked.meta.changes === 1
    console.log(isAsked ? BEGINS : 'The job has not run yet. Its first run begins a pass.')
    return 0
  }
}

/** Shows what is to be known of deletions. With `--confirm`, tombstones without a cause are copied as others are. */
function printDeletions(options: Options & Asking & { confirm?: true }) {
  return async (db: D1Database, name: string): Promise<number> => {
    if (options.confirm) {
      const what = `Confirms the held tombstones of ${name}. Once copied to the second store, they delete these keys and users in every restored database.`
      await announce(what, { asks: true, ...options })
      const confirmed = await confirm(db)
      if (!options.json) console.log(`Confirmed ${formatCount(confirmed)} tombstones.`)
    }
    const { faults, waiting } = await findDeletionNotes(db, options)
    const notes = [...faults, ...waiting]
    const words = notes.length > 0 ? notes.join('\n') : 'No deletion is waiting.'
    console.log(options.json ? JSON.stringify({ notes }, null, 2) : words)
    return faults.length > 0 ? 1 : 0
  }
}

/** @returns how many tombstones had no cause */
async function confirm(db: D1Database): Promise<number> {
  for (let confirmed = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop -- each takes its part of D1's time
    const { meta } = await run(db, confirmGone(CONFIRMED_AT_ONCE), BULK_DEADLINE_MS)
    confirmed += meta.changes
    if (meta.changes < CONFIRMED_AT_ONCE) return confirmed
  }
}

async function watch(db: D1Database, rows: number): Promise<void> {
  const bar = startBar('Rewrap')
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- it polls until the pass is over
    const progress = await readProgress(db, rows)
    if (!isRunning(progress)) break
    const done = progress.done + progress.unopenable
    bar.move(done, Math.max(rows, done), progress)
    // oxlint-disable-next-line no-await-in-loop
    await sleep(WATCH_MS)
  }
  bar.stop()
}

/** The status in words, for a terminal. */
function describe(status: RotationStatus, options: Options): string {
  const { keyring, key_ids, rewrap } = status
  if (keyring === null || rewrap === null) return planNext(status, options).text
  const { kid: foreign = '', names = [] } = keyring.foreign ?? {}
  const kids = [
    [keyring.seals, 'seals, and opens'],
    ...keyring.opens.map((keyId) => [keyId, 'opens']),
    ...names.map((name) => [foreign, `opens; ${variableOf(foreign)} ${name}`]),
  ]
  const rows = key_ids.map((kid) => [
    kid.key_id,
    kid.version,
    formatCount(kid.rows),
    remark(kid, keyring.seals),
  ])
  const done = rewrap.done + rewrap.unopenable
  const finished = rewrap.finished_at !== null
  const asked = rewrap.asked_at === null ? '' : '; another pass will follow'
  const pass = finished
    ? `finished ${rewrap.finished_at}: ${formatCount(rewrap.done)} rows opened, ${formatCount(rewrap.unopenable)} did not${asked}`
    : `${drawBar(done, rewrap.rows)} ${formatCount(done)} of ${formatCount(rewrap.rows)} rows, ` +
      `${formatCount(rewrap.rows_per_second)} a second, ${formatSeconds(rewrap.seconds_left)} left`
  return `The Worker's keyring, as its job found it at ${rewrap.started_at}
${layOut(kids)}

Stored keys
${layOut([['kid', 'version', 'rows', ''], ...rows])}

Rewrap  ${pass}`
}

function remark(kid: KidStatus, seals: string): string {
  if (!kid.in_keyring) return 'MISSING: the keyring lacks its key'
  const unopenable = kid.unopenable > 0 ? `${formatCount(kid.unopenable)} do not open` : ''
  // Their kid does not tell them from sound rows.
  if (kid.key_id === seals) {
    return unopenable && `${unopenable}; the log names them (api_key_unreadable)`
  }
  return kid.unopenable < kid.rows
    ? ['to be rewrapped', unopenable].filter(Boolean).join('; ')
    : unopenable
}

const keys = makeCommand('keys', "Encryption keys, and the users' keys that they seal.")

const add = (name: string, description: string) =>
  keys.command(name).description(description).addOption(REMOTE)

keys
  .command('new')
  .description('makes an encryption key, and prints it with its kid. A pipe gets the key alone')
  .option('--out <file>', 'writes the key to a new file, and does not show it')
  .action(({ out }) => makeKey(out === undefined ? undefined : callersPath(out)))

keys
  .command('kid')
  .description('prints the kid of the key on standard input: npm run -s keys -- kid < key.txt')
  .action(printKids)

add('plan', 'says which step of a rotation comes next')
  .addOption(JSON_OUTPUT)
  .addHelpText('after', EXIT_CODE)
  .action(exitWith((options) => withDatabase(options, async (db) => printPlan(db, options))))

add('status', 'shows what is stored under which encryption key')
  .addOption(JSON_OUTPUT)
  .option('--watch', 'shows the progress of the job until its pass is over')
  .addHelpText('after', `${EXIT_CODE}\nAlso with DELETIONS: ${LATE}`)
  .action(exitWith((options) => withDatabase(options, async (db) => printStatus(db, options))))

add('report', 'counts the keys of each provider: how many work, and how many do not')
  .addOption(JSON_OUTPUT)
  .option(
    '--days <days>',
    'a key is unused if it was neither saved nor used for so many days',
    '30',
  )
  .action(
    exitWith((options) => {
      const days = parseDays(options.days)
      return withDatabase(options, async (db) => printReport(db, options.json, days))
    }),
  )

add('check', 'has the job open every row again')
  .addOption(YES)
  .action(exitWith((options) => withDatabase(options, checkAgain(options))))

add('deletions', 'says whether deletions wait, or are held')
  .addOption(JSON_OUTPUT)
  .option('--confirm', 'has the held ones copied to the second store: they are right')
  .addOption(YES)
  .addHelpText('after', `\nExit code 1: ${LATE}`)
  .action(exitWith((options) => withDatabase(options, printDeletions(options))))

add('export', 'writes the keys of the plain route for the Flask backend')
  .requiredOption('--fernet-key-file <file>', 'the key of the Flask backend')
  .requiredOption('--out <file>', 'the file to write: a new one, outside of git')
  .addOption(YES)
  .addHelpText('after', EXPORT_NEEDS)
  .action(
    exitWith(async ({ out, fernetKeyFile, ...options }) => {
      const files = { out: callersPath(out), fernetKeyFile: callersPath(fernetKeyFile) }
      return withDatabase(options, await prepareExport({ ...options, ...files }))
    }),
  )

await runCommand(keys)
