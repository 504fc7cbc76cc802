import { expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import {
  admitMember,
  requireTokenSince,
  selectTeam,
  updateTeam,
  type NewTeam,
} from '../../src/store/teams.ts'
import { selectUser } from '../../src/store/users.ts'
import { env } from '../isolate.ts'
import { someUser } from '../support.ts'

const someTeam = async () => someUser(`team:${crypto.randomUUID()}`)
const SINCE = '2026-02-01T00:00:00.000Z'

it('a change of a team leaves what it does not name, and no later time is taken back', async () => {
  const team = await someTeam()
  const change = async (changes: NewTeam) =>
    (await run(env.DB, updateTeam(team, changes))).results[0]
  expect(await change({})).toMatchObject({ ownKeys: 1, tokensSince: null })
  expect(await change({ ownKeys: false })).toMatchObject({ ownKeys: 0, tokensSince: null })
  expect(await change({ tokensSince: SINCE })).toMatchObject({ ownKeys: 0, tokensSince: SINCE })
  const earlier = '2026-01-31T23:59:59.999Z'
  expect(await change({ tokensSince: earlier })).toMatchObject({ tokensSince: SINCE })
  expect(await change({ ownKeys: true })).toMatchObject({ ownKeys: 1, tokensSince: SINCE })
})

it('a team that does not exist has no row, and none after a change', async () => {
  const results = await runBatch(env.DB, [updateTeam('team:absent', {}), selectTeam('team:absent')])
  expect(results.map((result) => result.results)).toEqual([[], []])
})

it.for<[issuedAt: string, code: string]>([
  ['2026-01-31T23:59:59.000Z', 'token_expired'],
  ['2026-02-01T00:00:00.000Z', 'taken'],
  ['2026-02-01T00:00:01.000Z', 'taken'],
])('a token of %s is %s by a team that takes those since February', async ([issuedAt, code]) => {
  const teamId = await someTeam()
  await run(env.DB, updateTeam(teamId, { tokensSince: SINCE }))
  const token = { teamId, issuedAt }
  const member = `member-${crypto.randomUUID()}`
  const answers = [requireTokenSince(token), admitMember(token, member)].map(async (statement) =>
    run(env.DB, statement).then(
      () => 'taken',
      (error: unknown) => VaultError.from(error).code,
    ),
  )
  expect(await Promise.all(answers)).toEqual([code, code])
  const { results } = await run(env.DB, selectUser(member))
  expect(results).toHaveLength(code === 'taken' ? 1 : 0)
})

it.for(['a team that has ended none', 'a team that does not exist'])(
  'any token is taken by %s',
  async (kind) => {
    const teamId = kind.endsWith('exist') ? 'team:absent' : await someTeam()
    const token = { teamId, issuedAt: '2001-01-01T00:00:00.000Z' }
    await expect(run(env.DB, requireTokenSince(token))).resolves.toMatchObject({ success: true })
  },
)

it('a member who is a user keeps the identity, and another one is added', async () => {
  const identity = async (id: string) =>
    env.DB.prepare('SELECT identity FROM users WHERE id = ?1').bind(id).first('identity')
  const known = await someUser()
  const before = await identity(known)
  const token = { teamId: await someTeam(), issuedAt: SINCE }
  await runBatch(env.DB, [admitMember(token, known), admitMember(token, `new-${known}`)])
  expect(await identity(known)).toBe(before)
  expect(await identity(`new-${known}`)).toMatch(/^[\da-f]{32}$/)
})
