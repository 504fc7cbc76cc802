/** Which kids are stored, what is under them, and the walk through all rows. */

import { beforeEach, describe, expect, it } from 'vitest'
import {
  countByProviderAfter,
  countRowsAfter,
  countUnder,
  selectKids,
  selectNthRowAfter,
  selectRowsAfter,
  selectSlotsUnder,
  selectUnder,
  START,
} from '../../src/store/all-keys.ts'
import { run, type Statement } from '../../src/store/d1.ts'
import { env } from '../isolate.ts'

const read = async <Row>(statement: Statement<Row>) => (await run(env.DB, statement)).results

describe('rows by kid', () => {
  /** 300 rows under `one`, which were saved one day after the other, and two under others. */
  beforeEach(async () => {
    await env.DB.batch([
      env.DB.prepare('DELETE FROM users'),
      env.DB.prepare("INSERT INTO users (id) VALUES ('ann')"),
      env.DB.prepare(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
         SELECT 'ann', 'slot-' || i, 'sealed', 'one', date('2026-01-01', i || ' days') FROM n`,
      ),
      env.DB.prepare(
        `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
         VALUES ('ann', 'openai', 'gAAAA', 'fernet', '2026-02-01'), ('ann', 'acme', 'v1', 'two', '2026-03-01')`,
      ),
    ])
  })

  it('lists every stored kid once, sorted, and reads a few rows', async () => {
    const { results, meta } = await run(env.DB, selectKids())
    expect(results.map(({ kid }) => kid)).toEqual(['fernet', 'one', 'two'])
    expect(meta.rows_read).toBeLessThan(15)
  })

  it('lists no kid if there are no keys', async () => {
    await env.DB.prepare('DELETE FROM api_keys').run()
    expect(await read(selectKids())).toEqual([])
  })

  it('does not list a kid whose last row is gone', async () => {
    await env.DB.prepare("DELETE FROM api_keys WHERE key_id = 'one'").run()
    expect((await read(selectKids())).map(({ kid }) => kid)).toEqual(['fernet', 'two'])
  })

  it.for<[kid: string, limit: number, found: object]>([
    ['one', 301, { rows: 300, latest: '2026-10-28' }],
    ['two', 9, { rows: 1, latest: '2026-03-01' }],
    ['none', 9, { rows: 0, latest: null }],
  ])('counts the rows under %s, up to %i: %j', async ([kid, limit, found]) => {
    expect(await read(countUnder(kid, limit))).toEqual([found])
  })

  it('counts no more rows than the limit, and reads no more', async () => {
    const { results, meta } = await run(env.DB, countUnder('one', 10))
    expect(results).toMatchObject([{ rows: 10 }])
    expect(meta.rows_read).toBeLessThanOrEqual(22)
  })

  it('reads three rows under a kid', async () => {
    expect(await read(selectUnder('one'))).toHaveLength(3)
    expect(await read(selectUnder('fernet'))).toEqual([
      { userId: 'ann', provider: 'openai', sealed: 'gAAAA', kid: 'fernet' },
    ])
    expect(await read(selectUnder('none'))).toEqual([])
  })

  it('finds the slots that are under some kids, up to a limit', async () => {
    const found = await read(selectSlotsUnder(['two', 'fernet'], 9))
    expect(found.toSorted((a, b) => a.kid.localeCompare(b.kid))).toEqual([
      { userId: 'ann', provider: 'openai', kid: 'fernet' },
      { userId: 'ann', provider: 'acme', kid: 'two' },
    ])
    expect(await read(selectSlotsUnder(['one', 'two'], 5))).toHaveLength(5)
    expect(await read(selectSlotsUnder([], 5))).toEqual([])
  })
})

describe('rows in the order of their primary key', () => {
  const SAVED = '2026-01-01T00:00:00.000Z'
  const [BEFORE, SINCE] = ['2026-01-31T11:59:59.999Z', '2026-01-31T12:00:00.000Z']
  const [NOW, LATER] = ['2026-03-02T12:00:00.000Z', '2026-03-02T12:00:00.001Z']

  /** A slot of a user with the sealed key, under a kid. */
  type Stored = [userId: string, provider: string, sealed: string, kid: string]

  // The first user id is before any letter.
  const ROWS: readonly Stored[] = [
    ['!', 'openai', 'v1.one.a', 'one'],
    ['a', 'default', 'v1.one.b', 'one'],
    ['a', 'openai', 'gAAAAc', 'fernet'],
    ['b', 'openai', 'other', 'two'],
  ]

  beforeEach(async () => {
    const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
    const addKey = env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, identity, encrypted_api_key, key_id, updated_at)
       VALUES (?1, ?2, ?2, ?3, ?4, '${SAVED}')`,
    )
    await env.DB.batch([
      env.DB.prepare('DELETE FROM users'),
      ...['!', 'a', 'b', 'empty'].map((userId) => addUser.bind(userId)),
      ...ROWS.map((row) => addKey.bind(...row)),
    ])
  })

  describe('the walk through all rows', () => {
    it('reads the next rows owner by owner, in the order of their identities', async () => {
      const cursors = (await read(selectRowsAfter(START, 3))).map((row) => [
        row.userId,
        row.provider,
      ])
      expect(cursors).toEqual([
        ['!', 'openai'],
        ['a', 'default'],
        ['a', 'openai'],
      ])
      const after = { userId: 'a', identity: 'default' }
      expect(await read(selectRowsAfter(after, 3))).toEqual([
        {
          userId: 'a',
          provider: 'openai',
          identity: 'openai',
          sealed: 'gAAAAc',
          kid: 'fernet',
          meets: 0,
        },
        {
          userId: 'b',
          provider: 'openai',
          identity: 'openai',
          sealed: 'other',
          kid: 'two',
          meets: 0,
        },
      ])
    })

    it('reads no row before the user of its position', async () => {
      const { meta } = await run(env.DB, selectRowsAfter({ userId: 'a', identity: 'openai' }, 1))
      // It sorts the rows of an owner, of which there are few.
      expect(meta.rows_read).toBeLessThanOrEqual(4)
    })

    it('counts rows by kid and form, from the first row or after one', async () => {
      expect(await read(countRowsAfter(START, 10))).toEqual([
        { kid: 'fernet', version: 'fernet', rows: 1, latest: SAVED },
        { kid: 'one', version: 'v1', rows: 2, latest: SAVED },
        { kid: 'two', version: 'unknown', rows: 1, latest: SAVED },
      ])
      expect(await read(countRowsAfter({ userId: 'a', identity: 'default' }, 1))).toEqual([
        { kid: 'fernet', version: 'fernet', rows: 1, latest: SAVED },
      ])
    })

    it('counts rows by provider, from the first row or after one', async () => {
      const at = { now: SAVED, unusedSince: SAVED }
      const none = { ofTeams: 0, rejected: 0, outOfCredit: 0, expired: 0, paused: 0, unused: 0 }
      const unverified = (provider: string, rows: number) => {
        return { provider, rows, active: 0, unverified: rows, ...none }
      }
      expect(await read(countByProviderAfter(START, 10, at))).toEqual([
        unverified('default', 1),
        unverified('openai', 3),
      ])
      const after = { userId: 'a', identity: 'default' }
      expect(await read(countByProviderAfter(after, 1, at))).toEqual([unverified('openai', 1)])
    })

    it.for<[column: string, changes: string, counted: object]>([
      ['its provider, without its label', "provider = 'openai:work'", { unverified: 1 }],
      ['its team', "user_id = 'team:x'", { ofTeams: 1 }],
      ['no team, if a user id begins as one', "user_id = '~team:x'", { ofTeams: 0 }],
      ['its status', "status = 'active'", { active: 1, unverified: 0 }],
      ['its rejection', "status = 'rejected'", { rejected: 1, unverified: 0 }],
      ['its lack of credit', `exhausted_at = '${SAVED}'`, { outOfCredit: 1, unverified: 1 }],
      ['its pause', `paused_at = '${SAVED}'`, { paused: 1 }],
      ['its expiry, from that time on', `expires_at = '${NOW}'`, { expired: 1 }],
      ['no expiry that is to come', `expires_at = '${LATER}'`, { expired: 0 }],
      ['that it is unused', `last_used_at = '${BEFORE}'`, { unused: 1 }],
      ['that it was never used', `updated_at = '${BEFORE}'`, { unused: 1 }],
      ['that it was used', `last_used_at = '${SINCE}'`, { unused: 0 }],
      ['that it was saved', `updated_at = '${SINCE}'`, { unused: 0 }],
    ])('counts a key by %s', async ([, changes, counted]) => {
      await env.DB.batch([
        env.DB.prepare("INSERT OR IGNORE INTO users (id) VALUES ('team:x'), ('~team:x')"),
        env.DB.prepare(`UPDATE api_keys SET ${changes} WHERE user_id = 'b'`),
      ])
      const after = { userId: 'a', identity: 'openai' }
      const found = await read(countByProviderAfter(after, 1, { now: NOW, unusedSince: SINCE }))
      expect(found).toMatchObject([{ provider: 'openai', rows: 1, ...counted }])
    })

    it('reads five rows for each counted one, as docs/figures.md says', async () => {
      const at = { now: SAVED, unusedSince: SAVED }
      const counted = await run(env.DB, countByProviderAfter(START, 10, at))
      const last = await run(env.DB, selectNthRowAfter(START, 10))
      expect(counted.meta.rows_read + last.meta.rows_read).toBe(5 * ROWS.length)
    })

    it('finds the last of the next rows, if there are so many', async () => {
      expect(await read(selectNthRowAfter(START, 1))).toEqual([{ userId: '!', identity: 'openai' }])
      expect(await read(selectNthRowAfter(START, 4))).toEqual([{ userId: 'b', identity: 'openai' }])
      expect(await read(selectNthRowAfter(START, 5))).toEqual([])
    })
  })
})
