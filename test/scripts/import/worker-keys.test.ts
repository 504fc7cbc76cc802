import { rmSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Where } from '../../../scripts/lib/database.ts'
import { adviseFernetKey, type WorkerKeys } from '../../../scripts/import/worker-keys.ts'
import { useImports } from './imports.ts'

const { fernet, database, importUsers } = useImports()
const [ONE] = fernet.users
if (!ONE) throw new Error('There are too few rows')
const LOCAL = { remote: false }
const REMOTE = { remote: true }

it('an import warns if the Worker does not have its LEGACY_FERNET_KEY', async () => {
  const insertPass = (keyring: string) =>
    `INSERT OR REPLACE INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
        VALUES (1, '${keyring}', 1, '{}', '2026', '2026')`
  await database().query(insertPass('0123456789ab'))
  const warning = 'The Worker does not have this LEGACY_FERNET_KEY yet'
  expect((await importUsers([ONE])).stdout).toContain(warning)
})

const ADD = 'Add LEGACY_FERNET_KEY to [secrets] required in wrangler.toml'
const SET = 'Set LEGACY_FERNET_KEY in .dev.vars.'
const PUT = 'Set it: npx wrangler secret put LEGACY_FERNET_KEY --config wrangler.toml'
const LACKS = 'The Worker does not have this LEGACY_FERNET_KEY yet'
const START = 'Start the vault again: npm run dev.'
const UNCHECKED = 'No key was checked'

it.for<[situation: string, worker: WorkerKeys, where: Where, isChecked: boolean, advice: string[]]>(
  [
    [
      'the job has not run, and nothing is missing',
      { hasKeys: null, isRequired: true, isInDevVars: true },
      LOCAL,
      true,
      [],
    ],
    [
      'the Worker has the key',
      { hasKeys: true, isRequired: true, isInDevVars: true },
      LOCAL,
      true,
      [],
    ],
    [
      'the configuration does not list it, before the job runs',
      { hasKeys: null, isRequired: false, isInDevVars: true },
      LOCAL,
      true,
      [ADD],
    ],
    [
      'the configuration does not list it',
      { hasKeys: false, isRequired: false, isInDevVars: true },
      LOCAL,
      true,
      [LACKS, ADD],
    ],
    [
      'the environment of the import has it alone',
      { hasKeys: false, isRequired: true, isInDevVars: false },
      LOCAL,
      true,
      [LACKS, SET],
    ],
    [
      'the Worker has to be started again',
      { hasKeys: false, isRequired: true, isInDevVars: true },
      LOCAL,
      true,
      [LACKS, START],
    ],
    [
      'nobody has it',
      { hasKeys: false, isRequired: false, isInDevVars: false },
      LOCAL,
      false,
      [UNCHECKED, 'Until', ADD, SET],
    ],
    [
      'the import alone lacks it',
      { hasKeys: true, isRequired: true, isInDevVars: true },
      REMOTE,
      false,
      [UNCHECKED, 'Until'],
    ],
    [
      'the deployed Worker lacks it',
      { hasKeys: false, isRequired: true, isInDevVars: false },
      REMOTE,
      true,
      [LACKS, PUT, 'If it is set already'],
    ],
    [
      'the deployed Worker and its configuration lack it',
      { hasKeys: false, isRequired: false, isInDevVars: false },
      REMOTE,
      true,
      [LACKS, ADD, PUT, 'If it is set already'],
    ],
    [
      'the job of the deployed Worker has not run',
      { hasKeys: null, isRequired: true, isInDevVars: false },
      REMOTE,
      true,
      [],
    ],
  ],
)('the advice names the missing step if %s', ([, worker, where, isChecked, advice]) => {
  const given = adviseFernetKey(worker, where, isChecked)
  expect(given).toEqual(advice.map((words) => expect.stringContaining(words)))
})

it('an import reads in the configuration whether the Worker gets the key', async () => {
  writeFileSync('wrangler.toml', 'name = "vault"\n[secrets]\nrequired = ["JWT_SECRET_KEY"]')
  expect((await importUsers([ONE])).stdout).toContain(ADD)
  writeFileSync('wrangler.toml', 'name = "vault"\n[secrets]\nrequired = ["LEGACY_FERNET_KEY"]')
  expect((await importUsers([ONE])).stdout).not.toContain(ADD)
  rmSync('wrangler.toml')
})
