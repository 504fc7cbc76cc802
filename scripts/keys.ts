/** `npm run keys`: makes encryption keys, shows a rotation, counts and exports keys, and confirms deletions. */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { KeyringKids } from '../src/crypto/keyring.ts'
import { BULK_DEADLINE_MS, run } from '../src/store/d1.ts'
import { confirmGone } from '../src/store/gone-keys.ts'
import { askForPass } from '../src/store/rewrap.ts'
import { prepareExport } from './export/keys.ts'
import { runCommand } from './lib/command.ts'
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
import { drawBar, formatCount, formatSeconds, startBar } from './lib/progress.ts'
import { layOut } from './lib/table.ts'
import { describeUnopenable, findUnopenable } from './lib/unopenable-keys.ts'

const USAGE = `Usage: npm run keys -- new    [--out FILE]               a new encryption key, and its kid
       npm run -s keys -- kid                               the kid of the key on standard input
       npm run keys -- plan   [--remote] [--json]           which step of a rotation comes next
       npm run keys -- status [--remote] [--json] [--watch] what is stored under which key
       npm run keys -- report [--remote] [--json] [--days N]
                                                            how many keys of each provider work, and how many do not
       npm run keys -- check  [--remote]                    makes the job open every row again
       npm run keys -- deletions [--confirm] [--remote]     whether tombstones are held; --confirm has them copied
       npm run keys -- export --fernet-key-file FILE --out FILE [--confirm] [--remote]
                                                            writes the plain route's keys for the Flask backend

plan and status: --json also lists the keys that do not open, with their owners, as unopenable_keys. Exit code 1: the keyring
lacks an encryption key that stored keys need, or the keyring is not known yet.
report: a key is unused if it was neither saved nor used for N days, by default 30.
export: it needs API_KEY_ENCRYPTION_KEY, and LEGACY_FERNET_KEY if there are imported rows, as the Worker has them: in
.dev.vars, or with --remote in the environment. It asks first, unless --confirm is there. The file of --out must be
new, and outside of git. Exit code 1: the file lacks keys that do not open, or that were changed meanwhile.`
const WATCH_MS = 2_000
const CONFIRMED_AT_ONCE = 10_000
const BEGINS = 'The job begins a pass at its next run. A running Worker runs it every minute.'

interface Options {
  remote: boolean
  json: boolean
  watch: boolean
  confirm: boolean
}

async function printPlan(db: D1Database, options: Options): Promise<number> {
  const status = await readStatus(db)
  const unopenable = await findUnopenable(db, status)
  const next = planNext(status, options)
  const asOf = status.rewrap?.started_at ?? null
  const text =
    asOf === null
      ? next.text
      : `Based on the keyring that the Worker's job found at ${asOf}:\n${next.text}`
  const plan = { as_of: asOf, ...next, unopenable_keys: unopenable.keys }
  const words = [text, ...describeUnopenable(unopenable, options)].join('\n')
  console.log(options.json ? JSON.stringify(plan, null, 2) : words)
  return exitCode(status)
}

async function printStatus(db: D1Database, options: Options): Promise<number> {
  let status = await countedStatus(db)
  if (options.watch && isRunning(status.rewrap)) {
    await watch(db, status.rows)
    status = await countedStatus(db)
  }
  const unopenable = await findUnopenable(db, status)
  const whole = {
    ...status,
    keyring: status.keyring && toJson(status.keyring),
    unopenable_keys: unopenable.keys,
  }
  const words = [describe(status, options), ...describeUnopenable(unopenable, options)].join('\n')
  console.log(options.json ? JSON.stringify(whole, null, 2) : words)
  for (const note of await findDeletionNotes(db, options)) console.error(note)
  return exitCode(status)
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
  return readStatus(db, { counted: noteCounted })
}

function noteCounted(rows: number): void {
  console.error(`Counted ${formatCount(rows)} rows so far`)
}

async function printReport(db: D1Database, json: boolean, days: number): Promise<number> {
  const report = await readReport(db, { now: new Date(), days, counted: noteCounted })
  console.log(json ? JSON.stringify(report, null, 2) : describeReport(report))
  return 0
}

function isRunning(rewrap: Progress | null): rewrap is Progress {
  return rewrap !== null && (rewrap.finished_at === null || rewrap.asked_at !== null)
}

async function checkAgain(db: D1Database): Promise<number> {
  const asked = await run(db, askForPass(new Date().toISOString()))
  const isAsked = asked.meta.changes === 1
  console.log(isAsked ? BEGINS : 'The job has not run yet. Its first run begins a pass.')
  return 0
}

/** Shows what is to be known of deletions. With `--confirm`, tombstones without a cause are copied as others are. */
async function printDeletions(db: D1Database, options: Options): Promise<number> {
  if (options.confirm) console.log(`Confirmed ${formatCount(await confirm(db))} tombstones.`)
  const notes = await findDeletionNotes(db, options)
  console.log(notes.length > 0 ? notes.join('\n') : 'No deletion is waiting.')
  return 0
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

await runCommand(USAGE, async () => {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      remote: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      confirm: { type: 'boolean', default: false },
      days: { type: 'string', default: '30' },
      out: { type: 'string' },
      'fernet-key-file': { type: 'string' },
    },
  })
  const [command, ...rest] = positionals
  if (rest.length > 0) return 2
  if (command === 'new') {
    await makeKey(options.out)
    return 0
  }
  if (command === 'kid') {
    await printKids()
    return 0
  }
  if (command === 'export') {
    const { out, 'fernet-key-file': fernetKeyFile } = options
    if (out === undefined || fernetKeyFile === undefined) return 2
    return withDatabase(options, await prepareExport({ ...options, out, fernetKeyFile }))
  }
  if (command === 'plan') return withDatabase(options, async (db) => printPlan(db, options))
  if (command === 'status') return withDatabase(options, async (db) => printStatus(db, options))
  if (command === 'report') {
    const days = parseDays(options.days)
    return withDatabase(options, async (db) => printReport(db, options.json, days))
  }
  if (command === 'check') return withDatabase(options, checkAgain)
  if (command === 'deletions') {
    return withDatabase(options, async (db) => printDeletions(db, options))
  }
  return 2
})
