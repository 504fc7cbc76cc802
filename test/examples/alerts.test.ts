import { expect, it, vi } from 'vitest'
import alerts from '../../examples/alerts/tail-worker.ts'

const ALERT_URL = 'https://alerts.test/hook'

/** Has the Tail Worker read what a Worker wrote to its console, and returns the bodies that it posts. */
async function tail(messages: readonly unknown[], status = 200): Promise<unknown[]> {
  const bodies: unknown[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
    const request = new Request(url, init)
    expect(request.url).toBe(ALERT_URL)
    bodies.push(await request.json())
    return new Response(null, { status })
  })
  const logs = messages.map((message) => ({ timestamp: 0, level: 'log', message: [message] }))
  await alerts.tail([{ logs }], { ALERT_URL })
  return bodies
}

const line = (fields: object) => JSON.stringify({ level: 'error', ...fields })

it('the Tail Worker posts each line on which somebody should act, and no user id', async () => {
  const [body, ...others] = await tail([
    line({
      event: 'api_key_unreadable',
      reason: 'does_not_open',
      user_id: 'jane',
      request_id: '7f3a',
    }),
    line({
      event: 'error',
      code: 'server_misconfigured',
      error: { message: 'JWT_SECRET_KEY must be set' },
    }),
    line({ event: 'deletions_held', most: 1_000 }),
    line({ event: 'deletions_held', most: 1_000 }),
  ])
  expect(others).toEqual([])
  expect(body).toEqual({
    text: [
      'VaultKeyDoesNotOpen, look at once: If `key_id` is `fernet`, `LEGACY_FERNET_KEY` may lack the key of an imported row: add it, or ask the user for the key again. Otherwise somebody may have changed the database: compare it with a backup. (request 7f3a)',
      'VaultMisconfigured, look at once: For example, a variable is wrong, or the database does not answer, is full or lacks a migration. The line says which.',
      'VaultDeletionsHeld, look today: Somebody wrote to the database. Confirm the deletions, or delete the tombstones: Held tombstones.',
    ].join('\n'),
  })
})

it.for([
  ['an ordinary request', line({ event: 'request', status: 200, code: null })],
  ['an unreadable imported key', line({ event: 'api_key_unreadable', reason: 'not_a_key' })],
  ['a line that can wait', line({ event: 'limiter_missing', limiters: [] })],
  ['the text of another program', 'Ready on port 8787'],
  ['JSON that is not a line', 'null'],
])('the Tail Worker posts nothing for %s', async ([, message]) => {
  expect(await tail([message])).toEqual([])
})

it('the Tail Worker fails visibly if its webhook does', async () => {
  await expect(tail([line({ event: 'deletions_held', most: 1 })], 500)).rejects.toThrow(
    'ALERT_URL answered with the status 500',
  )
})
