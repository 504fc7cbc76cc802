/** A Worker bound to the vault. It calls any name and reports the result, or forwards a request. */

import type { KeyVault } from '../../src/index.ts'

interface ProbeEnv {
  ALL: Service<KeyVault>
  NONE: Service<KeyVault>
}

export default {
  fetch: async (request: Request, env: ProbeEnv): Promise<Response> => {
    const { searchParams } = new URL(request.url)
    const url = searchParams.get('url')
    if (url !== null) {
      const passedOn = new Request(url, request)
      const result = await env.ALL.fetchWithApiKey('user', 'openai', passedOn)
      return result.ok ? result.response : Response.json(result, { status: 502 })
    }
    const binding = searchParams.get('binding') === 'ALL' ? env.ALL : env.NONE
    const name = searchParams.get('name') ?? ''
    try {
      const member: unknown = Reflect.get(binding, name)
      const called = typeof member === 'function'
      // oxlint-disable-next-line await-thenable -- a member of a stub is
      const value: unknown = await (called ? Reflect.apply(member, binding, ['user']) : member)
      return Response.json({ value: JSON.stringify(value) ?? String(value) })
    } catch (error) {
      return Response.json({ error: String(error) })
    }
  },
}
