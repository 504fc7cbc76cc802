import { afterEach, describe, expect, it, vi } from 'vitest'

/** The module in a browser that asks for these languages. */
async function importFor(languages: readonly string[]) {
  vi.resetModules()
  vi.stubGlobal('navigator', { languages })
  return import('../../../src/page/site/language.ts')
}

afterEach(() => vi.unstubAllGlobals())

it.for<[asked: string[], tag: string, signIn: string]>([
  [['de'], 'de', 'Anmelden'],
  [['de-AT', 'en'], 'de-AT', 'Anmelden'],
  [['fi', 'fr-CA', 'de'], 'fr-CA', 'Se connecter'],
  [['zh-TW', 'zh-CN'], 'zh-CN', '登录'],
  [['zh-TW', 'ja'], 'ja', 'ログイン'],
  [['es-419'], 'es-419', 'Iniciar sesión'],
  [['en-US', 'de'], 'en-US', 'Sign in'],
  [['fi', 'zh-TW'], 'en', 'Sign in'],
  [[], 'en', 'Sign in'],
])('a browser that asks for %j gets %s', async ([asked, tag, signIn]) => {
  const { chooseLanguage } = await importFor([])
  const chosen = chooseLanguage(asked)
  expect([chosen.tag, chosen.texts.signIn]).toEqual([tag, signIn])
})

describe('a text', () => {
  it('takes the values that it names', async () => {
    const { say } = await importFor(['en'])
    expect(say('otherUser', { name: "mallory $& {user} $'", user: 'alice' })).toBe(
      "You signed in as mallory $& {user} $', but the other page shows the keys of alice. Sign in as alice, or reload the other page.",
    )
  })

  it('a text is said in the language that the browser asks for', async () => {
    const german = await importFor(['de-CH', 'en'])
    expect(german.say('signInAt', { host: 'login.test' })).toBe(
      'Melden Sie sich bei login.test an, um Ihre Schlüssel zu sehen.',
    )
  })
})

it('the texts of index.html are replaced, and the page names its language', async () => {
  const elements = ['signIn', 'title', 'title'].map((name) => ({ name, textContent: 'English' }))
  const html = { lang: 'en' }
  vi.stubGlobal('document', {
    documentElement: html,
    querySelectorAll: (selector: string) =>
      elements.filter(({ name }) => selector === `[data-text=${name}]`),
  })
  const { translatePage } = await importFor(['de-CH'])
  translatePage()
  expect(html.lang).toBe('de-CH')
  expect(elements.map(({ textContent }) => textContent)).toEqual([
    'Anmelden',
    'Ihre API-Schlüssel',
    'Ihre API-Schlüssel',
  ])
})
