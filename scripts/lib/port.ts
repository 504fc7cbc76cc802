/** The ports that local servers are to listen on. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { npmCommand } from './advice.ts'

/**
 * Reads a `--port`.
 *
 * @throws Error if it is not a number from 0 to 65535
 */
export function readPort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new Error(`--port ${text}: must be a number from 0 to 65535`)
}

/**
 * Checks that nothing listens on `port` of `host`; 0 stands for any free port.
 *
 * @throws Error that says how to run `npm run ${command}` on another port
 */
export async function requireFreePort(
  port: number,
  command: string,
  host = 'localhost',
): Promise<void> {
  if (port === 0 || !(await isInUse(port, host))) return
  const other = port < 65_000 ? port + 10 : port - 10
  throw new Error(`Port ${port} is in use. Stop the program that uses it, or choose another port:
${npmCommand(`${command} -- --port ${other}`, { remote: false })}`)
}

async function isInUse(port: number, host: string): Promise<boolean> {
  const socket = connect({ port, host })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
