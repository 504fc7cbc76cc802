import { SignJWT } from 'jose'

/** Who is signed in, and an access token. A real application reads a session that nobody can forge. */
export default defineEventHandler(async (event) => {
  const userId = getCookie(event, 'user')
  if (userId === undefined) throw createError({ statusCode: 401 })
  const secret = new TextEncoder().encode(useRuntimeConfig(event).jwtSecretKey)
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(userId)
    .setExpirationTime('15 minutes')
    .sign(secret)
  return { userId, token }
})
