/** What `npm run dev` prints once the Worker is up. */

import { npmCommand } from './advice.ts'
import { DEV_VARS, mintDevToken } from './dev-vars.ts'
import { REGISTRY } from './wrangler.ts'

const KEY = 'sk-demo-0123456789'

/** Where the local vault is, and who uses it. */
interface Vault {
  url: string
  userId: string
}

/** Prints lines to paste, or why they would not work. @returns the status with which the Worker answers the user */
export async function printBanner({ url, userId }: Vault): Promise<number> {
  const token = (await mintDevToken(userId)) ?? ''
  const keyUrl = `${url}/api/users/${userId}/api-key`
  const response = await fetch(keyUrl, { headers: { Authorization: `Bearer ${token}` } })
  if (!response.ok) {
    console.log(`
The Worker runs at ${url}, but it refuses the demo user's token:
${response.status} ${await response.text()}
If this is a 500, the log above names the variable to fix. If this is a 401, the Worker does not accept tokens that are
signed with the JWT_SECRET_KEY of ${DEV_VARS}. Check the variables that begin with JWT_.
`)
    return response.status
  }
  const curl = `curl -sS -w '\\n' ${keyUrl} -H "Authorization: Bearer $TOKEN"`
  console.log(`
User Key Vault is ready.

  URL    ${url}
  Page   ${url}/#token=${token}
         This link signs in the user ${userId}.

Save a key, see its preview, delete it:

TOKEN=${token}
${curl} -X PUT -H 'Content-Type: application/json' -d '{"api_key": "${KEY}"}'
${curl}
${curl} -X DELETE

The token is valid for a day. For another one: ${npmCommand('token -- USER', { remote: false })}
To run a Worker that is bound to this vault, in its folder:
WRANGLER_REGISTRY_PATH='${REGISTRY}' npx wrangler dev
`)
  return response.status
}
