/** Which claims the variables for teams name, and what the log says about bad ones. */

import { describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { readSettings } from '../../src/settings.ts'
import { env } from '../isolate.ts'

const read = (vars: object) => readSettings({ ...env, ...vars }).tokenRules.teams

/** What the log says about variables. */
function reason(vars: object): string {
  try {
    read(vars)
  } catch (error) {
    if (error instanceof VaultError && error.cause instanceof Error) return error.cause.message
  }
  return 'accepted'
}

const EDITED =
  'is in user_metadata or unsafe_metadata, which users edit themselves: choose a claim that they cannot edit'
const FORM = 'must be claim=value: org_role=admin'
const SPACE = 'has white space around it'
const AGE = 'TEAM_TOKEN_MAX_AGE_S must be a number of seconds from 1 to 2592000'

describe('variables for teams that are refused', () => {
  it.for<[vars: object, reason: string]>([
    ...[
      'user_metadata',
      'user_metadata.team',
      'app.user_metadata.team',
      'unsafe_metadata.team',
      'metadata.unsafe_metadata',
      'https://app.test/user_metadata',
      'urn:app:User_Metadata',
    ].map((claim): [object, string] => [{ JWT_TEAM_CLAIM: claim }, `JWT_TEAM_CLAIM ${EDITED}`]),
    [
      { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'user_metadata.role=admin' },
      `JWT_TEAM_ADMIN ${EDITED}`,
    ],
    [
      { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'unsafe_metadata.teams' },
      `JWT_TEAM_ADMIN_CLAIM ${EDITED}`,
    ],
    [{ JWT_TEAM_CLAIM: ' org_id' }, `JWT_TEAM_CLAIM ${SPACE}`],
    [{ JWT_TEAM_CLAIM: ['org_id'] }, 'JWT_TEAM_CLAIM must be a string'],
    [{ JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'role=admin ' }, `JWT_TEAM_ADMIN ${SPACE}`],
    ...['admin', '=admin', 'role=', 'role =admin', 'role= admin', '='].map(
      (text): [object, string] => [
        { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: text },
        `JWT_TEAM_ADMIN ${FORM}`,
      ],
    ),
    [{ JWT_TEAM_ADMIN: 'role=admin' }, 'JWT_TEAM_ADMIN needs JWT_TEAM_CLAIM'],
    [{ JWT_TEAM_ADMIN_CLAIM: 'admin_of' }, 'JWT_TEAM_ADMIN_CLAIM needs JWT_TEAM_CLAIM'],
    [
      { JWT_TEAM_CLAIM: '', JWT_TEAM_ADMIN: 'role=admin', JWT_TEAM_ADMIN_CLAIM: 'admin_of' },
      'JWT_TEAM_ADMIN needs JWT_TEAM_CLAIM; JWT_TEAM_ADMIN_CLAIM needs JWT_TEAM_CLAIM',
    ],
    [
      { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'groups' },
      'JWT_TEAM_ADMIN_CLAIM must not be JWT_TEAM_CLAIM: each member would be an admin',
    ],
    ...['0', '-1', '1.5', '1e3', '3600s', '2592001', '99999999'].map((text): [object, string] => [
      { TEAM_TOKEN_MAX_AGE_S: text },
      AGE,
    ]),
    [{ TEAM_TOKEN_MAX_AGE_S: 3_600 }, 'TEAM_TOKEN_MAX_AGE_S must be a string'],
    [{ TEAM_FIRST: 'yes' }, 'TEAM_FIRST must be "true" or "false"'],
  ])('reports the fault of %j', ([vars, expected]) => {
    expect(reason(vars)).toBe(expected)
  })
})

describe('the claims of teams', () => {
  const none = { admin: null, adminClaim: null, maxAgeS: 3_600 }

  it.for<[vars: object, rules: object | null]>([
    [{}, null],
    [{ JWT_TEAM_CLAIM: '', TEAM_TOKEN_MAX_AGE_S: '60' }, null],
    [{ JWT_TEAM_CLAIM: 'org_id' }, { ...none, claim: 'org_id' }],
    [{ JWT_TEAM_CLAIM: 'app_metadata.teams' }, { ...none, claim: 'app_metadata.teams' }],
    [{ JWT_TEAM_CLAIM: 'my_user_metadata.team' }, { ...none, claim: 'my_user_metadata.team' }],
    [
      { JWT_TEAM_CLAIM: 'o.id', JWT_TEAM_ADMIN: 'o.rol=admin', TEAM_TOKEN_MAX_AGE_S: '2592000' },
      { ...none, claim: 'o.id', admin: { claim: 'o.rol', value: 'admin' }, maxAgeS: 2_592_000 },
    ],
    [
      { JWT_TEAM_CLAIM: 'org', JWT_TEAM_ADMIN: 'https://app.test/roles=a=b c' },
      { ...none, claim: 'org', admin: { claim: 'https://app.test/roles', value: 'a=b c' } },
    ],
    [
      { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'admin_of', TEAM_TOKEN_MAX_AGE_S: '1' },
      { ...none, claim: 'groups', adminClaim: 'admin_of', maxAgeS: 1 },
    ],
  ])('%j names the claims %j', ([vars, rules]) => {
    expect(read(vars)).toEqual(rules)
  })

  it.for([
    ['', false],
    ['false', false],
    ['true', true],
  ] as const)('TEAM_FIRST %j is %j', ([text, teamFirst]) => {
    expect(readSettings({ ...env, TEAM_FIRST: text })).toMatchObject({ teamFirst })
  })
})
