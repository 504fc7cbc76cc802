import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { describeProblem, Problem, type ProblemLanguage } from '../../src/callers/browser.ts'
import { packProblems } from '../../scripts/lib/problem-languages.ts'
import { readTexts, setClock } from '../page/element/shown.ts'

const openai = { provider: 'openai', label: 'OpenAI', has_api_key: false }

/** The module of a language, as the package has it. */
async function load(name: string): Promise<ProblemLanguage> {
  const code = packProblems().get(name) ?? ''
  const module: { default: ProblemLanguage } = await import(
    `data:text/javascript,${encodeURIComponent(code)}`
  )
  return module.default
}

describe('a problem in words', () => {
  it.for([
    ['api_key_rejected', openai, 'OpenAI does not accept this key.'],
    [
      'api_key_rejected',
      { ...openai, has_api_key: true },
      'OpenAI does not accept this key. Your previous key is still saved.',
    ],
    [
      'api_key_rejected',
      { provider: 'openai:work', label: 'work' },
      'openai does not accept this key.',
    ],
    [
      'base_url_invalid',
      { ...openai, hosts: ['a.test', 'b.test'] },
      'Enter an https URL on a.test or b.test, without a query.',
    ],
    ['offline', undefined, 'You are offline. Try again when you are connected.'],
  ] as const)('%s is said about the slot %j', ([code, slot, text]) => {
    expect(describeProblem(new Problem(code), undefined, slot)).toBe(text)
  })

  it('says when another attempt may succeed', () => {
    setClock()
    const retryAt = Date.now() + 41_001
    expect(describeProblem(new Problem('rate_limited', { retryAt }))).toBe(
      'Too many attempts. Try again in 42 seconds.',
    )
    expect(describeProblem(new Problem('rate_limited', { retryAt: Date.now() }))).toBe(
      'Too many attempts.',
    )
  })

  it('says by what the operator finds a fault, and not for what a user can mend', () => {
    expect(describeProblem(new Problem('internal', { requestId: 'request-1' }))).toBe(
      'Something went wrong in the key service. Try again, or contact support. Reference: request-1',
    )
    expect(describeProblem(new Problem('token_expired', { requestId: 'request-1' }))).not.toContain(
      'request-1',
    )
  })

  it('any other error is a fault, and goes to the console', () => {
    const write = vi.spyOn(console, 'error').mockReturnValue()
    onTestFinished(() => write.mockRestore())
    expect(describeProblem(new TypeError('x is not a function'))).toContain('Something went wrong')
    expect(write.mock.calls).toEqual([['TypeError: x is not a function']])
  })
})

describe('a language of the package', () => {
  it.for(['de', 'es', 'fr', 'ja', 'zh-Hans'])(
    '%s says problems as the element does',
    async (name) => {
      const language = await load(name)
      const texts = readTexts(name)
      expect(language.tag).toBe(name)
      expect(describeProblem(new Problem('offline'), language)).toBe(texts['offline'])
      const rejected = describeProblem(new Problem('api_key_rejected'), language, openai)
      expect(rejected).toBe(texts['api_key_rejected']?.replace('{provider}', 'OpenAI'))
    },
  )

  it('joins sentences and lists as the language does', async () => {
    const problem = new Problem('rate_limited', { retryAt: Date.now() + 1_000_000 })
    expect(describeProblem(problem, await load('ja'))).toMatch(/。(?! )/)
    const hosts = ['a.test', 'b.test']
    const text = describeProblem(new Problem('base_url_invalid'), await load('de'), {
      ...openai,
      hosts,
    })
    expect(text).toContain('a.test oder b.test')
  })

  it('a text that a language lacks is said in English', () => {
    const own = { tag: 'pl', texts: { offline: 'Brak połączenia.' } }
    expect(describeProblem(new Problem('offline'), own)).toBe('Brak połączenia.')
    expect(describeProblem(new Problem('rate_limited'), own)).toBe('Too many attempts.')
  })
})
