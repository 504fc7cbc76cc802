import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { packLanguages, TRANSLATED } from '../../../scripts/lib/element.ts'
import { english, readTexts, setClock } from './shown.ts'

const files = packLanguages()
const packed = (name: string) => files.get(`api-key-settings.${name}.json`) ?? '[]'

/** Stands for where the script came from. It answers as `npm run build` leaves the files. */
const fetched = vi.fn<(url: URL, init: RequestInit) => Promise<Response>>()
const warn = vi.spyOn(console, 'warn')

const asked = () => fetched.mock.calls.map(([url]) => url.pathname.split('/').at(-1))

/** The module, without texts that it has loaded. */
async function importFresh() {
  vi.resetModules()
  return import('../../../src/page/element/spoken-language.ts')
}

beforeEach(() => {
  const [version]: string[] = JSON.parse(packed('de'))
  vi.stubGlobal('TEXTS_VERSION', version)
  vi.stubGlobal('TRANSLATED', TRANSLATED)
  vi.stubGlobal('fetch', fetched)
  warn.mockReset()
  fetched.mockReset()
  fetched.mockImplementation(async (url) => {
    const text = files.get(url.pathname.split('/').at(-1) ?? '')
    return text === undefined ? new Response('Not found', { status: 404 }) : new Response(text)
  })
})
afterEach(() => vi.unstubAllGlobals())

it.for([
  ['en', true],
  ['de', true],
  ['zh-Hans', true],
  ['zh', false],
  ['fi', false],
  ['', false],
] as const)('%s has texts of its own: %s', async ([name, isIt]) => {
  const { isBuiltIn } = await importFresh()
  expect(isBuiltIn(name)).toBe(isIt)
})

describe('the language that a page asks for', () => {
  it.for<[asked: string, addKey: string, saved: string, tag: string]>([
    ['de', 'Schlüssel hinzufügen', 'Gespeichert: 03.11.2026, 14:05', 'de'],
    ['de-AT', 'Schlüssel hinzufügen', 'Gespeichert: 03.11.2026, 14:05', 'de'],
    ['DE', 'Schlüssel hinzufügen', 'Gespeichert: 03.11.2026, 14:05', 'de'],
    ['fr-CA', 'Ajouter une clé', 'Enregistrée\u202f: 3 nov. 2026, 14 h 05', 'fr'],
    ['es', 'Añadir una clave', 'Guardada: 3 nov 2026, 14:05', 'es'],
    ['ja', 'キーを追加', '保存：2026/11/03 14:05', 'ja'],
    ['zh', '添加密钥', '保存时间：2026年11月3日 14:05', 'zh-Hans'],
    ['zh-CN', '添加密钥', '保存时间：2026年11月3日 14:05', 'zh-Hans'],
    ['en-US', 'Add a key', 'Saved Nov 3, 2026, 2:05 PM', 'en'],
    ['en', 'Add a key', 'Saved 3 Nov 2026, 14:05', 'en'],
    ['zh-TW', 'Add a key', 'Saved 3 Nov 2026, 14:05', 'en'],
    ['fi', 'Add a key', 'Saved 3 Nov 2026, 14:05', 'en'],
    ['not_a_tag', 'Add a key', 'Saved 3 Nov 2026, 14:05', 'en'],
    ['', 'Add a key', 'Saved 3 Nov 2026, 14:05', 'en'],
  ])('%s is spoken as "%s", dates too: "%s"', async ([name, addKey, saved, tag]) => {
    setClock()
    const { loadLanguage } = await importFresh()
    const language = await loadLanguage(name, null)
    const time = language.minute('2026-11-03T14:05:00.000Z').replace('\u202f', ' ')
    expect(language.say('addKey')).toBe(addKey)
    expect(language.say('saved', { time })).toBe(saved)
    expect(language.tag).toBe(tag)
    expect(asked()).toEqual(tag === 'en' ? [] : [`api-key-settings.${tag}.json`])
  })

  it('texts are loaded from beside the script, without cookies and with a time limit', async () => {
    const { loadLanguage } = await importFresh()
    await loadLanguage('de', null)
    const [url, init] = fetched.mock.lastCall ?? []
    expect(url?.pathname).toMatch(/\/src\/page\/element\/api-key-settings\.de\.json$/)
    expect(init).toEqual({ credentials: 'omit', signal: expect.any(AbortSignal) })
  })

  it('texts are loaded once, also if they are asked for twice at a time', async () => {
    const { loadLanguage } = await importFresh()
    await Promise.all([loadLanguage('de', null), loadLanguage('de-AT', null)])
    await loadLanguage('de', null)
    expect(asked()).toEqual(['api-key-settings.de.json'])
  })
})

