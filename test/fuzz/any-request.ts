/** Requests of any form, for the fuzz test. */

import * as fc from 'fast-check'
import { MARK } from './fuzz.ts'
import { ROUTES } from '../../src/shared/routes.ts'
import { PROVIDER } from '../support.ts'

/** A request, as a failure prints it: with the name of its token. */
export interface Sent {
  method: string
  path: string
  headers: [name: string, value: string][]
  token: string
  body: string | Uint8Array<ArrayBuffer> | null
}

/** Slots with a label, as a path has them. What is no label is among them. */
export const LABELLED = [
  'openai:work',
  'openai%3Awork',
  'openai:WORK',
  `acme:${encodeURIComponent('日本の仕事')}`,
  'openai:',
  ':work',
  'openai::',
  'openai:a:b',
  'default:work',
  `openai:sk-${MARK}`,
  `openai:${encodeURIComponent('рay')}`,
  `openai:${'x'.repeat(41)}`,
  `openai:${encodeURIComponent('e\u0301')}`,
  'openai:%00',
  'openai:%2e%2e',
] as const
/** The team that some tokens name. */
export const TEAM = 'fuzzed'

/** Text with the mark in it. */
const text = fc.oneof(
  fc.string({ maxLength: 40 }).map((some) => some + MARK),
  fc.string({ unit: 'binary', maxLength: 20 }).map((some) => MARK + some),
  fc.constantFrom(MARK, `__proto__${MARK}`, `\0${MARK}`, `\u202e${MARK}`, `${MARK}\r\nX: 1`),
)
const segment = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('openai', 'acme', 'own', 'default', 'nobody') },
  { weight: 2, arbitrary: fc.constantFrom(...LABELLED) },
  fc.constantFrom(
    '__proto__',
    'constructor',
    '%',
    '%00',
    '%2f',
    '%2e%2e',
    '%c3%28',
    ';',
    '*',
    ':x',
  ),
  text.map((some) => encodeURIComponent(some.toWellFormed())),
)
const query = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('', '?verify=false', '?verify=true', '?format=ndjson') },
  fc.constantFrom('?limit=0', '?limit=200', '?limit=1e2', '?cursor=2026-01-01T', '?verify&verify'),
  fc
    .tuple(fc.constantFrom('verify', 'limit', 'cursor', 'format', 'provider', '%'), text)
    .map(([name, value]) => `?${name}=${encodeURIComponent(value.toWellFormed())}`),
  fc.string({ maxLength: 20 }).map((some) => `?${some}${MARK}`),
)
/** The routes of a user and of a team, each with its method, for some slots. */
const routes = fc
  .tuple(
    fc.constantFrom(...Object.values(ROUTES).filter(({ path }) => /:(?:user|team)Id/.test(path))),
    fc.constantFrom('openai', 'acme', 'own', 'openai:work', 'openai:home'),
  )
  .map(([{ method, path }, slot]) => {
    return `${method.toUpperCase()} ${path.replace(':provider', slot).replace(':teamId', TEAM)}`
  })
const tail = fc.oneof(
  fc.constantFrom('/api-key', '/api-keys', '/api-key-events', '/export', '/', `/${MARK}`),
  fc
    .tuple(segment, fc.constantFrom('', '/verify', '/assign', '/', '//'))
    .map(([name, rest]) => `/api-keys/${name}${rest}`),
)
const method = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('GET', 'PUT', 'DELETE', 'PATCH', 'POST') },
  fc.constantFrom('HEAD', 'OPTIONS', 'PROPFIND', 'get', 'Patch', MARK),
)

/** A method and a path, which is mostly below that of the user. */
function target(user: string) {
  const below = fc.oneof({ weight: 9, arbitrary: fc.constant(user) }, segment)
  const path = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(below, tail).map(([id, rest]) => `/api/users/${id}${rest}`) },
    fc
      .tuple(fc.oneof(fc.constant(TEAM), segment), tail)
      .map(([id, rest]) => `/api/teams/${id}${rest}`),
    fc.constantFrom('/api/config', '/api/health', '/api', '/api/users', '//', '/api//users/a'),
    fc.tuple(segment, segment).map(([name, rest]) => `/relay/${name}/v1/${rest}`),
    fc.webPath().map((some) => `${some}/${MARK}`),
  )
  const known = routes.map((route) => route.replace(':userId', user))
  const other = fc.tuple(method, path).map((parts) => parts.join(' '))
  return fc.oneof({ weight: 2, arbitrary: known }, other)
}

