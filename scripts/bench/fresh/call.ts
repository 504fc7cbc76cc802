/** A call of a vault's HTTP API. */

export interface Call {
  method: 'GET' | 'PUT' | 'PATCH' | 'DELETE'
  token: string
  body?: object
}

/** The answer's body. @throws Error if it is a refusal */
export async function send<T>(url: string, { method, token, body }: Call): Promise<T> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const sent = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  const response = await fetch(url, sent)
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  return response.json()
}
