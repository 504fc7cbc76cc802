/** What is still to be done until the Worker has the Flask backend's Fernet key. */

import { existsSync } from 'node:fs'
import { parseKeyring, type ForeignKeys } from '../../src/crypto/keyring.ts'
import { run } from '../../src/store/d1.ts'
import { selectPass } from '../../src/store/rewrap.ts'
import { npmCommand, wranglerCommand } from '../lib/advice.ts'
import type { Where } from '../lib/database.ts'
import { DEV_VARS, readDevVar } from '../lib/dev-vars.ts'
import { CONFIG } from '../lib/wrangler.ts'

const NAME = 'LEGACY_FERNET_KEY'

/** Whether the Worker gets the keys of an import. */
export interface WorkerKeys {
  /** Whether the Worker had them at its job's last pass; null if the job has not run. */
  hasKeys: boolean | null
  /** Whether the configuration lists the secret. */
  isRequired: boolean
  isInDevVars: boolean
}

/** Looks up what the Worker has of `keys`, or of any Fernet key if they are null. */
export async function findWorkerKeys(
  db: D1Database,
  keys: ForeignKeys | null,
): Promise<WorkerKeys> {
  const names = await readFernetNames(db)
  return {
    hasKeys: names && (keys?.names.every((name) => names.includes(name)) ?? names.length > 0),
    isRequired: await isListed(),
    isInDevVars: Boolean(readDevVar(NAME)),
  }
}

/** The names of the Fernet keys that the Worker had at its job's last pass; null if the job has not run. */
export async function readFernetNames(db: D1Database): Promise<readonly string[] | null> {
  const [pass] = (await run(db, selectPass())).results
  return pass === undefined ? null : (parseKeyring(pass.keyring).foreign?.names ?? [])
}

/** Whether `[secrets] required` lists the key. Wrangler gives a local Worker no other secrets. */
async function isListed(): Promise<boolean> {
  if (!existsSync(CONFIG)) return true
  const { unstable_readConfig: readConfig } = await import('wrangler')
  const { secrets } = readConfig({ config: CONFIG }, { hideWarnings: true })
  return secrets?.required?.includes(NAME) ?? false
}

/** What the operator still has to do until imported keys open; empty if nothing is missing. */
export function adviseFernetKey(worker: WorkerKeys, where: Where, isChecked: boolean): string[] {
  const steps = where.remote ? deployedSteps(worker) : localSteps(worker)
  const place = where.remote ? 'in the environment of this command' : `in ${DEV_VARS}`
  if (!isChecked) {
    return [
      `No key was checked, because ${NAME} is not set ${place}.`,
      'Until the Worker has it, imported keys do not open. Set it, and run the import again to check them.',
      ...steps,
    ]
  }
  if (worker.hasKeys === null) return steps
  if (worker.hasKeys) return []
  return [`The Worker does not have this ${NAME} yet, so imported keys do not open.`, ...steps]
}

function localSteps({ hasKeys, isRequired, isInDevVars }: WorkerKeys): string[] {
  const steps = [
    ...(isRequired
      ? []
      : [`Add ${NAME} to [secrets] required in ${CONFIG}, otherwise the Worker does not get it.`]),
    ...(isInDevVars ? [] : [`Set ${NAME} in ${DEV_VARS}.`]),
  ]
  if (steps.length > 0 || hasKeys === null) return steps
  return [
    `Start the vault again: ${npmCommand('dev', { remote: false })}. If it runs with this key, wait a minute: its job finds the key.`,
  ]
}

function deployedSteps({ hasKeys, isRequired }: WorkerKeys): string[] {
  return [
    ...(isRequired
      ? []
      : [`Add ${NAME} to [secrets] required in ${CONFIG}, so that a deployment without it fails.`]),
    ...(hasKeys === false
      ? [
          `Set it: ${wranglerCommand(`secret put ${NAME}`)}`,
          'If it is set already, wait a minute: the job finds it.',
        ]
      : []),
  ]
}
