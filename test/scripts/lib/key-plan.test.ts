import { expect, it } from 'vitest'
import { planNext } from '../../../scripts/lib/key-plan.ts'
import type { KidStatus, RotationStatus } from '../../../scripts/lib/key-status.ts'

const moment = '2026-01-01T00:00:00.000Z'
const pass = { rows: 0, done: 0, unopenable: 0, rows_per_second: 0, seconds_left: 0 }
const times = { started_at: moment, moved_at: moment, finished_at: moment, asked_at: null }
const rewrap = { ...pass, ...times }

const keyring = (seals: string, opens: string[] = [], legacy: string[] = []) => ({
  seals,
  opens,
  fernet: legacy,
})

function status(key_id: string, rows: number, state: KidStatus['state'], lost = 0): KidStatus {
  return { key_id, rows, state, version: 'v1', in_keyring: true, unopenable: lost, lost }
}

const inUse = (kid: string) => status(kid, 9, 'in_use')
const gone = (kid: string) => status(kid, 0, 'unused')

it.for<[step: string, situation: string, keyIds: string[], status: Partial<RotationStatus>]>([
  ['run_the_job', 'the job has not run', [], { keyring: null, rewrap: null }],
  ['nothing', 'one key seals every row', [], { keyring: keyring('a'), key_ids: [inUse('a')] }],
  ['nothing', 'nothing is stored', [], { keyring: keyring('a'), key_ids: [] }],
  [
    'nothing',
    'the sealing key is settled',
    [],
    { keyring: keyring('b'), key_ids: [status('b', 0, 'settled')] },
  ],
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
    'rows may come under the old key',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 0, 'in_use'), inUse('b')] },
  ],
  [
    'rewrap',
    'the pass is not finished',
    ['a'],
    {
      keyring: keyring('b', ['a']),
      key_ids: [status('a', 0, 'settled'), inUse('b')],
      rewrap: { ...rewrap, finished_at: null },
    },
  ],
  [
    'rewrap',
    'damaged rows and Fernet rows are left',
    ['fernet'],
    {
      keyring: keyring('b', ['a'], ['f']),
      key_ids: [status('a', 2, 'unused', 2), inUse('fernet'), inUse('b')],
    },
  ],
  [
    'check',
    'somebody deleted the last rows of the old key',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 0, 'settled'), inUse('b')] },
  ],
  [
    'check',
    'somebody deleted the last rows of a lost key',
    ['lost'],
    { keyring: keyring('b'), key_ids: [status('lost', 0, 'settled'), inUse('b')] },
  ],
  [
    'check',
    'somebody brought rows of the old key back',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 3, 'unused'), inUse('b')] },
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
    { keyring: keyring('b', ['a']), key_ids: [status('a', 2, 'unused', 2), inUse('b')] },
  ],
  [
    'drop',
    'damaged rows of several forms are under the old key',
    ['a'],
    {
      keyring: keyring('b', ['a']),
      key_ids: [
        status('a', 2, 'unused', 2),
        { ...status('a', 1, 'unused', 1), version: 'unknown' },
      ],
    },
  ],
  [
    'check',
    'somebody brought rows of the old key back beside damaged ones',
    ['a'],
    { keyring: keyring('b', ['a']), key_ids: [status('a', 3, 'unused', 2), inUse('b')] },
  ],
  [
    'nothing',
    'damaged rows of a removed key are left',
    [],
    {
      keyring: keyring('b'),
      key_ids: [{ ...status('a', 2, 'unused', 2), in_keyring: false }, inUse('b')],
    },
  ],
  [
    'drop_fernet',
    'a foreign Fernet row is left',
    ['fernet'],
    { keyring: keyring('b', [], ['f']), key_ids: [status('fernet', 1, 'unused', 1)] },
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
  [
    'check',
    'npm run keys -- check',
    { keyring: keyring('b'), key_ids: [status('a', 0, 'settled')] },
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
