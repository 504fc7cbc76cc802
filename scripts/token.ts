/** `npm run token -- USER`: an access token for local development, as flask-jwt-extended makes it. */

import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { readTokenSecret } from './dev-vars.ts'

const NO_SECRET = `.dev.vars has no JWT_SECRET_KEY to sign a token with.
Without the file, npm run dev makes one; else add the line, 32 bytes or more.`

/**
 * A token that is valid for a day, signed with the `JWT_SECRET_KEY` of `.dev.vars`; undefined where
 * there is none.
 */
export async function mintToken(userId: string): Promise<string | undefined> {
  const secret = readTokenSecret()
  if (!secret) return undefined
  return new SignJWT({ type: 'access', fresh: false })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setJti(randomUUID())
    .setIssuedAt()
    .setNotBefore('0s')
    .setExpirationTime('24h')
    .sign(new TextEncoder().encode(secret))
}

async function main([userId, ...rest]: string[]): Promise<number> {
  if (!userId || userId.startsWith('--') || rest.length > 0) {
    console.error('Usage: npm run token -- USER')
    return 2
  }
  const token = await mintToken(userId)
  if (token === undefined) console.error(NO_SECRET)
  else console.log(token)
  return token === undefined ? 1 : 0
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