describe('texts that do not load', () => {
  it.for<[why: string, answer: () => Promise<Response>]>([
    ['missing', async () => new Response('Not found', { status: 404 })],
    ['unreachable', async () => Promise.reject(new TypeError('Failed to fetch'))],
    [
      'of another version',
      async () => new Response(packed('de').replace(/[0-9a-f]{8}/, '00000000')),
    ],
  ])('texts that are %s are English, and are asked for again later', async ([, answer]) => {
    const { loadLanguage } = await importFresh()
    warn.mockReturnValue()
    fetched.mockImplementationOnce(answer)
    const language = await loadLanguage('de', null)
    expect([language.tag, language.say('addKey')]).toEqual(['en', english.say('addKey')])
    const told = 'Texts in "de" did not load. English is shown.'
    expect(warn.mock.calls).toEqual([[told, expect.any(Error)]])
    expect((await loadLanguage('de', null)).say('addKey')).toBe('Schlüssel hinzufügen')
    expect(fetched).toHaveBeenCalledTimes(2)
  })
})

describe("a host application's own texts", () => {
  const OWN = { addKey: 'Own' }

  it.for<[asked: string, tag: string, cancel: string]>([
    ['en', 'en', 'Cancel'],
    ['de', 'de', readTexts('de')['cancel'] ?? ''],
    ['ar', 'ar', 'Cancel'],
    ['zh-TW', 'zh-TW', 'Cancel'],
    ['not_a_tag', 'en', 'Cancel'],
  ])(
    'own texts come before those of %s, and the language is then %s',
    async ([name, tag, cancel]) => {
      const { loadLanguage } = await importFresh()
      const language = await loadLanguage(name, OWN)
      expect(language.tag).toBe(tag)
      expect([language.say('addKey'), language.say('cancel')]).toEqual(['Own', cancel])
    },
  )

  it('own texts are in the language that was asked for, although its texts do not load', async () => {
    const { loadLanguage } = await importFresh()
    warn.mockReturnValue()
    fetched.mockRejectedValueOnce(new TypeError('Failed to fetch'))
    const language = await loadLanguage('de', OWN)
    expect(language.tag).toBe('de')
    expect([language.say('addKey'), language.say('cancel')]).toEqual(['Own', 'Cancel'])
  })
})

describe('what only some panels say', () => {
  const OWN = { event_saved: 'Own' }

  it.for<[asked: string, own: Record<string, string> | null, loaded: string, saved: string]>([
    ['en', null, 'panels.en', 'You saved the key'],
    ['de-AT', null, 'panels.de', 'Sie haben den Schlüssel gespeichert'],
    ['zh', null, 'panels.zh-Hans', '您保存了密钥'],
    ['ar', { addKey: 'Own' }, 'panels.en', 'You saved the key'],
    ['de', OWN, 'panels.de', 'Own'],
    ['ar', OWN, 'panels.en', 'Own'],
  ])(
    'what events are called in %s, with the own texts %j, comes from %s: "%s"',
    async ([name, own, loaded, saved]) => {
      const { learnPanelTexts, loadLanguage } = await importFresh()
      const language = await loadLanguage(name, own)
      expect(language.knows('event_saved_by_operator')).toBe(false)
      const learned = await learnPanelTexts(language)
      expect(asked().at(-1)).toBe(`api-key-settings.${loaded}.json`)
      expect(learned.say('event_saved')).toBe(saved)
      expect(learned.knows('event_saved_by_operator')).toBe(true)
      expect([learned.tag, learned.say('addKey')]).toEqual([language.tag, language.say('addKey')])
    },
  )

  it('what events are called is loaded once', async () => {
    const { learnPanelTexts } = await importFresh()
    await Promise.all([learnPanelTexts(english), learnPanelTexts(english)])
    await learnPanelTexts(english)
    expect(asked()).toEqual(['api-key-settings.panels.en.json'])
  })

  it.for<[why: string, error: RegExp, answer: () => Promise<Response>]>([
    ['is missing', /JSON/, async () => new Response('Not found', { status: 404 })],
    ['is unreachable', /fetch/, async () => Promise.reject(new TypeError('Failed to fetch'))],
    ['is of another version', /version/, async () => new Response('["00000000",{}]')],
  ])('what events are called is asked for again later if it %s', async ([, error, answer]) => {
    const { learnPanelTexts } = await importFresh()
    fetched.mockImplementationOnce(answer)
    await expect(learnPanelTexts(english)).rejects.toThrow(error)
    const learned = await learnPanelTexts(english)
    expect(learned.say('noEvents')).toBe('No activity yet.')
  })
})
