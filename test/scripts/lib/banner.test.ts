import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { printBanner } from '../../../scripts/lib/banner.ts'
import { listen, stop } from '../../../scripts/lib/local-server.ts'
import { enterFolder } from '../run-script.ts'

let status = 200
let authorization: string | undefined
const server = createServer((request, response) => {
  ;({ authorization } = request.headers)
  response.writeHead(status).end('{"code":"the code"}')
})
let url: string
let folder: ReturnType<typeof enterFolder>

beforeAll(async () => {
  url = `http://127.0.0.1:${await listen(server)}`
  folder = enterFolder()
  writeFileSync('.dev.vars', `JWT_SECRET_KEY=${'a'.repeat(64)}\n`)
})
afterAll(async () => {
  folder.leave()
  await stop(server)
})
afterEach(() => vi.restoreAllMocks())

/** Prints the banner of a vault that answers with `answered`. */
async function print(answered: number): Promise<{ status: number; text: string }> {
  status = answered
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  return {
    status: await printBanner({ url, userId: 'demo' }),
    text: log.mock.calls.flat().join('\n'),
  }
}

it('prints the page, and lines that save, preview and delete a key with one token', async () => {
  const { status: returned, text } = await print(200)
  expect(returned).toBe(200)
  expect(text).toMatch(new RegExp(`Page   ${url}/#token=eyJ[\\w.-]+\n`))
  expect(text).toContain('This link signs in the user demo.')
  const lines = text.split('\n').filter((line) => line.startsWith('curl '))
  const keyUrl = `${url}/api/users/demo/api-key`
  expect(lines.filter((line) => line.includes(` ${keyUrl} `))).toHaveLength(3)
  expect(lines.map((line) => /-X (\w+)/.exec(line)?.[1] ?? 'GET')).toEqual(['PUT', 'GET', 'DELETE'])
  const tokens = text.match(/eyJ[\w.-]+/g) ?? []
  expect(tokens).toEqual([tokens[0], tokens[0]])
  expect(authorization).toMatch(/^Bearer eyJ/)
})

it.for([401, 500])('prints why the vault refuses the token instead: %i', async (answered) => {
  const { status: returned, text } = await print(answered)
  expect(returned).toBe(answered)
  expect(text).toContain(`refuses the demo user's token:\n${answered} {"code":"the code"}`)
  expect(text).not.toContain('curl ')
})
