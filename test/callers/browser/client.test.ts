import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { KEY_PREFIXES } from '../../../scripts/lib/element.ts'
import {
  createVaultClient,
  etagOf,
  type ClientOptions,
} from '../../../src/callers/browser/client.ts'
import { Problem } from '../../../src/callers/browser/problem.ts'
import { ROUTES, type BrowserOperation } from '../../../src/shared/routes.ts'
import { page, refusal, serve, type Answer } from './vault-server.ts'

/** Keeps the console quiet in the current test. */
function silence() {
  const write = vi.spyOn(console, 'error').mockReturnValue()
  onTestFinished(() => write.mockRestore())
  return write
}

beforeEach(() => {
  vi.stubGlobal('KEY_PREFIXES', KEY_PREFIXES)
})
afterEach(() => {
  vi.unstubAllGlobals()
})

const OPTIONS = { getToken: ({ refresh }: { refresh: boolean }) => (refresh ? 'new' : 'token') }
const ofUser = (baseUrl: string, options: Partial<ClientOptions> = {}) =>
  createVaultClient({ ...OPTIONS, ...options, baseUrl, userId: 'auth0|1' })
const ofTeam = (baseUrl: string) => createVaultClient({ ...OPTIONS, baseUrl, teamId: 'acme/1' })
type User = ReturnType<typeof ofUser>
type Team = ReturnType<typeof ofTeam>

const BODY = { api_key: 'sk-1' }
const SLOT = 'openai:a/b'
const LIMITS = { paused: true, max_uses: null }

interface Row {
  call: (vaults: { user: User; team: Team }) => Promise<unknown>
  /** What the query or the body is. */
  query?: string
  body?: object
}

/** Every operation of a browser, with the method that it has. */
const METHODS: Record<BrowserOperation, Row> = {
  getKey: { call: ({ user }) => user.getKey() },
  saveKey: { call: ({ user }) => user.saveKey(BODY), body: BODY },
  deleteKey: { call: ({ user }) => user.deleteKey() },
  listSlots: { call: ({ user }) => user.listSlots() },
  getSlot: { call: ({ user }) => user.getSlot(SLOT) },
  saveSlot: {
    call: ({ user }) => user.saveSlot(SLOT, BODY, { verify: false }),
    query: '?verify=false',
    body: BODY,
  },
  deleteSlot: { call: ({ user }) => user.deleteSlot(SLOT) },
  setLimits: { call: ({ user }) => user.setLimits(SLOT, LIMITS), body: LIMITS },
  assignKey: {
    call: ({ user }) => user.assignKey(SLOT, { verify: true }),
    query: '?verify=true',
  },
  verifySlot: { call: ({ user }) => user.verifySlot(SLOT) },
  listEvents: {
    call: ({ user }) => user.listEvents({ provider: 'openai', limit: 5, cursor: undefined }),
    query: '?provider=openai&limit=5',
  },
  exportUser: { call: ({ user }) => user.downloadUser(), query: '?' },
  listTeamSlots: { call: ({ team }) => team.listSlots() },
  getTeamSlot: { call: ({ team }) => team.getSlot(SLOT) },
  saveTeamSlot: { call: ({ team }) => team.saveSlot(SLOT, BODY), body: BODY },
  deleteTeamSlot: { call: ({ team }) => team.deleteSlot(SLOT) },
  setTeamLimits: { call: ({ team }) => team.setLimits(SLOT, LIMITS), body: LIMITS },
  verifyTeamSlot: { call: ({ team }) => team.verifySlot(SLOT) },
  listTeamEvents: { call: ({ team }) => team.listEvents(), query: '?' },
  getTeam: { call: ({ team }) => team.getTeam() },
  changeTeam: {
    call: ({ team }) => team.changeTeam({ own_keys: false }),
    body: { own_keys: false },
  },
}

it.for(Object.entries(METHODS))('%s is asked of its route', async ([name, { call, ...sent }]) => {
  // The last line of a user's file.
  const { baseUrl, asked } = await serve((response) => response.end('{"type":"end"}\n'))
  await call({ user: ofUser(baseUrl), team: ofTeam(baseUrl) })
  const { method, path } = Object.entries(ROUTES).find(([id]) => id === name)?.[1] ?? {}
  const ids = { ':userId': 'auth0|1', ':teamId': 'acme/1', ':provider': SLOT }
  const url = Object.entries(ids).reduce(
    (filled, [id, value]) => filled.replace(id, encodeURIComponent(value)),
    String(path),
  )
  expect(asked).toHaveLength(1)
  const { query = '', body } = sent
  expect(asked[0]).toMatchObject({ method: method?.toUpperCase(), url: url + query })
  expect(asked[0]?.body).toEqual(body)
  expect(asked[0]?.headers.authorization).toBe('Bearer token')
})

