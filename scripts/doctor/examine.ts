/** All checks of `npm run doctor`, one after the other. */

import type { Settings } from '../../src/settings.ts'
import type { withDatabase } from '../lib/database.ts'
import { startCounter } from '../lib/progress.ts'
import { checkConfiguration, checkJobs, checkLimiters, type Given } from './configuration.ts'
import { failed, ok, skipped, type Finding, type Outcome } from './finding.ts'
import { checkSignIn, checkTokenKeys } from './identity-provider.ts'
import { checkQueue } from './queue.ts'
import { checkRunning, checkSaveAt, type Vault } from './running-vault.ts'
import { checkDeployedKeys, checkLocalKeys, checkSave, checkSecondStore } from './stored-keys.ts'

const UNKNOWN = skipped('The configuration is wrong.')
const CLOSED = skipped('The database cannot be used.')

/** What is asked for. */
export interface Asked {
  remote: boolean
  vault: Vault | null
  /** The token of a user, and the id; null without one. */
  saver: { token: string; user: string } | null
}

/** Runs checks one after the other, and shows which one on a terminal. */
function makeRunner() {
  const progress = startCounter('Checked')
  const findings: Finding[] = []
  const add = (check: string, outcome: Outcome) => void findings.push({ check, ...outcome })
  const check = async (name: string, work: () => Outcome | Promise<Outcome>) => {
    progress.move(findings.length, name)
    const outcome = await Promise.try(work).catch((error: unknown) => failed(error))
    add(name, outcome)
    return outcome
  }
  return { findings, add, check, stop: progress.stop }
}

type Check = ReturnType<typeof makeRunner>['check']

/** Makes all checks, in an order in which each says why the next ones may not be possible. */
export async function examine(
  given: Given,
  { remote, vault, saver }: Asked,
  open: typeof withDatabase,
): Promise<Finding[]> {
  const { findings, add, check, stop } = makeRunner()
  const checked = checkConfiguration(given)
  const { settings } = checked
  for (const outcome of checked.outcomes) add('Configuration', outcome)
  const ifKnown = (work: (known: Settings) => Outcome | Promise<Outcome>) => () =>
    settings === null ? UNKNOWN : work(settings)
  await check('Limiters', ifKnown(checkLimiters))
  await check('Token keys', ifKnown(checkTokenKeys))
  await check('Sign-in', ifKnown(checkSignIn))
  await check('Jobs', () => checkJobs(given))
  await check('Queue', () => checkQueue(given))
  const running = await check('Running vault', () =>
    vault === null
      ? skipped('Add --url https://… to check the deployed vault.')
      : checkRunning(vault),
  )
  await checkDatabase(
    { check, open, settings },
    { remote, isRunning: remote || running.state === 'ok' },
  )
  if (saver !== null && vault !== null) {
    await check('Test save', () => checkSaveAt(vault.url, saver.token, saver.user))
  } else if (remote) {
    await check('Test save', () =>
      skipped('Add --url and --token-file to save at the deployed vault.'),
    )
  }
  stop()
  return findings
}

/** The checks that need the database. */
async function checkDatabase(
  { check, open, settings }: { check: Check; open: typeof withDatabase; settings: Settings | null },
  where: { remote: boolean; isRunning: boolean },
): Promise<void> {
  const { remote } = where
  const checks: [name: string, work: (db: D1Database) => Outcome | Promise<Outcome>][] = [
    [
      'Stored keys',
      (db) => {
        if (remote) return checkDeployedKeys(db)
        return settings === null ? UNKNOWN : checkLocalKeys(db, settings)
      },
    ],
    ['Second store', (db) => (settings === null ? UNKNOWN : checkSecondStore(db, settings, where))],
  ]
  if (!remote) {
    checks.push(['Test save', (db) => (settings === null ? UNKNOWN : checkSave(db, settings))])
  }
  const opened = await open(where, async (db, name) => {
    await check('Database', () => ok(`It can be read, and has every migration: ${name}.`))
    for (const [title, work] of checks) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await check(title, () => work(db))
    }
  }).catch((error: unknown) => failed(error))
  if (opened === undefined) return
  await check('Database', () => opened)
  // oxlint-disable-next-line no-await-in-loop -- in order
  for (const [title] of checks) await check(title, () => CLOSED)
}
