import { createServer } from 'node:http'
import { expect, it, onTestFinished } from 'vitest'
import { listen, stop } from '../../../scripts/lib/local-server.ts'
import { readPort, requireFreePort } from '../../../scripts/lib/port.ts'

it.for([
  ['0', 0],
  ['8787', 8787],
  ['65535', 65_535],
] as const)('reads the port %s', ([text, port]) => {
  expect(readPort(text)).toBe(port)
})

it.for(['x', '65536', '-1', '', '1.5', '1e3'])('refuses a port that cannot be: %j', (text) => {
  expect(() => readPort(text)).toThrow(`--port ${text}: must be a number from 0 to 65535`)
})

it.for(['dev', 'example'])('says in one sentence that the port of %s is in use', async (name) => {
  const server = createServer()
  onTestFinished(async () => stop(server))
  const port = await listen(server)
  const message = new RegExp(
    `^Port ${port} is in use\\. .*:\\nnpm run ${name} -- --port ${port < 65_000 ? port + 10 : port - 10}$`,
  )
  await expect(requireFreePort(port, name)).rejects.toThrow(message)
})

it('accepts a port that nothing listens on, and any free port', async () => {
  const server = createServer()
  const port = await listen(server)
  await stop(server)
  await expect(requireFreePort(port, 'dev')).resolves.toBeUndefined()
  await expect(requireFreePort(0, 'dev')).resolves.toBeUndefined()
})
