/** Tokens that are refused, each with what the refusal says. */

import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { inSeconds } from '../../scripts/lib/token.ts'
import { encode, HS256, sign, signJson } from './signed-tokens.ts'

const claims = (changes: object = {}) => ({ sub: 'jane', exp: inSeconds(600), ...changes })
const valid = async () => sign(HS256, claims())

/** Signs claims with the JSON text `exp` as their `exp`, which JSON.stringify cannot write. */
const signText = async (exp: string) => signJson(HS256, `{"sub":"jane","exp":${exp}}`)

/** Signs with the sender's own key, and puts that key into the header. */
async function signedByEmbedded(header: object): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  return new SignJWT(claims())
    .setProtectedHeader({ alg: 'ES256', jwk: await exportJWK(publicKey), ...header })
    .sign(privateKey)
}

async function signedByEmbeddedSecret(): Promise<string> {
  const secret = 'attacker chosen, and thirty-two bytes long'
  const jwk = { kty: 'oct', k: base64url.encode(secret) }
  return sign({ ...HS256, jwk }, claims(), { secret })
}

/** An HMAC whose secret is a public key. */
async function signedByPublicKey(): Promise<string> {
  const secret = await exportSPKI((await generateKeyPair('ES256')).publicKey)
  return sign(HS256, claims(), { secret })
}

/** `text` with one bit of the base64url character at `index` flipped. */
function flipBit(text: string, index: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const flipped = alphabet[alphabet.indexOf(text.charAt(index)) ^ 1]
  return text.slice(0, index) + flipped + text.slice(index + 1)
}

const at = (token: string, part: number) => token.split('.', part).join('.').length + 1

type RefusedToken = [name: string, token: () => Promise<string>, detail: string]

const MALFORMED = 'It is not a JWT in compact form'
const FORGED = 'Its signature does not verify'
const ALG = 'Its "alg" is not one that this service accepts.'
const NOT_JWT = 'It is not a signed JWT.'
const EXP = 'Its "exp" has passed.'
const NOT_A_STRING = 'Its "sub" is not a string'
const DOTS = 'Its "sub" is "." or "..", which cannot'
const TIMELESS = 'is not a time in seconds.'

/** Tokens that are malformed, or whose signature proves nothing. */
export const FORGERIES: RefusedToken[] = [
  ['one word', async () => 'garbage', MALFORMED],
  ['two parts', async () => (await valid()).split('.', 2).join('.'), MALFORMED],
  ['four parts', async () => `${await valid()}.AAAA`, MALFORMED],
  ['a trailing =', async () => `${await valid()}=`, MALFORMED],
  ['an inner space', async () => (await valid()).replace('.', '. '), MALFORMED],
  ['a trailing comma and more', async () => `${await valid()}, Bearer x`, MALFORMED],
  ['standard base64', async () => (await valid()).replace(/\.[^.]*$/, '.ab+/'), MALFORMED],
  ['altered spare bits', async () => flipBit(await valid(), (await valid()).length - 1), MALFORMED],
  ['a changed bit of the header', async () => flipBit(await valid(), 3), NOT_JWT],
  ['a changed bit of the payload', async () => changeBit(1, 20), FORGED],
  ['a changed bit of the signature', async () => changeBit(2, 0), FORGED],
  ['an empty signature', async () => `${(await valid()).split('.', 2).join('.')}.`, FORGED],
  ['another key', async () => sign(HS256, claims(), { secret: 'x'.repeat(64) }), FORGED],
  ['an HMAC by a public key', signedByPublicKey, FORGED],
  ['alg none', async () => `${encode({ alg: 'none' })}.${encode(claims())}.`, ALG],
  ['alg None', async () => `${encode({ alg: 'None' })}.${encode(claims())}.`, ALG],
  ['alg NONE', async () => `${encode({ alg: 'NONE' })}.${encode(claims())}.`, ALG],
  ['alg nOnE, signed', async () => sign({ alg: 'nOnE' }, claims()), ALG],
  ['no alg', async () => sign({ typ: 'JWT' }, claims()), NOT_JWT],
  ['HS384', async () => sign({ alg: 'HS384' }, claims(), { hash: 'SHA-384' }), ALG],
  ['HS512', async () => sign({ alg: 'HS512' }, claims(), { hash: 'SHA-512' }), ALG],
  ['RS256 over an HMAC', async () => sign({ alg: 'RS256' }, claims()), ALG],
  ['an unknown crit', async () => sign({ ...HS256, crit: ['x'], x: 1 }, claims()), NOT_JWT],
  ['a critical b64', async () => sign({ ...HS256, crit: ['b64'], b64: false }, claims()), NOT_JWT],
  ['b64 false', async () => sign({ ...HS256, b64: false }, claims()), 'Its header has "b64"'],
  ['b64 true', async () => sign({ ...HS256, b64: true }, claims()), 'Its header has "b64"'],
  ['an embedded jwk', async () => signedByEmbedded({}), ALG],
  ['a jku', async () => signedByEmbedded({ jku: 'http://127.0.0.1:1/jwks.json' }), ALG],
  ['an x5c', async () => signedByEmbedded({ x5c: ['MIIB'] }), ALG],
  ['an HMAC by an embedded oct jwk', signedByEmbeddedSecret, FORGED],
  ['a header that is not an object', async () => sign([1], claims()), NOT_JWT],
  ['60 KB', async () => sign(HS256, claims({ pad: 'x'.repeat(45_000) })), 'It is over 16384 char'],
]

