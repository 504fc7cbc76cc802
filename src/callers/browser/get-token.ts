/** What an application gives the client and the element: tokens. */

/**
 * Returns the signed-in user's access token. With `refresh`, it returns a new one: the service did not
 * accept the last one.
 */
export type GetToken = (options: { refresh: boolean }) => string | Promise<string>
