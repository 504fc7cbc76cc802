/** `npm run example`: the vault, a Worker that is bound to it, and a provider on localhost. */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import { exitWith, makeCommand, runCommand } from './lib/command.ts'
import { mintDevToken } from './lib/dev-vars.ts'
import { startExampleProvider } from './lib/example-provider.ts'
import { readPort, requireFreePort } from './lib/port.ts'
import { onStop, stopChild } from './lib/stop.ts'
import { readUrl, startDevServer } from './lib/wrangler.ts'

const USER = 'demo'
const SCOPE = 'relay'
const CHAT_CONFIG = 'examples/chat-worker/wrangler.toml'
/** Not the one of `npm run dev`: the chat Worker would find that vault, which calls the real OpenAI. */
const REGISTRY = resolve('.wrangler/example-registry')

const children: ChildProcess[] = []

/** Starts the vault as `npm run dev` does, with the provider at `origin` as OpenAI. @returns its URL */
async function startVault(port: number, origin: string): Promise<string> {
  const providers = `PROVIDERS:${JSON.stringify({ openai: { origin } })}`
  const vars = ['--var', providers, '--var', `RELAY_SCOPE:${SCOPE}`]
  const args = ['scripts/dev.ts', '--port', String(port), ...vars]
  const env = { ...process.env, WRANGLER_REGISTRY_PATH: REGISTRY }
  const vault = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  return readyAt(vault, 'vault')
}

/** Starts the Worker that is bound to the vault. @returns its URL */
async function startChat(port: number, origin: string): Promise<string> {
  const args = ['--config', CHAT_CONFIG, '--port', String(port), '--env-file', '.dev.vars']
  const chat = startDevServer([...args, '--var', `OPENAI_ORIGIN:${origin}`], REGISTRY)
  chat.stderr.pipe(process.stderr)
  return readyAt(chat, 'chat-worker')
}

/**
 * Prints the log lines of `child`, and waits until it says where it is.
 *
 * @throws Error if it ends before
 */
async function readyAt(child: ChildProcess & { stdout: Readable }, name: string): Promise<string> {
  children.push(child)
  const ready = Promise.withResolvers<string>()
  child.on('exit', () => ready.reject(new Error(`[${name}] has ended.`)))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const url = readUrl(line)
    if (url !== undefined) ready.resolve(url)
    if (line.startsWith('{') || url !== undefined) console.log(`[${name}] ${line}`)
  })
  return ready.promise
}

async function stopAll(): Promise<void> {
  await Promise.all(children.map(stopChild))
}

onStop(() => void stopAll().then(() => process.exit()))

/** Starts all three, and prints how to use them. @returns 1 when one of them has ended */
async function runExample(options: { port: string }): Promise<number> {
  const port = readPort(options.port)
  const chatPort = port === 0 ? 0 : port + 1
  await requireFreePort(port, 'example')
  await requireFreePort(chatPort, 'example')
  const origin = await startExampleProvider()
  const vaultUrl = await startVault(port, origin)
  const chatUrl = await startChat(chatPort, origin)
  console.log(`
Provider  ${origin}. It stands for OpenAI: a Worker of your own sends its requests there.
To run such a Worker beside this vault, in its folder:
WRANGLER_REGISTRY_PATH='${REGISTRY}' npx wrangler dev

Save a key in the vault, and chat with it. The chat Worker uses the key, and never sees it.

TOKEN=${await mintDevToken(USER, { scope: SCOPE })}
curl -sS -w '\\n' ${vaultUrl}/api/users/${USER}/api-keys/openai -H "Authorization: Bearer $TOKEN" -X PUT -H 'Content-Type: application/json' -d '{"api_key": "sk-demo-0123456789"}'
curl -sS -N ${chatUrl}/chat -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"messages": [{"role": "user", "content": "Hello"}]}'

Chat through the relay, as a backend anywhere does. The token has the scope "${SCOPE}".

curl -sS -N ${vaultUrl}/relay/openai/v1/chat/completions -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"model": "gpt-5-mini", "stream": true, "messages": []}'

The same with OpenAI's SDK: VAULT_URL=${vaultUrl} npx node examples/node-server/server.ts
`)
  // If one of them ends, the example is over.
  await Promise.race(children.map(async (child) => once(child, 'exit')))
  return 1
}

const example = makeCommand(
  'example',
  'Starts the vault, a Worker that is bound to it, and a provider on localhost, and prints curl lines to try them.',
)
  .option('--port <port>', 'the port of the vault. The Worker gets the next one', '8787')
  .action(exitWith(runExample))

await runCommand(example)
await stopAll()
process.exit()
