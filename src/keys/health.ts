/** Checks that the service can serve: D1 answers, and every stored key has its encryption key. */

import { FERNET_KID, hasKey } from '../crypto/keyring.ts'
import { openKey } from '../crypto/seal.ts'
import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import { OLDER_DATABASE, run, runBatch } from '../store/d1.ts'
import { selectImportedKeys } from '../store/imported-keys.ts'
import { selectNeededKids } from '../store/kids.ts'
import { selectLatestMigration } from '../store/migrations.ts'
import { selectPass, toPass } from '../store/rewrap.ts'
import { haveOpened } from './lost-rows.ts'

/** Anybody may ask for the health at any rate, so an isolate asks D1 at most once in this time. */
const KEPT_MS = 5_000
const DEADLINE_MS = 5_000

const outcomes = new WeakMap<Service, { at: number; fault: unknown }>()

/**
 * Makes one round trip to D1, which reads a row per kid. It makes a second one while imported keys are left and the job
 * has not opened any with this `LEGACY_FERNET_KEY`. It makes none within {@link KEPT_MS} of the last check.
 *
 * @throws VaultError `server_misconfigured`, `database_busy`; its cause says what to do
 */
export async function checkHealth(service: Service): Promise<void> {
  const known = outcomes.get(service)
  const isFresh = known !== undefined && Date.now() < known.at + KEPT_MS
  const fault = isFresh ? known.fault : await findFault(service)
  if (!isFresh) outcomes.set(service, { at: Date.now(), fault })
  if (fault !== null) throw fault
}

async function findFault(service: Service): Promise<unknown> {
  return check(service).then(
    () => null,
    (error: unknown) => error,
  )
}

async function check({ db, keyring }: Service): Promise<void> {
  const [needed, migrated, passes] = await runBatch(
    db,
    [selectNeededKids(), selectLatestMigration(), selectPass()],
    DEADLINE_MS,
  )
  if (migrated.results.length === 0) throw misconfigured(OLDER_DATABASE)
  const kids = needed.results.map(({ kid }) => kid)
  const missing = kids.filter((kid) => !hasKey(keyring, kid))
  if (missing.length > 0) {
    const fix = `stored keys are sealed under ${missing.join(', ')}; add the key with that kid again`
    throw misconfigured(`API_KEY_ENCRYPTION_KEY or LEGACY_FERNET_KEY lacks a key: ${fix}`)
  }
  const fernet = [...keyring.fernetKeys.keys()]
  const isProven = passes.results.map(toPass).some((pass) => haveOpened(pass, fernet))
  if (kids.includes(FERNET_KID) && !isProven) await checkLegacyKey({ db, keyring })
}

/** Tries to open a few rows, because a Fernet token does not name the key that opens it. */
async function checkLegacyKey({ db, keyring }: Pick<Service, 'db' | 'keyring'>): Promise<void> {
  const { results } = await run(db, selectImportedKeys(), DEADLINE_MS)
  const opened = await Promise.all(results.map(async (row) => openKey(keyring, row)))
  if (opened.length === 0 || opened.some(({ state }) => state === 'open')) return
  throw misconfigured(
    "LEGACY_FERNET_KEY opens no imported key; set it to the previous backend's Fernet key",
  )
}

function misconfigured(reason: string): VaultError {
  return new VaultError('server_misconfigured', { cause: new Error(reason) })
}
