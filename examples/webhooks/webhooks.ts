/** Posts each event of the vault's queue to `WEBHOOK_URL`, signed as https://www.standardwebhooks.com/ asks for. */

import { isConfidentialUrl } from '../../src/shared/confidential-url.ts'

interface WebhookEnv {
  /** An `https:` URL; `http:` only for localhost. */
  WEBHOOK_URL: string
  /** `whsec_` and 24 to 64 random bytes in base64. To change it, put the new one and a space before it. */
  WEBHOOK_SECRET: string
  /** The seconds before the first retry. Each further retry waits four times as long. */
  FIRST_RETRY_S: string
}

/** The time that the receiver has for its answer. */
const DEADLINE_MS = 10_000
/** The longest delay between two attempts: 12 hours. A queue allows 24. */
const MAX_DELAY_S = 43_200
const SECRET_PREFIX = 'whsec_'

/** What each event of the vault has: a user or a team, and more. */
interface Event {
  user_id?: string
  team_id?: string
  id: string
  event: string
  at: string
}

/** What one attempt sends. */
interface Delivery {
  id: string
  body: string
}

export default {
  async queue({ messages }, env) {
    const settings = await readSettings(env)
    await Promise.all(messages.map(async (message) => deliver(message, settings)))
  },
} satisfies ExportedHandler<WebhookEnv>

interface Settings {
  url: string
  keys: readonly CryptoKey[]
  firstRetry: number
}

/** @throws Error if a setting is wrong. The queue then delivers the batch again. */
async function readSettings(env: WebhookEnv): Promise<Settings> {
  // The events name users and teams.
  if (!isConfidentialUrl(env.WEBHOOK_URL)) {
    throw new Error('WEBHOOK_URL must be an https: URL; http: is only for localhost')
  }
  const firstRetry = Number(env.FIRST_RETRY_S)
  if (Number.isNaN(firstRetry)) throw new Error('FIRST_RETRY_S must be a number of seconds')
  return { url: env.WEBHOOK_URL, keys: await importKeys(env.WEBHOOK_SECRET), firstRetry }
}

/** Makes one attempt, and settles this message alone. One that is not an event would fail each time. */
async function deliver(message: Message, { url, keys, firstRetry }: Settings): Promise<void> {
  const { attempts, body: event } = message
  const delivery = await deliveryOf(event).catch(() => null)
  if (delivery === null) {
    log('webhook_malformed', { message_id: message.id })
    return message.ack()
  }
  const status = await post(url, delivery, keys)
  if (status >= 200 && status < 300) return message.ack()
  if (status === 410) {
    log('webhook_gone', { webhook_id: delivery.id })
    return message.ack()
  }
  const delaySeconds = Math.min(firstRetry * 4 ** (attempts - 1), MAX_DELAY_S)
  log('webhook_failed', { webhook_id: delivery.id, status, attempts, delay_s: delaySeconds })
  message.retry({ delaySeconds })
}

/**
 * The id is the same in each attempt and for each copy of the event. The trail's own id is unique for one user
 * or team only, and holds characters that Standard Webhooks does not allow.
 *
 * @throws Error if the message is not an event of the vault: others may write to the queue, too
 */
async function deliveryOf(event: unknown): Promise<Delivery> {
  if (!isEvent(event)) throw new Error('The message lacks a field that every event has')
  const { team_id: team, user_id: user } = event
  const owner = team === undefined ? [user] : ['team', team]
  const name = new TextEncoder().encode(JSON.stringify([...owner, event.id]))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', name))
  const id = `evt_${digest.toBase64({ alphabet: 'base64url', omitPadding: true })}`
  const payload = { type: `api_key.${event.event}`, timestamp: event.at, data: event }
  return { id, body: JSON.stringify(payload) }
}

function isEvent(message: unknown): message is Event {
  if (typeof message !== 'object' || message === null) return false
  const fields = new Map<string, unknown>(Object.entries(message))
  const isText = (name: string) => typeof fields.get(name) === 'string'
  return isText('user_id') !== isText('team_id') && ['id', 'event', 'at'].every(isText)
}

/** The status of the answer; 0 if there is none in time. A redirect is not followed. */
async function post(
  url: string,
  { id, body }: Delivery,
  keys: readonly CryptoKey[],
): Promise<number> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const text = `${id}.${timestamp}.${body}`
  const signatures = await Promise.all(keys.map(async (key) => sign(key, text)))
  const headers = {
    'Content-Type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
  const signal = AbortSignal.timeout(DEADLINE_MS)
  try {
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const
    const response = await fetch(url, init)
    await response.body?.cancel()
    return response.status
  } catch {
    return 0
  }
}

async function sign(key: CryptoKey, text: string): Promise<string> {
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text))
  return `v1,${new Uint8Array(signature).toBase64()}`
}

/** @throws Error if one of the secrets is not well-formed */
async function importKeys(secrets: string): Promise<CryptoKey[]> {
  return Promise.all(
    secrets.split(' ').map(async (secret) => {
      if (!/^whsec_[\w+/]{32,86}={0,2}$/.test(secret)) {
        throw new Error('WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in base64')
      }
      const key = Uint8Array.fromBase64(secret.slice(SECRET_PREFIX.length))
      return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    }),
  )
}

function log(event: string, fields: Record<string, unknown>): void {
  console.error(JSON.stringify({ level: 'error', event, ...fields }))
}
