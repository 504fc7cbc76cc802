/** `npm run keys -- new | plan | status | check`: a new encryption key, and how far a rotation is. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createKeyring } from '../src/seal.ts'
import { runCommand } from './command.ts'
import { planNext } from './key-plan.ts'
import { readProgress, readStatus, type KeyIdStatus, type KeyStatus } from './key-status.ts'
import { drawBar, formatCount, formatSeconds, startBar } from './progress.ts'
import { queryD1 } from './wrangler.ts'

const USAGE = `Usage: npm run keys -- new                               a new encryption key, and its kid
       npm run keys -- plan   [--remote] [--json]           which step of a rotation comes next
       npm run keys -- status [--remote] [--json] [--watch] what is stored under which key
       npm run keys -- check  [--remote]                    has the job open every row once more

Exit code 1: a stored key needs an encryption key that the keyring lacks, or the keyring is not known.`
const WATCH_MS = 2_000

interface Options {
  remote: boolean
  json: boolean
  watch: boolean
}

async function printNewKey(): Promise<void> {
  const bytes = randomBytes(32)
  const { sealingKeyId } = await createKeyring([bytes])
  console.log(`kid  ${sealingKeyId}\nkey  ${bytes.toString('base64')}`)
  console.error(
    '\nStore the key, apart from the backups, before you use it. Then: npm run keys -- plan',
  )
}

async function printPlan(options: Options): Promise<number> {
  const status = await readStatus(options)
  const next = planNext(status, options)
  console.log(options.json ? JSON.stringify(next, null, 2) : next.text)
  return exitCode(status)
}

async function printStatus(options: Options): Promise<number> {
  let status = await countedStatus(options)
  if (options.watch && status.rewrap?.finished_at === null) {
    await watch(options, status.rows)
    status = await countedStatus(options)
  }
  console.log(options.json ? JSON.stringify(status, null, 2) : describe(status, options))
  return exitCode(status)
}

/** Fails closed: what is not known is not well. */
function exitCode({ keyring, missing }: KeyStatus): number {
  return keyring === null || missing.length > 0 ? 1 : 0
}

async function countedStatus(options: Options): Promise<KeyStatus> {
  return readStatus(options, (rows) => console.error(`Counted ${formatCount(rows)} rows so far`))
}

async function watch(options: Options, rows: number): Promise<void> {
  const bar = startBar('Rewrap')
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- it watches until the pass is over
    const progress = await readProgress(options, rows)
    if (progress === null || progress.finished_at !== null) break
    const done = progress.done + progress.unopenable
    bar.move(done, Math.max(rows, done), progress)
    // oxlint-disable-next-line no-await-in-loop
    await sleep(WATCH_MS)
  }
  bar.stop()
}

/** The status in words, for a terminal. */
function describe(status: KeyStatus, options: Options): string {
  const { keyring, key_ids, rewrap } = status
  if (keyring === null || rewrap === null) return planNext(status, options).text
  const kids = [
    [keyring.seals, 'seals, and opens'],
    ...keyring.opens.map((keyId) => [keyId, 'opens']),
    ...keyring.fernet.map((keyId) => ['fernet', `opens; LEGACY_FERNET_KEY ${keyId}`]),
  ]
  const rows = key_ids.map((kid) => [
    kid.key_id,
    kid.version,
    formatCount(kid.rows),
    remark(kid, keyring.seals),
  ])
  const done = rewrap.done + rewrap.unopenable
  const finished = rewrap.finished_at !== null
  const pass = finished
    ? `finished ${rewrap.finished_at}: ${formatCount(rewrap.done)} rows opened, ${formatCount(rewrap.unopenable)} did not`
    : `${drawBar(done, rewrap.rows)} ${formatCount(done)} of ${formatCount(rewrap.rows)} rows, ` +
      `${formatCount(rewrap.rows_per_second)} a second, ${formatSeconds(rewrap.seconds_left)} left`
  return `The Worker's keyring, as its job found it ${rewrap.started_at}
${table(kids)}

Stored keys
${table([['kid', 'version', 'rows', ''], ...rows])}

Rewrap  ${pass}`
}

function remark(kid: KeyIdStatus, seals: string): string {
  if (kid.rows === 0) return kid.state === 'unused' ? 'not needed any more' : ''
  if (!kid.in_keyring) return 'MISSING: the keyring lacks its key'
  const unopenable = kid.unopenable > 0 ? `${formatCount(kid.unopenable)} do not open` : ''
  if (kid.key_id === seals) return unopenable
  return kid.unopenable < kid.rows
    ? ['to be rewrapped', unopenable].filter(Boolean).join('; ')
    : unopenable
}

/** Columns as wide as their widest cell, numbers to the right. */
function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number) =>
    /^[\d,]+$/.test(cell) && column > 0
      ? cell.padStart(widths[column] ?? 0)
      : cell.padEnd(widths[column] ?? 0)
  return rows.map((row) => `  ${row.map(pad).join('  ')}`.trimEnd()).join('\n')
}

await runCommand(USAGE, async () => {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      remote: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
    },
  })
  const [command, ...rest] = positionals
  if (rest.length > 0) return 2
  if (command === 'new') {
    await printNewKey()
    return 0
  }
  if (command === 'plan') return printPlan(options)
  if (command === 'status') return printStatus(options)
  if (command === 'check') {
    await queryD1("UPDATE rewrap SET keyring = '', revision = revision + 1", options)
    console.log('The job begins within a minute. Watch it with npm run keys -- status --watch')
    return 0
  }
  return 2
})
