/** `npm run token -- USER`: an access token for local development, as flask-jwt-extended makes it. */

import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { readTokenSecret } from './dev-vars.ts'

const HOURS = 24

/** A token that is valid for a day, signed with the `JWT_SECRET_KEY` of `.dev.vars`. */
export async function mintToken(userId: string): Promise<string> {
  return new SignJWT({ type: 'access', fresh: false })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setJti(randomUUID())
    .setIssuedAt()
    .setNotBefore('0s')
    .setExpirationTime(`${HOURS}h`)
    .sign(new TextEncoder().encode(readTokenSecret()))
}

if (import.meta.main) {
  const [userId, ...rest] = process.argv.slice(2)
  if (!userId || rest.length > 0) {
    console.error('Usage: npm run token -- USER')
    process.exit(2)
  }
  console.log(await mintToken(userId))
}
