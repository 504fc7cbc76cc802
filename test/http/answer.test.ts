/** The HTTP answer to an error, with what the log gets of it, and the export of events. */

import { Hono } from 'hono'
import { expect, it, vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { CODES } from '../../src/shared/error-code.ts'
import { answerError, type AnswerVariables, exportAnswer, forSdks } from '../../src/http/answer.ts'
import { interceptD1, putKey, recordLogs, someUser, call, tightLimiter } from '../support.ts'
import { MAX_EXPORTED } from '../../src/keys/trail.ts'
import { eventsPath, someHistory } from '../keys/key-owner.ts'
import { someEventRow } from '../store/rows.ts'

/** Answers `error` to a request, and tells what the answer left for the request's log line. */
async function answer(error: unknown, { method = 'GET', path = '/' } = {}) {
  const left: AnswerVariables = {}
  const app = new Hono<{ Variables: AnswerVariables & { requestId: string } }>()
    .use(async (c, next) => {
      c.set('requestId', 'request-1')
      await next()
      Object.assign(left, { errorCode: c.get('errorCode'), errorReason: c.get('errorReason') })
    })
    .use('/relay', forSdks)
    .all('*', (c) => answerError(error, c, { Allow: 'GET' }))
  const response = await app.request(path, { method })
  return { left, status: response.status, headers: response.headers, body: await response.json() }
}

it('answers a refusal with its sentence, its code, its detail and the request id', async () => {
  const logs = recordLogs()
  const refusal = new VaultError('api_key_invalid', { detail: 'api_key is empty.' })
  const { status, headers, body, left } = await answer(refusal)
  expect([status, body]).toEqual([
    400,
    {
      error: 'Valid API key string is required',
      code: 'api_key_invalid',
      detail: 'api_key is empty.',
      request_id: 'request-1',
    },
  ])
  expect([headers.get('X-Vault-Error'), headers.get('Allow')]).toEqual(['api_key_invalid', 'GET'])
  expect(left).toEqual({ errorCode: 'api_key_invalid' })
  expect(logs.events()).toEqual([])
})

it.for<[detail: string | undefined, more: string]>([
  ['A detail.', ' A detail.'],
  [undefined, ''],
])('answers the relay’s refusal with the detail %j as SDKs read it', async ([detail, more]) => {
  const refusal = new VaultError('scope_missing', { detail })
  const { status, headers, body } = await answer(refusal, { path: '/relay' })
  const message = `The key vault refused (scope_missing): ${CODES.scope_missing.error}.${more}`
  const error = { message, type: 'vault_error', code: 'scope_missing', status: 'scope_missing' }
  expect([status, body]).toEqual([
    403,
    { type: 'error', error: { ...error, ...(detail && { detail }) }, request_id: 'request-1' },
  ])
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'application/json',
    'www-authenticate': 'Bearer error="insufficient_scope"',
    'x-vault-error': 'scope_missing',
  })
})

it.for<[method: string, verb: string]>([
  ['GET', 'access'],
  ['PUT', 'update'],
  ['PATCH', 'update'],
  ['POST', 'update'],
  ['DELETE', 'delete'],
])('says for not_your_own that a %s may not %s the key', async ([method, verb]) => {
  const { body } = await answer(new VaultError('not_your_own'), { method })
  expect(body).toMatchObject({ error: `Unauthorized to ${verb} this user's API key` })
})

const WAIT = { retryAfter: 3 }

it.for<[name: string, error: VaultError, header: string, value: string | null]>([
  ['a missing token', new VaultError('token_missing'), 'WWW-Authenticate', 'Bearer'],
  [
    'an expired token',
    new VaultError('token_expired'),
    'WWW-Authenticate',
    'Bearer error="invalid_token"',
  ],
  ['a refused body', new VaultError('invalid_json'), 'WWW-Authenticate', null],
  ['a refusal that passes', new VaultError('database_busy', WAIT), 'Retry-After', '3'],
  ['a refusal that stays', new VaultError('no_api_key'), 'Retry-After', null],
  ['an unreadable key', new VaultError('api_key_unreadable'), 'X-Should-Retry', 'false'],
  ['a limit of the owner', new VaultError('limit_reached', WAIT), 'X-Should-Retry', 'false'],
  ['a busy database', new VaultError('database_busy', WAIT), 'X-Should-Retry', null],
])('answers %s with the right %s', async ([, error, header, value]) => {
  recordLogs()
  const { headers } = await answer(error)
  expect(headers.get(header)).toBe(value)
})

