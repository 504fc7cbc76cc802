/**
 * Sources × signatures × claims: each vault accepts exactly the tokens that the tables here say. No verdict is computed by
 * the code under test.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FORGERIES, WRONG_CLAIMS } from './refused-tokens.ts'
import { SECRET } from './signed-tokens.ts'
import { signingKey } from './signing-keys.ts'
import {
  answerOf,
  byKey,
  bySecret,
  KEY_SET_URL,
  pemOf,
  serveKeySet,
  unsigned,
  vaultOf,
  type Sign,
} from './token-sources.ts'

const [ES, RS] = [await signingKey('ES256', 'es'), await signingKey('RS256', 'rs', 0)]
const [PEM_RS, PEM_ES] = [await signingKey('RS256', 'pem', 1), await signingKey('ES384', 'pem')]
const PEM = (await pemOf(PEM_RS)) + (await pemOf(PEM_ES))

const NOW = Date.now()

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW })
  serveKeySet([ES.jwk, RS.jwk])
})
afterEach(() => vi.useRealTimers())

type Source = 'secret' | 'key set' | 'public keys'

/** What a token may lack or have, by the word of the tables. */
const AUDIENCES: Record<string, object> = {
  absent: {},
  right: { aud: 'vault' },
  wrong: { aud: 'another' },
  'a part': { aud: 'vaul' },
  'a list with it': { aud: ['another', 'vault'] },
  'a list without it': { aud: ['another', 'Vault'] },
  'an empty list': { aud: [] },
  null: { aud: null },
  'a number': { aud: 7 },
  'an object': { aud: { vault: true } },
  'an object with a length': { aud: { length: 0 } },
  'the own one of the secret': { aud: 'backend' },
}
const ISSUERS: Record<string, object> = {
  right: { iss: 'https://id.test/' },
  'without the slash': { iss: 'https://id.test' },
  absent: {},
  'a list': { iss: ['https://id.test/'] },
  'the own one of the secret': { iss: 'backend' },
}
const CLIENTS: Record<string, object> = {
  none: {},
  client_id: { client_id: 'web' },
  azp: { azp: 'web' },
  cid: { cid: 'web' },
  appid: { appid: 'web' },
  'another listed one': { azp: 'app' },
  'all of them': { client_id: 'web', azp: 'web', cid: 'web', appid: 'web' },
  'another one': { client_id: 'other' },
  'the list': { client_id: 'web,app' },
  'another case': { azp: 'Web' },
  'a space after it': { azp: 'web ' },
  'an empty one': { cid: '' },
  'a number': { client_id: 7 },
  'a list of one': { azp: ['web'] },
  'the claim of nobody': { clientId: 'web', client: 'web' },
  'two listed ones': { client_id: 'web', azp: 'app' },
  'two, one of them listed': { azp: 'web', cid: 'other' },
  'two, one of them a list': { client_id: 'web', azp: ['web'] },
  'two, one of them a number': { cid: 7, appid: 'web' },
  'two equal lists': { client_id: ['web'], azp: ['web'] },
}
const LISTED = ['client_id', 'azp', 'cid', 'appid', 'another listed one', 'all of them']

const KINDS: Record<string, object> = {
  'no kind': {},
  'type access': { type: 'access' },
  'type app': { type: 'app' },
  'type org': { type: 'org' },
  'type refresh': { type: 'refresh' },
  'token_use access': { token_use: 'access' },
  'token_use id': { token_use: 'id' },
  'token_use app': { token_use: 'app' },
  'typ Bearer': { typ: 'Bearer' },
  'typ ID': { typ: 'ID' },
  'typ app': { typ: 'app' },
  'typ Logout': { typ: 'Logout' },
  'token_type refresh': { token_type: 'refresh' },
  at_hash: { at_hash: 'x' },
  events: { events: {} },
  cnf: { cnf: { jkt: 'x' } },
  permissions: { permissions: ['a'] },
}
const ACCESS = ['no kind', 'type access', 'token_use access', 'typ Bearer', 'permissions']

/** The names of AUDIENCES and of ISSUERS that a source accepts. */
const ITS_AUDIENCE = ['right', 'a list with it']
const NO_AUDIENCE = ['absent', 'an empty list', 'null']
const ANY_ISSUER = Object.keys(ISSUERS)
const ITS_ISSUER = ['right']

interface Rules {
  audiences: readonly string[]
  issuers: readonly string[]
  clients: readonly string[]
  kinds: readonly string[]
}

const anyClient = Object.keys(CLIENTS).filter((name) => !name.startsWith('two'))
const unbound: Rules = {
  audiences: NO_AUDIENCE,
  issuers: ANY_ISSUER,
  clients: anyClient,
  kinds: ACCESS,
}
const bound: Rules = { ...unbound, audiences: ITS_AUDIENCE, issuers: ITS_ISSUER }
const boundSet: Rules = { ...bound, kinds: [...ACCESS, 'type app'] }
const listed: Rules = { ...unbound, issuers: ITS_ISSUER, clients: LISTED }

