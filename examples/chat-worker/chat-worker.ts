/** `POST /chat` streams a chat completion, paid by the user's own key, which this Worker never sees. */

import { Hono } from 'hono'
import { jwt } from 'hono/jwt'
import type { KeyVault } from '../../src/callers/binding.ts'

interface ChatEnv {
  KEY_VAULT: Service<KeyVault>
  JWT_SECRET_KEY: string
  OPENAI_ORIGIN: string
}

const app = new Hono<{ Bindings: ChatEnv; Variables: { jwtPayload: { sub: string } } }>()
  .use('/chat', async (c, next) => jwt({ secret: c.env.JWT_SECRET_KEY, alg: 'HS256' })(c, next))
  .post('/chat', async (c) => {
    const request = new Request(`${c.env.OPENAI_ORIGIN}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5-mini', stream: true, ...(await c.req.json<object>()) }),
    })
    const { sub: userId } = c.get('jwtPayload')
    const result = await c.env.KEY_VAULT.fetchWithApiKey(userId, 'openai', request)
    if (result.ok) {
      const { response } = result
      if (response.status !== 401 && response.status !== 403) return stream(response)
      await response.body?.cancel()
      // A frontend takes a 401 for the end of its own session. This one is about the user's key.
      return c.json({ error: 'The provider refused the API key', code: 'provider_refused' }, 502)
    }
    const status = result.code === 'no_api_key' || result.code === 'user_not_found' ? 404 : 502
    return c.json({ error: 'The completion could not be started', code: result.code }, status)
  })

/** The completion as it comes, and nothing else of what the provider sent: no cookie, no header. */
function stream({ body, status, headers }: Response): Response {
  const contentType = headers.get('Content-Type') ?? 'application/octet-stream'
  return new Response(body, { status, headers: { 'Content-Type': contentType } })
}

export default app
