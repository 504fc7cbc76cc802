/** Finds the next step of a rotation from the kids of the keyring and the rows in D1. */

import type { ForeignKids, KeyringKids } from '../../src/crypto/keyring.ts'
import type { Where } from './database.ts'
import {
  FOREIGN,
  leftUnder,
  variableOf,
  type KidStatus,
  type RotationStatus,
} from './key-status.ts'
import { npmCommand, wranglerCommand } from './advice.ts'
import { CONFIG } from './wrangler.ts'

/** The name of a step, which `--json` prints, and what to do. */
export interface Step {
  step: 'run_the_job' | 'put_back' | 'move_first' | 'rewrap' | 'drop' | `drop_${string}` | 'nothing'
  /** The kids that the step concerns. */
  key_ids: string[]
  text: string
}

/** A command that uses no deployed database. */
const LOCAL = { remote: false }
const SECRET = 'API_KEY_ENCRYPTION_KEY'

/** The next step. It is safe while the previous version of the Worker is still running. */
export function planNext(status: RotationStatus, where: Where): Step {
  const { keyring, key_ids, missing, rewrap } = status
  if (keyring === null || rewrap === null) {
    return {
      step: 'run_the_job',
      key_ids: [],
      text: 'The keyring is unknown until the job first runs, within a minute of deployment.',
    }
  }
  if (missing.length > 0) return putBack(missing)
  const fresh = keyring.opens.filter((keyId) => !key_ids.some((kid) => kid.key_id === keyId))
  if (fresh.length > 0) return moveFirst(keyring, fresh, where)
  const { foreign } = keyring
  const others = new Set([...keyring.opens, ...(foreign === null ? [] : [foreign.kid])])
  const isLeft = hasRowsLeft(status)
  const isTried = rewrap.finished_at !== null
  const stored = kidsOf(
    key_ids.filter((kid) => others.has(kid.key_id) && (isLeft(kid) || !isTried)),
  )
  if (stored.length > 0) return wait(keyring, stored, where)
  if (keyring.opens.length > 0) return drop(keyring, where)
  return foreign === null ? nothing(keyring, where) : dropForeign(foreign, where)
}

/** Whether a kid has more rows than those that its own key does not open. */
function hasRowsLeft(status: RotationStatus) {
  return ({ key_id }: KidStatus): boolean => {
    const { rows, lost } = leftUnder(status, key_id)
    return rows > lost
  }
}

function kidsOf(key_ids: readonly KidStatus[]): string[] {
  return [...new Set(key_ids.map(({ key_id }) => key_id))]
}

function wait({ seals }: KeyringKids, stored: string[], where: Where): Step {
  return {
    step: 'rewrap',
    key_ids: stored,
    text: `Wait until the job has sealed the rows under ${stored.join(', ')} again under ${seals}.
Watch it, then run this again: ${npmCommand('keys -- status --watch', where)}`,
  }
}

function putBack(missing: string[]): Step {
  const others = FOREIGN.filter(({ kid }) => missing.includes(kid)).map(
    ({ kid, variable }) => ` (${kid}: in ${variable})`,
  )
  return {
    step: 'put_back',
    key_ids: missing,
    text: `Rows are sealed under ${missing.join(', ')}, but the keyring has no key that opens them. Put that key back
at the end of the list in ${SECRET}${others.join('')}.
Until then those rows do not open. They are kept unchanged.`,
  }
}

function moveFirst(keyring: KeyringKids, fresh: string[], where: Where): Step {
  const rest = [keyring.seals, ...keyring.opens].filter((keyId) => !fresh.includes(keyId))
  return {
    step: 'move_first',
    key_ids: fresh,
    text: `Wait until every running version has ${fresh.join(', ')} (a gradual deployment is at 100 %). Then put it first:
${set(`the keys of ${[...fresh, ...rest].join(',')}`, where)}`,
  }
}

function drop(keyring: KeyringKids, where: Where): Step {
  return {
    step: 'drop',
    key_ids: keyring.opens,
    text: `No key opens with ${keyring.opens.join(', ')} any more. Wait until no running version seals under it (a gradual
deployment is at 100 %). Then remove it, but store it as long as you keep backups that it opens:
${set(`the key of ${keyring.seals}`, where)}`,
  }
}

function dropForeign({ kid }: ForeignKids, { remote }: Where): Step {
  const variable = variableOf(kid)
  const how = remote
    ? wranglerCommand(['secret', 'delete', variable].join(' '))
    : `Remove this from .dev.vars: ${variable}`
  return {
    step: `drop_${kid}`,
    key_ids: [kid],
    text: `No row under ${kid} is left that opens. When you have imported everything, remove the key, and its name
from [secrets] required in ${CONFIG}:
${how}`,
  }
}

function nothing({ seals }: KeyringKids, where: Where): Step {
  return {
    step: 'nothing',
    key_ids: [],
    text: `Every key that opens is sealed under ${seals}. To change the key, make a new one (${npmCommand('keys -- new', LOCAL)}) and put it
second. There it opens keys, but does not seal yet:
${set(`the key of ${seals}, a comma, the new one`, where)}`,
  }
}

/** How to set the secret. The command for a deployed Worker also deploys; `npm run dev` reloads the local one. */
function set(value: string, { remote }: Where): string {
  return remote
    ? `${wranglerCommand(`secret put ${SECRET}`)}   # ${value}`
    : `in .dev.vars: ${SECRET}=${value}; the Worker reloads with it while this runs: ${npmCommand('dev', LOCAL)}`
}
