import axe from 'axe-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { renderClientPage, SAID, WAIT } from './client-page.ts'
import { ENGINES } from './engines/engines.ts'
import { visit } from './engines/visitor.ts'
import { call, type Screen } from './engines/screen.ts'
import { startHostApp } from './host-app.ts'
import { SAMPLES, saveSamples } from './samples.ts'
import { FIND_BARRIERS, startServices } from './stage.ts'

const { vault, host, addUser } = await startServices()
const { origin } = vault.keyUrl

const ACCEPTED = 'The OpenAI key is saved, and OpenAI accepts it.'

/** What docs/element.md asks of a page with a Content Security Policy, and nothing more. */
const POLICY = [
  "default-src 'none'",
  "style-src 'nonce-host'",
  'img-src data:',
  `script-src ${origin} 'nonce-host'`,
  `connect-src ${origin}`,
  "require-trusted-types-for 'script'",
  'trusted-types api-key-settings',
].join('; ')

/** Runs in the page: the widths of the frame and of what is in it. */
const FRAME_WIDTHS = `[frames[0].innerWidth, frames[0].document.documentElement.scrollWidth - frames[0].document.documentElement.clientWidth]`

async function readPin(): Promise<{ url: string; integrity: string }> {
  const answer = await fetch(`${origin}/api-key-settings.json`)
  return answer.json()
}

