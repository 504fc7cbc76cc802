import { expect, it } from 'vitest'
import { closestName } from '../../../scripts/doctor/closest-name.ts'

const NAMES = ['MANAGE_SCOPE', 'JWT_SCOPE', 'RELAY_SCOPE', 'OIDC_ISSUER', 'JWT_ISSUER']

it.for<[given: string, meant: string | null]>([
  ['MANAGE_SCOP', 'MANAGE_SCOPE'],
  ['JWT_SCOPES', 'JWT_SCOPE'],
  ['JTW_ISSUER', 'JWT_ISSUER'],
  ['jwt_scope', null],
  ['SOMETHING', null],
  ['', null],
])('%s is read as %s', ([given, meant]) => {
  expect(closestName(given, NAMES)).toBe(meant)
})