const secret = { JWT_SECRET_KEY: SECRET }
const set = { JWT_JWKS_URL: KEY_SET_URL, JWT_ISSUER: 'https://id.test/' }
const pem = { JWT_PUBLIC_KEY: PEM }
const both = { JWT_ISSUER: 'https://id.test/', JWT_AUDIENCE: 'vault' }
const audience = { JWT_AUDIENCE: 'vault' }
const clients = { JWT_CLIENTS: 'web, app' }
const own = { JWT_SECRET_ISSUER: 'backend', JWT_SECRET_AUDIENCE: 'backend' }
const OWN: Rules = {
  ...unbound,
  audiences: ['the own one of the secret'],
  issuers: ['the own one of the secret'],
}

/** Each vault, and what it accepts of each source. It accepts nothing of a source that is missing here. */
const VAULTS: [name: string, vars: Partial<Env>, accepts: Partial<Record<Source, Rules>>][] = [
  ['a secret', secret, { secret: unbound }],
  ['a secret, issuer and audience', { ...secret, ...both }, { secret: bound }],
  ['a secret and clients', { ...secret, ...clients }, { secret: { ...unbound, clients: LISTED } }],
  ['a key set and an audience', { ...set, ...audience }, { 'key set': boundSet }],
  ['a key set and clients', { ...set, ...clients }, { 'key set': listed }],
  [
    'a key set, an audience and clients',
    { ...set, ...audience, ...clients },
    { 'key set': { ...boundSet, clients: LISTED } },
  ],
  [
    'a key set and no audience',
    { ...set, JWT_NO_AUDIENCE: 'true' },
    { 'key set': { ...unbound, issuers: ITS_ISSUER } },
  ],
  ['public keys', pem, { 'public keys': unbound }],
  ['public keys, issuer and audience', { ...pem, ...both }, { 'public keys': bound }],
  [
    'public keys and clients',
    { ...pem, ...clients },
    { 'public keys': { ...unbound, clients: LISTED } },
  ],
  [
    'a secret and a key set',
    { ...secret, ...set, ...audience },
    { secret: unbound, 'key set': boundSet },
  ],
  [
    'a secret and a key set, each bound',
    { ...secret, ...set, ...audience, ...own },
    { secret: OWN, 'key set': boundSet },
  ],
  [
    'a secret and a key set with clients',
    { ...secret, ...set, ...clients },
    { secret: unbound, 'key set': listed },
  ],
  [
    'a secret and public keys',
    { ...secret, ...pem, ...both },
    { secret: unbound, 'public keys': bound },
  ],
]

/** What signs a token, and the source that it is of; null for a signature that proves nothing to any vault. */
const SIGNATURES: [name: string, source: Source | null, sign: Sign][] = [
  ['HS256 by the secret', 'secret', bySecret(SECRET)],
  ['HS256 with the kid of the key set', 'secret', bySecret(SECRET, { kid: 'es' })],
  ['ES256 by the key set', 'key set', byKey(ES)],
  ['RS256 by the key set', 'key set', byKey(RS)],
  ['RS256 by the public key', 'public keys', byKey(PEM_RS)],
  ['PS256 by the public key', 'public keys', byKey(await signingKey('PS256', 'pem', 1))],
  ['ES384 by the public key', 'public keys', byKey(PEM_ES)],
  ['RS256 by the public key, with another kid', 'public keys', byKey(PEM_RS, { kid: 'rs-2' })],
  ['none', null, unsigned],
  ['HS256 by another secret', null, bySecret('x'.repeat(64))],
  ['HS256 by the PEM of the public key', null, bySecret(await pemOf(PEM_RS))],
  ['HS256 by all of the PEM', null, bySecret(PEM)],
  ['HS256 by the body of the PEM', null, bySecret(PEM.replaceAll(/-----.*?-----|\s/g, ''))],
  ['HS256 by the JWK of the key set', null, bySecret(JSON.stringify(RS.jwk), { kid: 'rs' })],
  ['HS256 by the modulus of the key set', null, bySecret(String(RS.jwk.n), { kid: 'rs' })],
  ['HS256 by an empty secret', null, bySecret('\0')],
  ['RS256 over an HMAC by the secret', null, bySecret(SECRET, { alg: 'RS256', kid: 'rs' })],
  ['ES256 over an HMAC by the PEM', null, bySecret(PEM, { alg: 'ES256', kid: 'es' })],
  ['HS256 over a signature of the key set', null, byKey(ES, { alg: 'HS256' })],
  ['HS384 by the secret', null, bySecret(SECRET, { alg: 'HS384' })],
  ['ES256 by another key with the same kid', null, byKey(await signingKey('ES256', 'es'))],
  ['RS256 by another key with the same kid', null, byKey(await signingKey('RS256', 'rs', 2))],
  ['ES384 by another key', null, byKey(await signingKey('ES384', 'pem'))],
  ['ES384 over a signature of P-256', null, byKey(ES, { alg: 'ES384' })],
  ['ES256 over a signature of P-384', null, byKey(PEM_ES, { alg: 'ES256' })],
  ['PS256 by the key set’s key for RS256', null, byKey(await signingKey('PS256', 'rs', 0))],
  ['PS256 over RS256 of the public key', null, byKey(PEM_RS, { alg: 'PS256' })],
  ['RS512 over RS256 of the public key', null, byKey(PEM_RS, { alg: 'RS512' })],
  ['ES256K', null, byKey(ES, { alg: 'ES256K' })],
  ['an alg in lower case', null, byKey(ES, { alg: 'es256' })],
  ['an alg that is a list', null, byKey(ES, { alg: ['ES256'] })],
]