/** Runs in the page: waits for the keys in the frame, and opens the form. */
async function openFormInFrame(): Promise<void> {
  const find = (selector: string) =>
    frames[0]?.document
      .querySelector('api-key-settings')
      ?.shadowRoot?.querySelector<HTMLElement>(selector)
  const until = async (selector: string) => {
    while (!find(selector)) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await until('api-key-settings-item')
  find('#add')?.click()
  await until('api-key-settings-form')
}

for (const engine of ENGINES) {
  describe.skipIf(!engine.isInstalled)(`the element in ${engine.name}`, () => {
    let screen: Screen
    let visitor: ReturnType<typeof visit>

    beforeAll(async () => {
      screen = await engine.open()
      visitor = visit(screen)
      return async () => screen.close()
    })

    /** Opens the page of a new user with `keys`. */
    const openSettings = async (...[keys, look]: Partial<Parameters<typeof addUser>>) => {
      const added = await addUser(keys ?? {}, look)
      await screen.open(added.url)
      await visitor.withElement({ selector: '#add' }, () => true)
      return added
    }

    /** Opens the page of a user with every sample. */
    const openSamples = async () => {
      const { user, token, url } = await addUser({})
      await saveSamples(vault, { user, token }, SAMPLES.fourteen)
      await screen.open(url)
      await visitor.sees('This key can no longer be read.')
      return url
    }

    const addKey = async (provider: string, key: string) => {
      await visitor.press('Add a key')
      await visitor.enter('#slot', provider)
      await visitor.enter('#key', key)
    }

    /** Does to a key what is in the menu of its row. */
    const act = async (key: string, action: string) => {
      await visitor.press(`More: ${key} key`)
      await visitor.press(action)
    }

    const preview = async () =>
      visitor.withElement({ selector: '[part=preview]' }, ({ textContent }) => textContent)

    it('saves a typed key, and shows its preview after a reload', async () => {
      const { url } = await openSettings()
      await addKey('OpenAI', 'sk-good-engine-1')
      await visitor.press('Save key')
      await visitor.sees(ACCEPTED)
      expect(await preview()).toBe('sk-good-...')
      expect(await screen.run('window.events')).toEqual([
        { type: 'saved', provider: 'openai', preview: 'sk-good-...', status: 'active' },
      ])
      await screen.open(url)
      await visitor.sees('Accepted by OpenAI')
      expect(await preview()).toBe('sk-good-...')
    })

    it('hides the characters of a key until the user asks', async () => {
      await openSettings()
      await addKey('OpenAI', 'sk-good-hidden-1')
      const hiding = async () =>
        visitor.withElement({ selector: '#key' }, (field) =>
          getComputedStyle(field).getPropertyValue('-webkit-text-security'),
        )
      expect(await hiding()).toBe('disc')
      await visitor.clickOn({ selector: '#toggle' })
      expect(await hiding()).toBe('none')
    })

    it('says why the vault refuses a key', async () => {
      await openSettings()
      await addKey('OpenAI', 'sk-bad-engine-1')
      await visitor.press('Save key')
      await visitor.sees('OpenAI does not accept this key.')
      expect(await screen.run('window.events')).toMatchObject([{ code: 'api_key_rejected' }])
    })

    it('says that it cannot reach the vault from an unlisted origin', async () => {
      const { user, token } = await addUser({})
      const stranger = await startHostApp()
      await screen.open(stranger.open({ vault: origin, user, tokens: [token] }))
      expect(await visitor.sees('We can’t reach the key service.')).toBe(true)
      await stranger.close()
    })

    it('tests a key', async () => {
      await openSettings({ 'openai?verify=false': 'sk-good-test-1' })
      await visitor.press('Test: OpenAI key')
      await visitor.sees('OpenAI accepts this key.')
      await visitor.press('OpenAI')
      expect(await visitor.sees('Last tested')).toBe(true)
    })

    it('pauses a key, and resumes it', async () => {
      await openSettings({ openai: 'sk-good-pause-1' })
      await act('OpenAI', 'Pause')
      await visitor.sees('Paused. Applications cannot use it.')
      await visitor.press('Resume: OpenAI key')
      expect(await visitor.sees('Accepted by OpenAI')).toBe(true)
    })

    it('limits a key, and lists its activity', async () => {
      await openSettings({ openai: 'sk-good-limit-1' })
      await act('OpenAI', 'Limits')
      await visitor.sees('No application has used this key lately.')
      await visitor.choose('#per', 'day')
      await visitor.enter('#count', '41')
      await visitor.press('Save limits')
      await visitor.sees('You changed the limits of the key')
      await visitor.press('OpenAI')
      await visitor.sees('0 of 41 uses today')
      await visitor.press('Activity: OpenAI key')
      await visitor.sees('You saved the key')
      expect(await visitor.sees('You changed the limits of the key')).toBe(true)
    })

    it('deletes a key after a question', async () => {
      const { url } = await openSettings({ openai: 'sk-good-delete-1' })
      await act('OpenAI', 'Delete')
      await visitor.sees('Delete the OpenAI key?')
      await visitor.press('Cancel')
      await act('OpenAI', 'Delete')
      await visitor.press('Delete')
      await visitor.sees('The OpenAI key is deleted.')
      await screen.open(url)
      expect(await visitor.sees('No keys yet.')).toBe(true)
    })

    it('adds and deletes a key by keyboard, with a visible focus', async () => {
      await openSettings()
      const stops = await visitor.tabTo('Add a key')
      await screen.press('Enter')
      await visitor.withElement({ selector: '#key:focus' }, () => true)
      await screen.type('gsk_0123456789')
      await visitor.withElement({ selector: 'label', name: 'Groq API key' }, () => true)
      await screen.press('Enter')
      await visitor.sees('The Groq key is saved, but Groq has not confirmed it yet.')
      stops.push(...(await visitor.tabTo('More: Groq key')))
      const chooseDelete = async () => {
        await screen.press('Enter')
        await visitor.withElement(
          { selector: '[role=menuitem]:focus', name: 'Replace' },
          () => true,
        )
        await screen.press('ArrowUp')
        stops.push(await visitor.focus())
        await screen.press('Enter')
        await visitor.sees('Delete the Groq key?')
      }
      await chooseDelete()
      await screen.press('Escape')
      expect(await visitor.focus()).toEqual({ name: 'More: Groq key', isRinged: true })
      await chooseDelete()
      stops.push(...(await visitor.tabTo('Delete')))
      await screen.press('Enter')
      await visitor.sees('The Groq key is deleted.')
      expect(stops.filter(({ isRinged }) => !isRinged)).toEqual([])
    })

    it('ends adding on Escape, and asks before it discards a key', async () => {
      await openSettings()
      await addKey('OpenAI', 'sk-good-never-1')
      await screen.press('Escape')
      await visitor.sees('Press Escape again to discard the key that you typed.')
      await visitor.withElement({ selector: '#key:focus' }, () => true)
      await screen.press('Escape')
      await visitor.sees('No keys yet.')
      expect((await visitor.focus()).name).toBe('Add a key')
    })

    it('axe finds nothing in light and in dark, and the two differ', async () => {
      await openSamples()
      await visitor.press('Add a key')
      await screen.run(`(() => { ${axe.source}; return true })()`)
      const looks = []
      for (const scheme of ['light', 'dark']) {
        await screen.run(`document.documentElement.style.colorScheme = '${scheme}'`)
        expect(await screen.run(FIND_BARRIERS)).toEqual([])
        looks.push(
          await visitor.withElement({ selector: '[part=form]' }, (form) => {
            const { color, backgroundColor } = getComputedStyle(form)
            return [color, backgroundColor]
          }),
        )
      }
      expect(looks[0]).not.toEqual(looks[1])
    })

    it('fits into 320 px', async () => {
      const url = await openSamples()
      await screen.open(
        host.openHtml(`<iframe src="${url}" width="320" height="900" style="border:0">`),
      )
      await screen.run(call(openFormInFrame))
      expect(await screen.run(FRAME_WIDTHS)).toEqual([320, 0])
    })

    it('speaks German, from its file of texts', async () => {
      await openSettings({ openai: 'sk-good-german-1' }, { lang: 'de' })
      await visitor.press('Schlüssel hinzufügen')
      expect(await visitor.sees('Von OpenAI akzeptiert')).toBe(true)
    })

    it('works under the documented policy, with pinned integrity', async () => {
      const pinned = await readPin()
      await openSettings({}, { policy: POLICY, pinned, lang: 'de' })
      await visitor.sees('Noch keine Schlüssel.')
      expect(await screen.run('window.breaches')).toEqual([])
    })

    it('runs the client that the vault serves', async () => {
      const { user, token } = await addUser({})
      await screen.open(host.openHtml(renderClientPage({ vault: origin, user, token })))
      expect(await screen.run(WAIT)).toEqual(SAID)
    })

    it('does not run with another integrity', async () => {
      const { url, integrity } = await readPin()
      const pinned = { url, integrity: integrity.replace(/-..../, '-AAAA') }
      await screen.open((await addUser({}, { pinned })).url)
      expect(await screen.run("Boolean(customElements.get('api-key-settings'))")).toBe(false)
    })
  })
}
