/** What an application of any framework has: where the vault is, who is signed in, and a token. */

/** What the address of the page says. */
export const given = new URLSearchParams(location.hash.slice(1))

export const vault = given.get('vault') ?? ''
export const user = given.get('user') ?? ''

export const getToken = async (_options: { refresh: boolean }): Promise<string> =>
  given.get('token') ?? ''

/** Shows what the element fired. */
export function hear(type: string, what: string): void {
  document.getElementById('heard')?.append(`${type} ${what};`)
}
