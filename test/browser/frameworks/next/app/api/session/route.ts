import { readUserId, signToken } from '../../session'

export async function GET(): Promise<Response> {
  const userId = await readUserId()
  if (userId === null) return new Response(null, { status: 401 })
  return Response.json({ userId, token: await signToken(userId) })
}
