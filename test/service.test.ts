import { env } from './isolate.ts'
import { expect, it } from 'vitest'
import { openService } from '../src/service.ts'
import { recordLogs } from './support.ts'

const NONE = {
  PROBE_LIMITER: undefined,
  RELAY_LIMITER: undefined,
  ADDRESS_LIMITER: undefined,
  CALLER_LIMITER: undefined,
}

it.for<[name: string, changes: object, limiters: string[] | null]>([
  ['all of them', {}, null],
  ['no limit for addresses', { ADDRESS_LIMITER: undefined }, ['ADDRESS_LIMITER']],
  [
    'only the limit for users',
    NONE,
    ['PROBE_LIMITER', 'ADDRESS_LIMITER', 'CALLER_LIMITER', 'RELAY_LIMITER'],
  ],
  ['no limit for a relay that is off', { RELAY_LIMITER: undefined, RELAY_SCOPE: '' }, null],
])('an isolate logs once which limiters are missing: %s', async ([, changes, limiters]) => {
  const logs = recordLogs()
  const vault = { ...env, ...changes }
  await Promise.all([openService(vault), openService(vault)])
  await openService(vault)
  const warning = { level: 'warn', event: 'limiter_missing', limiters }
  expect(logs.events()).toEqual(limiters === null ? [] : [warning])
})