const header = fc.oneof(
  fc.tuple(
    fc.constantFrom('Content-Type', 'If-Match', 'If-None-Match', 'Origin', 'Accept', 'Cookie'),
    fc.oneof(
      fc.constantFrom('*', '""', `"${MARK}"`, `W/"${MARK}"`, MARK, `application/${MARK}`),
      fc.constantFrom('"2026-01-01T00:00:00.000Z"', 'application/json', `text/${MARK}`),
    ),
  ),
  fc.tuple(
    fc.constantFrom(
      'Content-Length',
      'cf-connecting-ip',
      'Upgrade',
      'x-acme-key',
      'X-Vault-User',
      'X-Vault-Team',
    ),
    fc.constantFrom('0', '-1', '99999999999', TEAM, MARK, `${MARK}::`, 'websocket', ':::::::::::'),
  ),
  fc.tuple(fc.constantFrom('X-Request-Id', 'cf-ray'), fc.constant(`<${MARK}>`)),
  fc.tuple(fc.constant('Authorization'), fc.constantFrom(MARK, `Basic ${MARK}`, `bearer  ${MARK}`)),
)
const value = fc.oneof(
  text,
  fc.constantFrom(null, true, 0, -1, 1e308, [], {}, [MARK], { [MARK]: MARK }),
  fc.constantFrom('2999-01-01T00:00:00Z', '2000-01-01', 'never'),
)
const fields = fc.record(
  {
    api_key: fc.oneof(value, fc.constant(`sk-fuzz-${MARK}-0123456789`)),
    expires_at: value,
    base_url: fc.constantFrom(`https://${MARK}.test`, PROVIDER, `${PROVIDER}/v1`, MARK, null, 7),
    paused: fc.constantFrom(true, false, 'yes', null),
    callers: fc.constantFrom(
      null,
      [],
      ['binding:chat', 'relay:my-client'],
      ['chat'],
      [''],
      [7],
      'chat',
      [`relay:${'a'.repeat(300)}`],
    ),
    max_uses: fc.oneof(
      value,
      fc.record({ count: fc.oneof(fc.integer(), value), per: fc.constantFrom('day', 'month', 1) }),
    ),
    max_uses_per_member: fc.oneof(value, fc.constant({ count: 1, per: 'day' })),
    // A label that is accepted is shown.
    label: fc.constantFrom(
      'work',
      'home',
      'WORK',
      '日本',
      `sk-${MARK}`,
      `${MARK} `,
      'a:b',
      null,
      7,
      [],
    ),
    position: fc.oneof(value, fc.integer()),
    own_keys: value,
    tokens_since: value,
    [MARK]: value,
  },
  { requiredKeys: [] },
)
const body = fc.oneof(
  fc.constantFrom(
    '{"api_key":"sk-fuzz-0123456789"}',
    '{"paused":true}',
    '{"paused":false}',
    '{"label":"home"}',
    '{"position":0}',
    '{"own_keys":false}',
  ),
  { weight: 6, arbitrary: fields.map((some) => JSON.stringify(some)) },
  fc.json(),
  fields.map((some) => JSON.stringify(some).slice(0, -2)),
  text,
  fc.constantFrom('', 'null', '[object Object]', '['.repeat(9_000), MARK.repeat(2_000), null),
  fc.constantFrom('{"__proto__":{"api_key":"sk-1"}}', '{"api_key":"sk-1","api_key":2}', '\uFEFF{}'),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => new Uint8Array(bytes)),
)

/** Any request of a client, mostly about the keys of `user`, with one of the `tokens`. */
export function anyRequest(user: string, tokens: readonly string[]): fc.Arbitrary<Sent> {
  const sent = fc.record({
    target: fc.tuple(target(user), query),
    headers: fc.array(header, { maxLength: 3 }),
    token: fc.oneof(
      { weight: 4, arbitrary: fc.constant('valid') },
      fc.constantFrom('none', ...tokens),
    ),
    body,
  })
  return sent.map(({ target: [line, asked], headers, token, body: content }) => {
    const [verb = '', ...path] = line.split(' ')
    return { method: verb, path: path.join(' ') + asked, headers, token, body: content }
  })
}
