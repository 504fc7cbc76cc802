/** `npm run example`: the vault, a Worker that is bound to it, and a provider on localhost. */

import { spawn, type ChildProcess } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { mintDevToken } from './lib/dev-vars.ts'
import { startExampleProvider } from './lib/example-provider.ts'
import { readUrl, startWrangler } from './lib/wrangler.ts'

const USER = 'demo'
const CHAT_CONFIG = 'examples/chat-worker/wrangler.toml'

/** Prints what `child` prints, and waits until it says where it is. */
async function readyAt(child: ChildProcess, name: string): Promise<string> {
  const ready = Promise.withResolvers<string>()
  child.on('exit', (code) => ready.reject(new Error(`${name} ended with code ${code}`)))
  if (child.stdout === null) throw new Error(`${name} was started without a pipe`)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const url = readUrl(line)
    if (url !== undefined) ready.resolve(url)
    if (line.startsWith('{') || url !== undefined) console.log(`[${name}] ${line}`)
  })
  return ready.promise
}

// A registry of its own: another Worker of the vault's name on this machine is not it.
process.env['WRANGLER_REGISTRY_PATH'] = resolve('.wrangler/registry')

const origin = await startExampleProvider()
const providers = JSON.stringify({ openai: { origin } })
const vault = spawn(
  process.execPath,
  ['scripts/dev.ts', '--port', '8787', '--var', `PROVIDERS:${providers}`],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
const vaultUrl = await readyAt(vault, 'vault')
const chatArgs = ['--config', CHAT_CONFIG, '--port', '8788', '--env-file', '.dev.vars']
const originArgs = ['--var', `OPENAI_ORIGIN:${origin}`, '--show-interactive-dev-session=false']
const chat = startWrangler('dev', ...chatArgs, ...originArgs)
const chatUrl = await readyAt(chat, 'chat-worker')
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    vault.kill('SIGTERM')
    chat.kill('SIGTERM')
    process.exit(0)
  })
}

const token = `-H 'Authorization: Bearer ${await mintDevToken(USER)}'`
console.log(`
Save a key in the vault, and chat with it: the chat worker uses the key, and never sees it.

curl -sS -w '\\n' ${vaultUrl}/api/users/${USER}/api-keys/openai ${token} -X PUT -H 'Content-Type: application/json' -d '{"api_key": "sk-demo-0123456789"}'
curl -sS -N ${chatUrl}/chat ${token} -H 'Content-Type: application/json' -d '{"messages": [{"role": "user", "content": "Hello"}]}'
`)
