/** Checks that the service can serve: D1 answers, and every stored key has its encryption key. */

import { hasKey, type ForeignKeys } from '../crypto/keyring.ts'
import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import {
  DELETIONS_COMMAND,
  OLDER_DATABASE,
  run,
  runBatch,
  selectLatestMigration,
} from '../store/d1.ts'
import { MAX_UNEXPLAINED, selectHeld } from '../store/gone-keys.ts'
import { selectKids, selectUnder } from '../store/all-keys.ts'
import { selectPass, toPass, type Pass } from '../store/rewrap.ts'
import { haveOpened } from './lost-rows.ts'
import { findOtherRows } from './rewrap-pass.ts'
import { refuseOthers } from './second-store.ts'

/** Anybody may ask for the health at any rate, so an isolate asks D1 at most once in this time. */
const KEPT_MS = 5_000
const DEADLINE_MS = 5_000
/** How often a request looks whether the check of another request has ended. */
const LOOK_MS = 50
/**
 * How long it goes on looking. The first request that sees the other one vanished runs the check, and needs time for that.
 */
const PATIENCE_MS = 6_000

/** The isolate's last check. It is a value: a promise would belong to the request that checks. */
interface Check {
  /** When it ended, or when it began if it is under way. */
  at: number
  isUnderWay: boolean
  /** Null if there is none. */
  fault: unknown
}

const checks = new WeakMap<Service, Check>()

/**
 * Makes one round trip to D1, which reads a few rows per kid. It makes a second one while a stored kid is not in the
 * keyring, or while foreign rows are left and the job has not opened any with these keys. It makes none
 * within {@link KEPT_MS} of the last check. While another request checks, it waits for the outcome of that.
 *
 * @throws VaultError `server_misconfigured`, `database_busy`; its cause says what to do
 */
export async function checkHealth(service: Service): Promise<void> {
  const until = Date.now() + PATIENCE_MS
  let last = recentCheck(service)
  while (last?.isUnderWay && Date.now() < until) {
    // oxlint-disable-next-line no-await-in-loop -- the other request may need several looks
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    last = recentCheck(service)
  }
  const { fault } = last === undefined || last.isUnderWay ? await runCheck(service) : last
  if (fault !== null) throw fault
}

/** A request whose client has left may never end its check, so a check that is under way counts for a limited time too. */
function recentCheck(service: Service): Check | undefined {
  const last = checks.get(service)
  return last !== undefined && Date.now() < last.at + KEPT_MS ? last : undefined
}

async function runCheck(service: Service): Promise<Check> {
  checks.set(service, { at: Date.now(), isUnderWay: true, fault: null })
  const fault = await findFault(service)
  const ended = { at: Date.now(), isUnderWay: false, fault }
  checks.set(service, ended)
  return ended
}

async function findFault(service: Service): Promise<unknown> {
  return check(service).then(
    () => null,
    (error: unknown) => error,
  )
}

async function check(service: Service): Promise<void> {
  const { db, keyring, settings } = service
  const questions = [selectKids(), selectLatestMigration(), selectPass(), selectHeld()] as const
  const [[stored, migrated, passes, held]] = await Promise.all([
    runBatch(db, questions, DEADLINE_MS),
    refuseOthers(settings),
  ])
  if (migrated.results.length === 0) throw misconfigured(OLDER_DATABASE)
  const kids = stored.results.map(({ kid }) => kid)
  const [pass] = passes.results.map(toPass)
  const unknown = kids.filter((kid) => !hasKey(keyring, kid))
  await requireKeys(service, unknown, pass)
  const { foreign } = keyring
  const isProven = pass !== undefined && haveOpened(pass, foreign)
  if (foreign !== null && kids.includes(foreign.kid) && !isProven) {
    await requireOpening(service, foreign)
  }
  if (held.results.length > 0) {
    throw misconfigured(
      `gone_keys has more than ${MAX_UNEXPLAINED} tombstones that the vault did not write; run ${DELETIONS_COMMAND}`,
    )
  }
}

/**
 * @throws VaultError if there are rows under one of these kids that its key may open. `pass` has counted those that it did
 * not.
 */
async function requireKeys(
  { db, settings }: Service,
  kids: readonly string[],
  pass: Pass | undefined,
): Promise<void> {
  const lost = new Map(kids.map((kid) => [kid, pass?.counts[kid]?.lost ?? 0]))
  const missing = await findOtherRows(db, lost, pass?.startedAt ?? '', DEADLINE_MS)
  if (missing.size === 0) return
  const fix = `stored keys are sealed under ${[...missing].join(', ')}; add the key with that kid again`
  const others = settings.foreign === null ? [] : [settings.foreign.variable]
  const variables = ['API_KEY_ENCRYPTION_KEY', ...others].join(' or ')
  throw misconfigured(`${variables} lacks a key: ${fix}`)
}

/** Tries to open a few foreign rows, because they do not name the key that opens them. */
async function requireOpening({ db, settings }: Service, foreign: ForeignKeys): Promise<void> {
  const { results } = await run(db, selectUnder(foreign.kid), DEADLINE_MS)
  const texts = await Promise.all(results.map(async ({ sealed }) => foreign.open(sealed)))
  if (texts.length === 0 || texts.some((text) => text !== null)) return
  const fix = 'set it to the key that they were sealed with'
  throw misconfigured(`${settings.foreign?.variable} does not open any imported key; ${fix}`)
}

function misconfigured(reason: string): VaultError {
  return new VaultError('server_misconfigured', { cause: new Error(reason) })
}
