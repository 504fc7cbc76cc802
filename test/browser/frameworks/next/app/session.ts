import { SignJWT } from 'jose'
import { cookies } from 'next/headers'

/** Who is signed in. A real application reads a session that nobody can forge. */
export async function readUserId(): Promise<string | null> {
  return (await cookies()).get('user')?.value ?? null
}

/** The access token of a user, signed with the secret that the vault knows. */
export async function signToken(userId: string): Promise<string> {
  const secret = new TextEncoder().encode(process.env['JWT_SECRET_KEY'])
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(userId)
    .setExpirationTime('15 minutes')
    .sign(secret)
}
