/** Debian's WebKitGTK, driven over W3C WebDriver: https://www.w3.org/TR/webdriver2/ */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { listen, stop } from '../../../scripts/lib/local-server.ts'
import type { Screen } from './screen.ts'

const DRIVER = '/usr/bin/WebKitWebDriver'
const XVFB = '/usr/bin/Xvfb'

/** The code points that stand for keys: https://www.w3.org/TR/webdriver2/#keyboard-actions */
const KEYS = { Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C', ArrowUp: '\uE013' }

type Command = (method: string, path: string, body?: object) => Promise<unknown>

/** Starts WebKitGTK's browser for tests, on a display of its own. */
export async function openWebKit(): Promise<Screen> {
  const processes: ChildProcess[] = []
  const quit = async () => {
    await Promise.all(processes.toReversed().map(end))
  }
  try {
    const display = await startDisplay(processes)
    const command = await startDriver(processes, display)
    const session = await openSession(command)
    return {
      ...session,
      close: async () => {
        await session.close()
        await quit()
      },
    }
  } catch (error) {
    await quit()
    throw error
  }
}

async function startDisplay(processes: ChildProcess[]): Promise<string> {
  const args = ['-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp']
  const xvfb = spawn(XVFB, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  processes.push(xvfb)
  const [number] = await once(xvfb.stdout, 'data')
  return `:${String(number).trim()}`
}

async function startDriver(processes: ChildProcess[], display: string): Promise<Command> {
  const placeholder = createServer()
  const port = await listen(placeholder)
  await stop(placeholder)
  const env = { ...process.env, DISPLAY: display, GDK_BACKEND: 'x11' }
  const driver = spawn(DRIVER, [`--port=${port}`], { env, stdio: 'ignore' })
  processes.push(driver)
  const command: Command = async (method, path, body) => {
    const init = { method, ...(body && { body: JSON.stringify(body) }) }
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    const { value }: { value: unknown } = await response.json()
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`)
    return value
  }
  await untilReady(command)
  return command
}

/** The driver does not say when it listens. */
async function untilReady(command: Command, tries = 200): Promise<void> {
  try {
    await command('GET', '/status')
  } catch (error) {
    if (tries === 0) throw error
    await wait(50)
    await untilReady(command, tries - 1)
  }
}

async function openSession(command: Command): Promise<Screen> {
  const [binary] = globSync('/usr/lib/*/webkit2gtk-4.1/MiniBrowser')
  const options = { binary, args: ['--automation'] }
  const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } }
  const opened = Object(await command('POST', '/session', { capabilities }))
  const session = `/session/${String(Reflect.get(opened, 'sessionId'))}`
  const post = async (path: string, body: object) => command('POST', `${session}/${path}`, body)
  const perform = async (source: object) => void (await post('actions', { actions: [source] }))
  const type = async (text: string) =>
    perform({
      type: 'key',
      id: 'keyboard',
      actions: Array.from(text).flatMap((value) => [
        { type: 'keyDown', value },
        { type: 'keyUp', value },
      ]),
    })
  return {
    open: async (url) => void (await post('url', { url })),
    run: async (expression) => post('execute/sync', { script: `return ${expression}`, args: [] }),
    press: async (key) => type(KEYS[key]),
    type,
    click: async (x, y) =>
      perform({
        type: 'pointer',
        id: 'mouse',
        actions: [
          { type: 'pointerMove', x: Math.round(x), y: Math.round(y) },
          { type: 'pointerDown', button: 0 },
          { type: 'pointerUp', button: 0 },
        ],
      }),
    close: async () => void (await command('DELETE', session)),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill()
  await once(child, 'exit')
}
