import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { makeCheckout } from './checkout.ts'

const { path, start, run, runWith } = makeCheckout()

/** Whether nothing listens there. */
async function isDown(url: string): Promise<boolean> {
  return fetch(url).then(
    () => false,
    () => true,
  )
}

it('npm run example prints lines that save a key and chat with it, and stops both Workers', async () => {
  const command = ['npm', 'run', 'example', '--', '--port', '0']
  await using example = await start(command, '"messages"')
  // The vault of `npm run dev` calls the real OpenAI. The chat Worker must not find it.
  const workers = readdirSync(path('.wrangler/example-registry'))
  expect(workers.toSorted()).toEqual(['chat-worker', 'user-key-vault'])
  expect(readdirSync(path('.wrangler'))).not.toContain('registry')

  const [save = '', chat = '', relay = ''] = example.curls
  const [, provider = ''] = /^Provider +(http\S+\d)/m.exec(example.printed()) ?? []
  const headers = { Authorization: 'Bearer sk-mine' }
  expect((await fetch(`${provider}/v1/models`, { headers })).status).toBe(200)
  expect(JSON.parse(await run('sh', '-c', save))).toMatchObject({ user: { status: 'active' } })
  for (const line of [chat, relay]) {
    const completion = await run('sh', '-c', line)
    const words = Array.from(completion.matchAll(/"content":"([^"]*)"/g), ([, word]) => word)
    expect(words.join('')).toBe('The key was used and never seen.')
  }
  expect(example.printed()).not.toMatch(/WARNING|wrangler:warn/)

  // Docs: "In Node.js with getPlatformProxy".
  const registry = { WRANGLER_REGISTRY_PATH: path('.wrangler/example-registry') }
  const probe = [resolve('test/node/platform-probe.ts'), 'demo', `${provider}/v1/models`]
  const proxied = await runWith(registry, process.execPath, ...probe)
  expect(JSON.parse(proxied.trimEnd().split('\n').at(-1) ?? '')).toEqual({
    sdk: [200, '{"data":[]}'],
    refused: [404, expect.stringContaining('The key vault refused (user_not_found)')],
    fallback: [200, 'application'],
    once: '{"data":[]}',
    twice: expect.stringContaining('This ReadableStream is disturbed'),
  })

  const urls = Array.from(example.printed().matchAll(/Ready on (\S+)/g), ([, url = '']) => url)
  expect(urls).toHaveLength(2)
  await example.stop()
  const areDown = async () => Promise.all(urls.map(isDown))
  await expect.poll(areDown, { timeout: 10_000 }).toEqual([true, true])
})