it('leaves why a provider was unreachable for the log line, and out of the answer', async () => {
  const cause = new TypeError('connect to https://a.test/v1?q=secret refused')
  const { left, body } = await answer(new VaultError('provider_unreachable', { cause }))
  const errorReason = 'TypeError: connect to <URL> refused'
  expect(left).toEqual({ errorCode: 'provider_unreachable', errorReason })
  expect(JSON.stringify(body)).not.toContain('refused')
})

it('answers an unknown error as internal, without a detail, and logs the error', async () => {
  const logs = recordLogs()
  const DB = interceptD1(async () => Promise.reject(new Error('D1_ERROR: something new')))
  const response = await putKey(await someUser(), 'sk-1', { env: { DB } })
  expect([response.status, response.headers.get('X-Should-Retry')]).toEqual([500, 'false'])
  expect(await response.json()).toEqual({
    error: 'Internal server error',
    code: 'internal',
    request_id: response.headers.get('X-Request-Id'),
  })
  const error = logs.events().find(({ level }) => level === 'error')
  expect(error).toMatchObject({
    code: 'internal',
    request_id: response.headers.get('X-Request-Id'),
    error: { message: 'D1_ERROR: something new', stack: expect.any(String) },
  })
})

/** More than an export reads at once. */
const EVENTS = 1_100

it('exports all events as NDJSON', async () => {
  const { userId, token, ids } = await someHistory(EVENTS)
  const response = await call('GET', `${eventsPath(userId)}?format=ndjson`, { token })
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'content-disposition': 'attachment; filename="api-key-events.ndjson"',
  })
  const lines = (await response.text()).trimEnd().split('\n')
  expect(lines.map((line): string => JSON.parse(line).id)).toEqual(ids)
})

/** The lines of an export, and the cursor in its last line. */
async function readExport(path: string, token: string) {
  const response = await call('GET', path, { token })
  const values: { id?: string; next_cursor?: string }[] = (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const cursor = values.at(-1)?.next_cursor
  return { ids: values.flatMap(({ id }) => id ?? []), lines: values.length, cursor }
}

it('exports at most 10,000 events, and the last line says where the next export begins', async () => {
  const { userId, token, ids } = await someHistory(MAX_EXPORTED + 3)
  const path = `${eventsPath(userId)}?format=ndjson`
  const first = await readExport(path, token)
  expect(first).toEqual({
    ids: ids.slice(0, MAX_EXPORTED),
    lines: MAX_EXPORTED + 1,
    cursor: ids[MAX_EXPORTED - 1],
  })
  const rest = await readExport(`${path}&cursor=${encodeURIComponent(first.cursor ?? '')}`, token)
  expect(rest).toEqual({ ids: ids.slice(MAX_EXPORTED), lines: 3, cursor: undefined })
})

it('ends without a cursor after exactly 10,000 events', async () => {
  const { userId, token } = await someHistory(MAX_EXPORTED)
  const { lines, cursor } = await readExport(`${eventsPath(userId)}?format=ndjson`, token)
  expect([lines, cursor]).toEqual([MAX_EXPORTED, undefined])
})

it('EXPORT_LIMITER limits the exports of a user, and not the pages of the trail', async () => {
  const { userId, token } = await someHistory(1)
  const vault = { EXPORT_LIMITER: tightLimiter() }
  const statuses = []
  for (const query of ['format=ndjson', 'format=ndjson', 'limit=1', 'format=ndjson', 'limit=1']) {
    // oxlint-disable-next-line no-await-in-loop -- the limiter counts one after the other
    const response = await call('GET', `${eventsPath(userId)}?${query}`, { token, env: vault })
    statuses.push(response.status)
    // oxlint-disable-next-line no-await-in-loop
    await response.text()
  }
  expect(statuses).toEqual([200, 200, 200, 429, 200])
})

it('breaks an export off, and logs it, if D1 fails in the middle', async () => {
  const { userId, token } = await someHistory(EVENTS)
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips > 1) throw new Error('D1_ERROR: Network connection lost.')
    return trip()
  })
  const logs = recordLogs()
  // No wait between two attempts.
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const path = `${eventsPath(userId)}?format=ndjson`
  const response = await call('GET', path, { token, env: { DB } })
  await expect(response.text()).rejects.toThrow('database_busy')
  expect(logs.events()).toContainEqual(
    expect.objectContaining({ level: 'error', event: 'export_broken_off' }),
  )
})

it('reads no further page when the client goes away', async () => {
  let [read, isClosed] = [0, false]
  async function* pages() {
    try {
      for (; read < 100; read += 1) yield [someEventRow()]
      return null
    } finally {
      isClosed = true
    }
  }
  const app = new Hono().get('/', async (c) => exportAnswer(c, 'events', pages()))
  const { body } = await app.request('/')
  const reader = body?.getReader()
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0)
  await reader?.cancel()
  expect([read < 5, isClosed]).toEqual([true, true])
})
