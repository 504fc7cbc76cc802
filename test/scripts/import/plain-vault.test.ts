import { expect, it } from 'vitest'
import { openVault } from '../../../scripts/import/plain-vault.ts'
import { broken, done, inOrder, refusal, startStubVault, type Reply } from './stub-vault.ts'

const KEY = 'sk-secret-0123456789'
const PUT = { method: 'PUT', path: '/api/users/7/api-key', body: { api_key: KEY } } as const

/** Sends a key to a vault that answers with `replies`. */
async function sendTo(replies: Reply[], tokens: readonly string[] = ['token']) {
  await using vault = await startStubVault(inOrder(...replies))
  const unread = [...tokens]
  const faults: string[] = []
  const send = await openVault({
    url: vault.url,
    tokenHeader: 'Authorization',
    readToken: async () => unread.shift() ?? tokens.at(-1) ?? '',
    signal: new AbortController().signal,
    onWait: () => {},
    onFault: (fault) => void faults.push(fault),
    pauses: [1, 1],
  })
  const result = await send(PUT).then(
    (sent) => sent,
    (error: Error) => error.message.replaceAll(vault.url, 'URL'),
  )
  expect(JSON.stringify(result)).not.toContain(KEY)
  return { result, faults, received: vault.received }
}

const saved = { body: { user_id: '7', created: true }, mayBeDone: false }
const taken = { code: 'api_key_exists', mayBeDone: false }
const html: Reply = (response) => void response.writeHead(502).end('<h1>Bad gateway</h1>')
const busy = refusal('database_busy', { retryAfter: 0 })

it.for<[name: string, replies: Reply[], expected: object]>([
  ['an answer', [done], saved],
  ['a refusal', [refusal('api_key_exists')], taken],
  ['a limit that it reaches', [refusal('rate_limited', { retryAfter: 0 }), done], saved],
  [
    'a limit, and then a refusal',
    [refusal('rate_limited', { retryAfter: 0 }), refusal('api_key_exists')],
    taken,
  ],
  ['a broken connection', [broken, done], { ...saved, mayBeDone: true }],
  ['a lost answer to a save', [broken, refusal('api_key_exists')], { ...taken, mayBeDone: true }],
  ['a busy database', [busy, busy, done], { ...saved, mayBeDone: true }],
  ['a gateway without the vault', [html, refusal('api_key_exists')], { ...taken, mayBeDone: true }],
  ['a vault that stays broken', [refusal('internal')], { fault: '500 internal' }],
  ['a vault that stays silent', [broken], { fault: 'UND_ERR_SOCKET' }],
])('a request survives %s as far as it can', async ([, replies, expected]) => {
  expect((await sendTo(replies)).result).toEqual(expected)
})

it('a vault that does not answer is asked only a few times', async () => {
  const { received, faults } = await sendTo([busy])
  expect(received).toHaveLength(3)
  expect(faults).toEqual(['503 database_busy', '503 database_busy'])
})

it('a limit without a time makes all requests wait for the period of the limiters', async () => {
  await using vault = await startStubVault(() => refusal('rate_limited'))
  const stop = new AbortController()
  const waits: number[] = []
  const send = await openVault({
    url: vault.url,
    tokenHeader: 'X-Token',
    readToken: async () => 'token',
    signal: stop.signal,
    onWait: (seconds) => {
      waits.push(seconds)
      setImmediate(() => stop.abort(new Error('It was interrupted.')))
    },
    onFault: () => {},
  })
  await expect(send(PUT)).rejects.toThrow('aborted')
  await expect(send(PUT)).rejects.toThrow('aborted')
  expect(waits).toEqual([60])
  expect(vault.received.map(({ headers }) => headers['x-token'])).toEqual(['Bearer token'])
})

const page: Reply = (response) => void response.end('<h1>Sign in</h1>')
const foreign: Reply = (response) => void response.writeHead(403).end('{"code": "blocked"}')
const elsewhere: Reply = (response) =>
  void response.writeHead(307, { Location: '/elsewhere' }).end()

it.for<[name: string, reply: Reply, message: string]>([
  ['a page in front of it', page, 'URL answered 200, but not as a vault does. Is --url right?'],
  ['a firewall in front of it', foreign, 'URL answered 403, but not as a vault does.'],
  ['another URL', elsewhere, 'URL leads to another URL (307)'],
  ['a vault without the route', refusal('not_found'), 'URL has no such route.'],
  ['an expired token', refusal('token_expired'), 'The token has expired. Put a fresh one'],
  [
    'a bad token',
    refusal('token_invalid', { detail: 'Not an HS256 token.' }),
    '(token_invalid). Not an',
  ],
  [
    'a missing scope',
    refusal('scope_missing', { detail: 'It lacks vault:save.' }),
    'It lacks vault:save.',
  ],
  ['a token of a user', refusal('not_your_own'), 'It must have a client of MANAGE_CLIENTS'],
])('no request is sent again after %s', async ([, reply, message]) => {
  const { result, received } = await sendTo([reply])
  expect(result).toContain(message)
  expect(received).toHaveLength(1)
})

it('a token that has expired is read again, and the request sent with the fresh one', async () => {
  const { result, received } = await sendTo([refusal('token_expired'), done], ['old', 'new'])
  expect(result).toEqual(saved)
  expect(received.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new'])
})
