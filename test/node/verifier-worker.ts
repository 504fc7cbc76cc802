/** A Worker that only verifies tokens. A request sets how many ms its clock is ahead. */

import { VaultError } from '../../src/errors.ts'
import { tokenVerifier, type VerifyToken } from '../../src/tokens/access-token.ts'

interface VerifierEnv {
  KEY_SET: string
}

const now = Date.now
let ahead = 0
Date.now = () => now() + ahead

/** One in the isolate, as in the vault. */
let verify: VerifyToken | undefined

export default {
  fetch: async (request: Request, { KEY_SET }: VerifierEnv): Promise<Response> => {
    ahead = Number(request.headers.get('X-Ahead') ?? ahead)
    const source = { url: new URL(KEY_SET), issuer: 'https://id.test/', audience: 'vault' }
    const rules = {
      identityClaim: 'sub',
      scope: null,
      pageClient: null,
      servers: null,
      teams: null,
    }
    verify ??= await tokenVerifier([{ kind: 'key_set', ...source }], rules)
    const [, token = ''] = request.headers.get('Authorization')?.split(' ') ?? []
    return verify(token).then(
      () => new Response(),
      (error: unknown) => new Response(VaultError.from(error).code, { status: 503 }),
    )
  },
}
