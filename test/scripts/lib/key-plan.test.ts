import { expect, it } from 'vitest'
import { planNext } from '../../../scripts/lib/key-plan.ts'
import type { KidStatus, RotationStatus } from '../../../scripts/lib/key-status.ts'

const moment = '2026-01-01T00:00:00.000Z'
const pass = { rows: 0, done: 0, unopenable: 0, rows_per_second: 0, seconds_left: 0 }
const times = { started_at: moment, moved_at: moment, finished_at: moment, asked_at: null }
const rewrap = { ...pass, ...times }

const keyring = (seals: string, opens: string[] = [], names: string[] = []) => ({
  seals,
  opens,
  foreign: names.length === 0 ? null : { kid: 'fernet', names },
})

function status(key_id: string, rows: number, lost = 0): KidStatus {
  const known = { unopenable: lost, lost, latest_saved_at: '2025-12-31T00:00:00.000Z' }
  return { key_id, rows, version: 'v1', in_keyring: true, ...known }
}

const inUse = (kid: string) => status(kid, 9)
const gone = (kid: string) => status(kid, 0)
/** Rows that are as many as the lost ones, but one of them was saved since the pass began. */
const written = (kid: string) => ({ ...status(kid, 2, 2), latest_saved_at: moment })

it.for<[step: string, situation: string, keyIds: string[], status: Partial<RotationStatus>]>([
  ['run_the_job', 'the job has not run', [], { keyring: null, rewrap: null }],
  ['nothing', 'one key seals every row', [], { keyring: keyring('a'), key_ids: [inUse('a')] }],
  ['nothing', 'nothing is stored', [], { keyring: keyring('a'), key_ids: [] }],
  [
    'move_first',
    'no row was ever sealed under the new key',
    ['b'],
    { keyring: keyring('a', ['b']), key_ids: [inUse('a')] },
  ],
  [
    'rewrap',
    'rows are under the old key',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [inUse('a'), inUse('b')] },
  ],
  [
    'rewrap',
    'a row was saved under the old key although a lost one went',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [written('a'), inUse('b')] },
  ],
  [
    'rewrap',
    'the pass is not finished',
    ['a'],
    {
      keyring: keyring('b', ['a']),
      key_ids: [status('a', 0), inUse('b')],
      rewrap: { ...rewrap, finished_at: null },
    },
  ],
  [
    'rewrap',
    'damaged rows and Fernet rows are left',
    ['fernet'],
    {
      keyring: keyring('b', ['a'], ['f']),
      key_ids: [status('a', 2, 2), inUse('fernet'), inUse('b')],
    },
  ],
  [
    'rewrap',
    'somebody brought rows of the old key back',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 3), inUse('b')] },
  ],
  [
    'drop',
    'no row needs the old key',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [gone('a'), inUse('b')] },
  ],
  ['put_back', 'a key is missing', ['a'], { keyring: keyring('b'), missing: ['a'] }],
  [
    'drop',
    'only damaged rows are under the old key',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 2, 2), inUse('b')] },
  ],
  [
    'drop',
    'damaged rows of several forms are under the old key',
    ['a'],
    {
      keyring: keyring('b', ['a']),
      key_ids: [status('a', 2, 2), { ...status('a', 1, 1), version: 'unknown' }],
    },
  ],
  [
    'rewrap',
    'somebody brought rows of the old key back beside damaged ones',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 3, 2), inUse('b')] },
  ],
  [
    'nothing',
    'damaged rows of a removed key are left',
    [],
    {
      keyring: keyring('b'),
      key_ids: [{ ...status('a', 2, 2), in_keyring: false }, inUse('b')],
    },
  ],
  [
    'drop_fernet',
    'a foreign Fernet row is left',
    ['fernet'],
    { keyring: keyring('b', [], ['f']), key_ids: [status('fernet', 1, 1)] },
  ],
  [
    'drop_fernet',
    'no Fernet row is left',
    ['fernet'],
    { keyring: keyring('b', [], ['f']), key_ids: [gone('fernet')] },
  ],
])('the next step is %s if %s', ([expected, , keyIds, changes]) => {
  const whole = { keyring: null, rows: 0, key_ids: [], missing: [], rewrap, ...changes }
  for (const remote of [true, false]) {
    const { step, key_ids, text } = planNext(whole, { remote })
    expect([step, key_ids]).toEqual([expected, keyIds])
    expect(text).not.toMatch(/undefined|\$\{/)
  }
})

it.for<[step: string, value: string, key_ids: KidStatus[]]>([
  ['nothing', 'the key of b, a comma, the new one', [inUse('b')]],
  ['move_first', 'the keys of a,b', [inUse('b')]],
  ['drop', 'the key of b', [gone('a'), inUse('b')]],
])('the step %s says that the new value of the secret is %s', ([step, value, key_ids]) => {
  const opens = step === 'nothing' ? [] : ['a']
  const whole = { keyring: keyring('b', opens), rows: 0, key_ids, missing: [], rewrap }
  const remote = planNext(whole, { remote: true })
  expect(remote.step).toBe(step)
  const command = 'npx wrangler secret put API_KEY_ENCRYPTION_KEY --config wrangler.toml'
  expect(remote.text).toContain(`${command}   # ${value}`)
  const local = planNext(whole, { remote: false })
  expect(local.text).toContain(`in .dev.vars: API_KEY_ENCRYPTION_KEY=${value};`)
})

it.for<[step: string, command: string, changes: Partial<RotationStatus>]>([
  [
    'rewrap',
    'npm run keys -- status --watch',
    { keyring: keyring('b', ['a']), key_ids: [inUse('a')] },
  ],
])('the step %s names a command for the same database', ([step, command, changes]) => {
  const whole = { keyring: null, rows: 0, key_ids: [], missing: [], rewrap, ...changes }
  expect(planNext(whole, { remote: true })).toMatchObject({
    step,
    text: expect.stringContaining(`${command} --remote`),
  })
  const local = planNext(whole, { remote: false }).text
  expect(local).toContain(command)
  expect(local).not.toContain('--remote')
})

it('the step drop_fernet names the command that deletes the secret', () => {
  const whole = { rows: 0, key_ids: [gone('fernet')], missing: [], rewrap }
  const { text } = planNext({ keyring: keyring('b', [], ['f']), ...whole }, { remote: true })
  expect(text).toContain('npx wrangler secret delete LEGACY_FERNET_KEY --config wrangler.toml')
  expect(text).toContain('from [secrets] required in wrangler.toml')
})
