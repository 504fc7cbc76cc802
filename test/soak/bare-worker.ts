/** A Worker that only asks D1 and the provider what the vault would ask them: what grows here is the runtime's own. */

import { DurableObject } from 'cloudflare:workers'

interface BareEnv {
  DB: D1Database
  PROVIDERS: string
}

/** The vault has one. */
export class Deletions extends DurableObject {}

export default {
  fetch: async (request: Request, env: BareEnv): Promise<Response> => {
    const { method, headers } = request
    const { pathname } = new URL(request.url)
    const [, first, , id = ''] = pathname.split('/')
    const body = await request.text()
    if (first === 'relay') {
      await env.DB.batch(reads(env, 'soak-1'))
      const { openai }: { openai: { origin: string } } = JSON.parse(env.PROVIDERS)
      const url = openai.origin + pathname.slice('/relay/openai'.length)
      return fetch(url, { method, headers, ...(body !== '' && { body }) })
    }
    const isChange = method !== 'GET' && method !== 'OPTIONS'
    const results = await env.DB.batch(isChange ? writes(env, id) : reads(env, id))
    return Response.json({ rows: results.map((result) => result.results.length) })
  },
  scheduled: () => {},
}

function reads({ DB }: BareEnv, id: string): D1PreparedStatement[] {
  return [
    DB.prepare('SELECT * FROM users WHERE id = ?1').bind(id),
    DB.prepare('SELECT * FROM api_keys WHERE user_id = ?1').bind(id),
  ]
}

/** Writes a user, a key and an event. */
function writes({ DB }: BareEnv, id: string): D1PreparedStatement[] {
  const sealed = `v1.0123456789ab.${'A'.repeat(72)}`
  return [
    DB.prepare(
      'INSERT INTO users (id) VALUES (?1) ON CONFLICT DO UPDATE SET created_at = excluded.created_at',
    ).bind(id),
    DB.prepare(
      `INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, ?2, '0123456789ab')
       ON CONFLICT DO UPDATE SET identity = excluded.identity`,
    ).bind(id, sealed),
    DB.prepare(
      `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
       VALUES (date(), ?1, ?2, 'default', 'saved', 'owner')`,
    ).bind(id, crypto.randomUUID()),
  ]
}
