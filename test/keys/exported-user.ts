/** The export of a user, as the route answers it. */

import { expect } from 'vitest'
import { call, mintToken } from '../support.ts'
import { findLineFaults } from '../contract.ts'

export const exportPath = (userId: string) => `/api/users/${encodeURIComponent(userId)}/export`

type Line = Record<string, unknown>

interface Asked {
  cursor?: string | undefined
  vault?: Partial<Env>
  /** Without it, the user's. */
  token?: string
}

/** The lines of the user's export, each of which is in the OpenAPI document. */
export async function readExport(
  userId: string,
  { cursor, vault = {}, token }: Asked = {},
): Promise<Line[]> {
  const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
  const path = exportPath(userId) + query
  const response = await call('GET', path, {
    token: token ?? (await mintToken({ sub: userId })),
    env: vault,
  })
  const lines = (await response.text())
    .trimEnd()
    .split('\n')
    .map((line): Line => JSON.parse(line))
  expect(findLineFaults(exportPath(userId), lines)).toEqual([])
  return lines
}