it('returns the answer as the API sends it', async () => {
  const answer = { user_id: 'auth0|1', api_keys: [{ provider: 'openai', has_api_key: false }] }
  const { baseUrl } = await serve([200, answer])
  expect(await ofUser(baseUrl).listSlots()).toEqual(answer)
})

describe('a change of what was seen', () => {
  it.for([
    ['saveKey', (user: User, etag: string | null) => user.saveKey(BODY, { etag })],
    ['deleteKey', (user: User, etag: string | null) => user.deleteKey({ etag })],
    ['saveSlot', (user: User, etag: string | null) => user.saveSlot(SLOT, BODY, { etag })],
    ['deleteSlot', (user: User, etag: string | null) => user.deleteSlot(SLOT, { etag })],
    ['setLimits', (user: User, etag: string | null) => user.setLimits(SLOT, LIMITS, { etag })],
  ] as const)('%s depends on the tag, or on an empty slot', async ([, change]) => {
    const { baseUrl, asked } = await serve([200, {}])
    const user = ofUser(baseUrl)
    await change(user, '"0.1"')
    await change(user, etagOf({ has_api_key: false }))
    const sent = asked.map(({ headers }) => [headers['if-match'], headers['if-none-match']])
    expect(sent).toEqual([
      ['"0.1"', undefined],
      [undefined, '*'],
    ])
  })

  it('the tag of a slot is that of its answer', () => {
    expect(etagOf({ has_api_key: true, etag: '"0.1"' })).toBe('"0.1"')
    expect(etagOf(undefined)).toBeNull()
  })
})

it.for([
  ['a built-in provider', undefined, 'gsk_0123456789'],
  ['a provider of the application', ['acme-'], 'acme-0123456789'],
] as const)('a label that begins as a key of %s is not sent', async ([, keyPrefixes, label]) => {
  const { baseUrl, asked } = await serve([200, {}])
  const user = ofUser(baseUrl, { keyPrefixes })
  const problem = { code: 'label_invalid' }
  await expect(user.saveSlot(`openai:${label}`, BODY)).rejects.toMatchObject(problem)
  await expect(user.getSlot(`openai:${label}`)).rejects.toMatchObject(problem)
  expect(asked).toEqual([])
})

describe('files', () => {
  const lines =
    (...parts: string[]): Answer =>
    (response) =>
      response.end(parts.join('\n').concat('\n'))

  it('the events of a team come as one file', async () => {
    const { baseUrl, asked } = await serve(
      lines('{"id":"b"}', '{"next_cursor":"b"}'),
      lines('{"id":"a"}'),
    )
    const file = await ofTeam(baseUrl).downloadEvents({ provider: 'openai' })
    expect(await file.text()).toBe('{"id":"b"}\n{"id":"a"}\n')
    expect(asked.map(({ url }) => url?.split('?')[1])).toEqual([
      'provider=openai&format=ndjson',
      'provider=openai&format=ndjson&cursor=b',
    ])
  })

  it('each part of a file has the time limit', async () => {
    const { baseUrl } = await serve(lines('{"id":"b"}', '{"next_cursor":"b"}'), () => {})
    const file = ofUser(baseUrl, { limitMs: 300 }).downloadEvents()
    await expect(file).rejects.toMatchObject({ code: 'no_answer' })
  })
})

describe('a token that is not accepted', () => {
  it('a token that is not accepted is renewed once', async () => {
    const { baseUrl, asked } = await serve(refusal(401, 'token_expired'), [200, {}])
    await ofUser(baseUrl).saveSlot('openai', BODY)
    const sent = asked.map(({ headers, body }) => [headers.authorization, body])
    expect(sent).toEqual([
      ['Bearer token', BODY],
      ['Bearer new', BODY],
    ])
  })

  it('a new token that is not accepted either is not renewed', async () => {
    const { baseUrl, asked } = await serve(refusal(401, 'token_expired'))
    await expect(ofUser(baseUrl).listSlots()).rejects.toMatchObject({ code: 'token_expired' })
    expect(asked).toHaveLength(2)
  })
})