/** A valid token with one bit changed in a part. */
async function changeBit(part: number, index: number): Promise<string> {
  const token = await valid()
  return flipBit(token, at(token, part) + index)
}

const withClaims = (name: string, changes: object, detail: string): RefusedToken => [
  name,
  async () => sign(HS256, claims(changes)),
  detail,
]

/** Tokens that are signed, and have a claim that is missing, wrong or too much. */
export const WRONG_CLAIMS: [...RefusedToken, code?: 'token_expired'][] = [
  ['claims that are a list', async () => sign(HS256, [claims()]), NOT_JWT],
  ['claims that are a string', async () => sign(HS256, 'claims'), NOT_JWT],
  [...withClaims('an exp that has passed', { exp: inSeconds(-60) }, EXP), 'token_expired'],
  [...withClaims('exp 0', { exp: 0 }, EXP), 'token_expired'],
  withClaims('no exp', { exp: undefined }, 'Its "exp" is missing.'),
  withClaims('an exp that is a string', { exp: '9999999999' }, 'Its "exp" is not a number.'),
  withClaims('exp null', { exp: null }, 'Its "exp" is not a number.'),
  ['exp 1e999', async () => signText('1e999'), `Its "exp" ${TIMELESS}`],
  ['exp 1e13', async () => signText('1e13'), `Its "exp" ${TIMELESS}`],
  ['iat -1e999', async () => signText('9e9,"iat":-1e999'), `Its "iat" ${TIMELESS}`],
  ['nbf -1e999', async () => signText('9e9,"nbf":-1e999'), `Its "nbf" ${TIMELESS}`],
  withClaims('an nbf to come', { nbf: inSeconds(3_600) }, 'Its "nbf" is in the future.'),
  withClaims('an nbf that is a string', { nbf: 'now' }, 'Its "nbf" is not a number.'),
  withClaims('an iat that is a string', { iat: '1' }, 'Its "iat" is not a number.'),
  withClaims('no sub', { sub: undefined }, 'Its "sub" is missing.'),
  withClaims('sub 7.5', { sub: 7.5 }, NOT_A_STRING),
  withClaims('sub 2^53', { sub: 2 ** 53 }, NOT_A_STRING),
  withClaims('sub true', { sub: true }, NOT_A_STRING),
  withClaims('a sub that is a list', { sub: ['jane'] }, NOT_A_STRING),
  withClaims('a sub that is an object', { sub: { id: 1 } }, NOT_A_STRING),
  withClaims('sub null', { sub: null }, NOT_A_STRING),
  withClaims('an empty sub', { sub: '' }, 'Its "sub" is empty.'),
  withClaims('a sub of one dot', { sub: '.' }, DOTS),
  withClaims('a sub of two dots', { sub: '..' }, DOTS),
  withClaims('a sub of 2,001 characters', { sub: 'x'.repeat(2_001) }, 'is over 2,000'),
  withClaims('half a surrogate pair as sub', { sub: '\uD800' }, 'is not well-formed Unicode'),
  withClaims('an aud, if none is configured', { aud: 'x' }, 'It has an "aud"'),
  withClaims('an aud that is a number', { aud: 5 }, 'It has an "aud"'),
  withClaims('a list of aud', { aud: ['x', 'y'] }, 'It has an "aud"'),
  withClaims('the type of a refresh token', { type: 'refresh' }, 'Its "type" is not'),
  withClaims('a key that it is bound to', { cnf: { jkt: 'x' } }, 'It is bound to a key ("cnf")'),
]
