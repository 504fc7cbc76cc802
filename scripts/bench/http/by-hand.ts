/** The vault's work without its libraries: only WebCrypto, D1 and one log line. */

import { sameStatements, SEALED, type Asked, type PeerEnv } from './statements.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const HEADERS = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }

let keys: Promise<{ verify: CryptoKey; derive: CryptoKey }> | undefined

async function importKeys(env: PeerEnv) {
  const secret = encoder.encode(env.JWT_SECRET_KEY)
  const bytes = Uint8Array.fromBase64(env.API_KEY_ENCRYPTION_KEY)
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const [verify, derive] = await Promise.all([
    crypto.subtle.importKey('raw', secret, hmac, false, ['verify']),
    crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveKey']),
  ])
  return { verify, derive }
}

/** The user of a valid token; null for any other token. */
async function readUser(authorization: string, verify: CryptoKey): Promise<string | null> {
  const token = authorization.slice('Bearer '.length)
  const end = token.lastIndexOf('.')
  const signature = Uint8Array.fromBase64(token.slice(end + 1), { alphabet: 'base64url' })
  const isValid = await crypto.subtle.verify(
    'HMAC',
    verify,
    signature,
    encoder.encode(token.slice(0, end)),
  )
  if (!isValid) return null
  const claims = Uint8Array.fromBase64(token.slice(token.indexOf('.') + 1, end), {
    alphabet: 'base64url',
  })
  const { sub, exp }: { sub: string; exp: number } = JSON.parse(decoder.decode(claims))
  return exp > Date.now() / 1000 ? sub : null
}

async function deriveUserKey(derive: CryptoKey, userId: string): Promise<CryptoKey> {
  const info = encoder.encode(JSON.stringify(['user-key-vault', 'v1', 'user key', userId]))
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
  const aes = { name: 'AES-GCM', length: 256 }
  return crypto.subtle.deriveKey(hkdf, derive, aes, false, ['encrypt', 'decrypt'])
}

function aesGcm(iv: Uint8Array, { KID }: PeerEnv, userId: string, provider: string) {
  const additionalData = encoder.encode(JSON.stringify(['v1', KID, userId, provider]))
  return { name: 'AES-GCM', iv, additionalData }
}

interface Row {
  sealed: string | null
  provider: string
  updatedAt: string
}

export async function answerByHand(
  request: Request,
  env: PeerEnv,
  asked: Asked,
): Promise<Response> {
  const startedAt = Date.now()
  const { verify, derive } = await (keys ??= importKeys(env))
  const userId = await readUser(request.headers.get('Authorization') ?? '', verify)
  const status = userId === null ? 401 : userId === asked.userId ? 200 : 403
  const body = status === 200 ? await work(request, env, { asked, derive }) : { error: 'no' }
  const { method } = asked
  console.log(
    JSON.stringify({
      level: 'info',
      event: 'request',
      method,
      status,
      duration_ms: Date.now() - startedAt,
    }),
  )
  return new Response(JSON.stringify(body), { status, headers: HEADERS })
}

async function work(
  request: Request,
  env: PeerEnv,
  { asked, derive }: { asked: Asked; derive: CryptoKey },
): Promise<object> {
  const { method, userId } = asked
  const prepare = (index: number, sealed = SEALED) => {
    const { sql = '', values = [] } = sameStatements(env, asked)[index] ?? {}
    return env.DB.prepare(sql).bind(...values.map((value) => (value === SEALED ? sealed : value)))
  }
  if (method === 'DELETE') {
    await env.DB.batch([prepare(0), prepare(1), prepare(2), prepare(3)])
    return { message: 'API key deleted successfully', user_id: userId }
  }
  if (method === 'PUT') {
    const { api_key }: { api_key: string } = await request.json()
    const iv = crypto.getRandomValues(new Uint8Array(12))
    const key = await deriveUserKey(derive, userId)
    const algorithm = aesGcm(iv, env, userId, 'default')
    const ciphertext = await crypto.subtle.encrypt(algorithm, key, encoder.encode(api_key))
    const payload = new Uint8Array([...iv, ...new Uint8Array(ciphertext)])
    const text = payload.toBase64({ alphabet: 'base64url', omitPadding: true })
    const sealed = `v1.${env.KID}.${text}`
    await env.DB.batch([prepare(0), prepare(1, sealed), prepare(2)])
    return {
      message: 'API key updated successfully',
      user_id: userId,
      api_key_preview: api_key.slice(0, 8),
    }
  }
  const { results } = await prepare(0).all<Row>()
  const key = await deriveUserKey(derive, userId)
  const opened = results.map(async ({ sealed, provider, updatedAt }) => {
    if (sealed === null) return { has_api_key: false }
    const payload = Uint8Array.fromBase64(sealed.slice(16), { alphabet: 'base64url' })
    const algorithm = aesGcm(payload.subarray(0, 12), env, userId, provider)
    const text = decoder.decode(await crypto.subtle.decrypt(algorithm, key, payload.subarray(12)))
    return { has_api_key: true, api_key_preview: `${text.slice(0, 8)}...`, updatedAt }
  })
  const answers = await Promise.all(opened)
  return method === 'LIST' ? { api_keys: answers } : (answers[0] ?? {})
}
