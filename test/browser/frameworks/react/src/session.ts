/** Who is signed in, as the backend of this application says. */
export interface Session {
  userId: string
  token: string
}

export async function readSession(): Promise<Session> {
  const response = await fetch('/api/session')
  return response.json()
}

/** The element asks for a token before each request. */
export const getToken = async (): Promise<string> => (await readSession()).token
