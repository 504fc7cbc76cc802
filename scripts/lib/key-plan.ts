/** Which step of a rotation comes next, from the kids of the keyring and what D1 holds. */

import { FERNET_KID, type KeyringKids } from '../../src/crypto/keyring.ts'
import type { Where } from './database.ts'
import type { RotationStatus } from './key-status.ts'

/** A step's name, which `--json` tells, and what to do. */
export interface Step {
  step:
    | 'run_the_job'
    | 'put_back'
    | 'replace_unopenable'
    | 'check'
    | 'move_first'
    | 'rewrap'
    | 'drop'
    | 'drop_fernet'
    | 'nothing'
  /** The kids that it is about. */
  key_ids: string[]
  text: string
}

const SECRET = 'API_KEY_ENCRYPTION_KEY'

/** The next step, which is safe while the Worker's version before it still runs. */
export function planNext(
  { keyring, key_ids, missing, rewrap }: RotationStatus,
  where: Where,
): Step {
  if (keyring === null || rewrap === null) {
    return {
      step: 'run_the_job',
      key_ids: [],
      text: 'The keyring is unknown until the job first runs, within a minute of deployment.',
    }
  }
  if (missing.length > 0) return putBack(missing)
  const legacy = keyring.fernet.length > 0 ? [FERNET_KID] : []
  const others = new Set([...keyring.opens, ...legacy])
  const find = (test: (kid: (typeof key_ids)[number]) => boolean) =>
    key_ids.filter((kid) => others.has(kid.key_id) && test(kid)).map((kid) => kid.key_id)

  const fresh = keyring.opens.filter((keyId) => !key_ids.some((kid) => kid.key_id === keyId))
  if (fresh.length > 0) return moveFirst(keyring, fresh, where)
  const stored = find(({ rows, state }) => rows > 0 || state !== 'unused')
  if (rewrap.finished_at !== null) {
    const unnoticed = key_ids.filter(
      ({ key_id, rows, state }) =>
        key_id !== keyring.seals &&
        (rows === 0 ? state === 'settled' : state === 'unused' || state === null),
    )
    if (unnoticed.length > 0) return check(unnoticed.map(({ key_id }) => key_id))
    const stuck = find(({ rows, unopenable }) => rows > 0 && rows <= unopenable)
    if (stuck.length > 0 && stuck.length === stored.length) return replace(stuck)
  }
  if (stored.length > 0) {
    return {
      step: 'rewrap',
      key_ids: stored,
      text: `Wait until the job's pass is over: what is under ${stored.join(', ')} is sealed again under ${keyring.seals}.
Watch it with npm run keys -- status --watch; then ask again.`,
    }
  }
  if (keyring.opens.length > 0) return drop(keyring, where)
  return keyring.fernet.length > 0 ? dropFernet(where) : nothing(keyring, where)
}

function putBack(missing: string[]): Step {
  return {
    step: 'put_back',
    key_ids: missing,
    text: `Rows are sealed under ${missing.join(', ')}, and the keyring has no key that opens them. Put it back,
last in the list of ${SECRET}${missing.includes(FERNET_KID) ? ' (fernet: in LEGACY_FERNET_KEY)' : ''}.
Until then those rows do not open; they are kept as they are.`,
  }
}

function moveFirst(keyring: KeyringKids, fresh: string[], where: Where): Step {
  const rest = [keyring.seals, ...keyring.opens].filter((keyId) => !fresh.includes(keyId))
  return {
    step: 'move_first',
    key_ids: fresh,
    text: `When every running version has ${fresh.join(', ')} (a gradual deployment is at 100 %), move it first:
${set(`the keys of ${[...fresh, ...rest].join(',')}`, where)}`,
  }
}

function replace(stuck: string[]): Step {
  return {
    step: 'replace_unopenable',
    key_ids: stuck,
    text: `All that is left under ${stuck.join(', ')} does not open, with the right key or for want of it: a
damaged row, or the wrong LEGACY_FERNET_KEY. The log names the rows (api_key_unreadable). With the
right key in the list they open again; else their users enter the key anew, or delete it: until then
the old key stays in the list.`,
  }
}

function check(unnoticed: string[]): Step {
  return {
    step: 'check',
    key_ids: unnoticed,
    text: `The rows under ${unnoticed.join(', ')} were changed by hand since the job looked last. It looks again a day
after that, or now: npm run keys -- check`,
  }
}

function drop(keyring: KeyringKids, where: Where): Step {
  return {
    step: 'drop',
    key_ids: keyring.opens,
    text: `No row needs ${keyring.opens.join(', ')} any more. When no running version seals under it (a gradual
deployment is at 100 %), drop it; keep it as long as the backups that it opens:
${set(`the key of ${keyring.seals}`, where)}`,
  }
}

function dropFernet({ remote }: Where): Step {
  const how = remote ? 'npx wrangler secret delete' : 'Take out of .dev.vars:'
  return {
    step: 'drop_fernet',
    key_ids: [FERNET_KID],
    text: `No Fernet row is left. When nothing more is to be imported, drop the key of the backend before, and its
name in [secrets] required of wrangler.toml:
${how} LEGACY_FERNET_KEY`,
  }
}

function nothing({ seals }: KeyringKids, where: Where): Step {
  return {
    step: 'nothing',
    key_ids: [],
    text: `Every row is sealed under ${seals}. To change the key, make one (npm run keys -- new) and put it
second, where it opens and does not seal yet:
${set(`the key of ${seals}, a comma, the new one`, where)}`,
  }
}

/** How the secret is set. Putting one is a deployment; the local Worker reads its file at the start. */
function set(value: string, { remote }: Where): string {
  return remote
    ? `npx wrangler secret put ${SECRET}   # ${value}`
    : `in .dev.vars: ${SECRET}=${value}; then start npm run dev again`
}
