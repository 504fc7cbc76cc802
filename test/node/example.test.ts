import { expect, it } from 'vitest'
import { makeCheckout } from './checkout.ts'

const { start, startDev, run } = makeCheckout()

it('npm run example prints its provider and lines that save a key and chat with it, and stops both Workers', async () => {
  await startDev() // Its vault calls the real OpenAI, and must not be the one that the chat Worker finds.
  const command = ['npm', 'run', 'example', '--', '--port', '0']
  const example = await start(command, '"messages"')
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

  const urls = Array.from(example.printed().matchAll(/Ready on (\S+)/g), ([, url = '']) => url)
  expect(urls).toHaveLength(2)
  await example.stop()
  const areDown = async () =>
    Promise.all(
      urls.map(async (url) =>
        fetch(url).then(
          () => false,
          () => true,
        ),
      ),
    )
  await expect.poll(areDown, { timeout: 5_000 }).toEqual([true, true])
})
