/** Asks the inspector of workerd about one of its Workers, with the Chrome DevTools Protocol. */

/** A connection to the inspector of one Worker. */
export interface Inspector {
  /** Sends a command. @returns its result */
  call: (method: string, params?: object) => Promise<Record<string, unknown>>
  /** Hears each event of this name. */
  hear: (event: string, listener: (params: Record<string, unknown>) => void) => void
  close: () => void
}

/** Connects to the Worker `name`. The inspector is at `url`. @throws Error if it does not know the Worker */
export async function inspect(url: string, name: string): Promise<Inspector> {
  const listed = await fetch(new URL('/json', url.replace(/^ws/, 'http')))
  const targets: { id: string; webSocketDebuggerUrl: string }[] = await listed.json()
  const target = targets.find(({ id }) => id.endsWith(name))
  if (target === undefined) throw new Error(`The inspector does not know ${name}`)
  const socket = new WebSocket(target.webSocketDebuggerUrl)
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
  const waiting = new Map<number, (result: Record<string, unknown>) => void>()
  const listeners = new Map<string, (params: Record<string, unknown>) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result, method, params } = JSON.parse(String(data))
    waiting.get(id)?.(result)
    waiting.delete(id)
    listeners.get(method)?.(params)
  })
  let id = 0
  return {
    call: async (method, params = {}) => {
      id += 1
      socket.send(JSON.stringify({ id, method, params }))
      return new Promise((resolve) => waiting.set(id, resolve))
    },
    hear: (event, listener) => void listeners.set(event, listener),
    close: () => socket.close(),
  }
}