describe('failures', () => {
  const ask = async (answer: Answer, options: Partial<ClientOptions> = {}) =>
    ofUser((await serve(answer)).baseUrl, options).listSlots()

  it.for<[what: string, answer: Answer, problem: object]>([
    [
      'a refusal with its detail',
      refusal(403, 'not_your_own', { detail: 'The token is for another user.' }),
      { code: 'not_your_own', detail: 'The token is for another user.', requestId: 'request-1' },
    ],
    [
      'a refusal of a text as a key',
      refusal(400, 'api_key_invalid', { reason: 'white_space', index: 6 }),
      { code: 'api_key_invalid', reason: 'white_space', index: 6 },
    ],
    ['a fault of the vault', refusal(500, 'internal'), { code: 'internal', isFault: true }],
    ['a page with a 200', page(200), { code: 'not_an_answer', requestId: null }],
    ['a page with a 502', page(502), { code: 'not_an_answer' }],
    [
      'a redirect',
      (response) => response.writeHead(302, { Location: '/' }).end(),
      { code: 'unreachable' },
    ],
    ['a connection that breaks off', (response) => response.destroy(), { code: 'unreachable' }],
  ])('%s is told from the others', async ([, answer, problem]) => {
    const thrown: unknown = await ask(answer).catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(Problem)
    expect(thrown).toMatchObject({ name: 'Problem', ...problem })
  })

  it('says when to try again', async () => {
    const answer = [429, { error: 'E', code: 'rate_limited' }, { 'Retry-After': '42' }] as const
    const before = Date.now()
    const thrown: unknown = await ask([...answer]).catch((error: unknown) => error)
    const retryAt = thrown instanceof Problem ? thrown.retryAt : 0
    expect(retryAt).toBeGreaterThanOrEqual(before + 42_000)
    expect(retryAt).toBeLessThanOrEqual(Date.now() + 42_000)
  })

  it('a vault that is not there is unreachable', async () => {
    const user = ofUser('http://127.0.0.1:9')
    await expect(user.listSlots()).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('a browser without a network is offline', async () => {
    vi.stubGlobal('navigator', { onLine: false })
    const user = ofUser('http://127.0.0.1:9')
    await expect(user.listSlots()).rejects.toMatchObject({ code: 'offline' })
  })

  it('an application without a token is token_missing', async () => {
    const write = silence()
    const getToken = () => Promise.reject(new Error('no session'))
    await expect(ask([200, {}], { getToken })).rejects.toMatchObject({ code: 'token_missing' })
    expect(write.mock.calls).toEqual([['Error: no session']])
  })
})

describe('the end of a request', () => {
  const LIMIT = { limitMs: 200 }

  it.for<[what: string, answer: Answer]>([
    ['begins', () => {}],
    ['ends', (response) => response.write('{"user_id":')],
  ])('an answer that never %s is no_answer', async ([, answer]) => {
    const { baseUrl } = await serve(answer)
    const run = ofUser(baseUrl, LIMIT).listSlots()
    await expect(run).rejects.toMatchObject({ code: 'no_answer' })
  })

  it.for([Infinity, 2 ** 31])('a limit of %d ms is the longest one of a timer', async (limitMs) => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => timers.mockRestore())
    const { baseUrl } = await serve([200, {}])
    await ofUser(baseUrl, { limitMs })
      .listSlots()
      .catch(() => {})
    expect(timers).toHaveBeenCalledWith(expect.any(Function), 2 ** 31 - 1)
  })

  it('an application that never gives a token is no_answer', async () => {
    const { baseUrl, asked } = await serve([200, {}])
    const getToken = () => new Promise<string>(() => {})
    const run = ofUser(baseUrl, { ...LIMIT, getToken }).listSlots()
    await expect(run).rejects.toMatchObject({ code: 'no_answer' })
    expect(asked).toEqual([])
  })

  it("the caller's own signal ends it with its reason", async () => {
    const end = new AbortController()
    const { baseUrl } = await serve(() => end.abort(new Error('left the page')))
    const run = ofUser(baseUrl).listSlots({ signal: end.signal })
    await expect(run).rejects.toThrow('left the page')
  })

  it("the caller's own signal ends a file", async () => {
    const end = new AbortController()
    const { baseUrl } = await serve(() => end.abort(new Error('left the page')))
    const run = ofUser(baseUrl).downloadUser({ signal: end.signal })
    await expect(run).rejects.toThrow('left the page')
  })
})