/** One claim of each table. The others are what a vault with these variables accepts. */
interface Told {
  aud: string
  iss: string
  client: string
  kind: string
}

const USUAL: Told = { aud: 'right', iss: 'right', client: 'client_id', kind: 'no kind' }

/** The audiences that tell the rules apart. */
const SOME_AUDIENCES = ['absent', 'right', 'wrong']

/** Every audience with every issuer, and every client and every kind with some audiences. */
const TOLD: Told[] = [
  ...cross(Object.keys(AUDIENCES), Object.keys(ISSUERS)).map(([aud, iss]) => ({ aud, iss })),
  ...cross(Object.keys(CLIENTS), SOME_AUDIENCES).map(([client, aud]) => ({ client, aud })),
  ...cross(Object.keys(KINDS), SOME_AUDIENCES).map(([kind, aud]) => ({ kind, aud })),
  { aud: 'the own one of the secret', iss: 'the own one of the secret', client: 'none' },
].map((told) => Object.assign({}, USUAL, told))

/** Each audience and each issuer that some vault accepts: one of these is right for any vault. */
const RIGHT: Told[] = cross(
  [...ITS_AUDIENCE, ...NO_AUDIENCE, 'the own one of the secret'],
  ['right', 'the own one of the secret'],
).map(([aud, iss]) => Object.assign({}, USUAL, { aud, iss }))

function cross(one: string[], other: string[]): [string, string][] {
  return one.flatMap((a) => other.map((b): [string, string] => [a, b]))
}

const isAccepted = (rules: Rules | undefined, { aud, iss, client, kind }: Told) =>
  rules !== undefined &&
  rules.audiences.includes(aud) &&
  rules.issuers.includes(iss) &&
  rules.clients.includes(client) &&
  rules.kinds.includes(kind)

const claimsOf = ({ aud, iss, client, kind }: Told) => ({
  sub: 'jane',
  exp: Math.floor(NOW / 1_000) + 600,
  ...AUDIENCES[aud],
  ...ISSUERS[iss],
  ...CLIENTS[client],
  ...KINDS[kind],
})

/** Each token is signed once, for all vaults. */
const signed = new Map<string, Promise<string>>()

async function tokenOf(name: string, sign: Sign, told: Told): Promise<string> {
  const key = JSON.stringify([name, told])
  const token = signed.get(key) ?? sign(claimsOf(told))
  signed.set(key, token)
  return token
}

/** The first signature of each source has every claim. The others need no more than tokens that are right. */
const FIRST = new Set(['HS256 by the secret', 'ES256 by the key set', 'ES384 by the public key'])

describe.for(VAULTS)('a vault with %s', ([vault, vars, accepts]) => {
  it.for(SIGNATURES)(
    `a vault with ${vault} accepts what it should of tokens signed with %s`,
    async ([name, source, sign]) => {
      const verify = vaultOf(vars)
      const rules = source === null ? undefined : accepts[source]
      const wrong: string[] = []
      for (const told of rules !== undefined && FIRST.has(name) ? TOLD : RIGHT) {
        const answer = await answerOf(verify, await tokenOf(name, sign, told))
        const isRight = isAccepted(rules, told) === (typeof answer === 'object')
        if (!isRight) wrong.push(`${JSON.stringify(told)}: ${JSON.stringify(answer)}`)
      }
      expect(wrong).toEqual([])
    },
  )
})

describe('what a vault of one secret refuses', () => {
  it.for([...FORGERIES, ...WRONG_CLAIMS])(
    'a vault of several sources refuses a token with %s too',
    async ([, token, , code = 'token_invalid']) => {
      const refused = await token()
      for (const vars of [
        { ...secret, ...set, ...audience },
        { ...secret, ...set, ...clients },
        { ...secret, ...set, JWT_NO_AUDIENCE: 'true' },
        { ...secret, ...pem },
        { ...set, ...clients },
        pem,
      ]) {
        const { code: answered } = await vaultOf(vars)(refused).then(
          () => ({ code: 'accepted' }),
          (error: { code: string }) => error,
        )
        // A vault without the secret refuses the token before it reads its claims.
        const isRead = 'JWT_SECRET_KEY' in vars
        expect(answered).toBe(isRead ? code : 'token_invalid')
      }
    },
  )
})
