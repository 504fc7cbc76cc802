import { expect, it } from 'vitest'
import { TEXTS } from '../../../src/page/site/texts.ts'

it('each text that is said of a provider names its host, and the reason if there is one', () => {
  const said = [TEXTS.signIn, TEXTS.signedOut, TEXTS.providerUnreachable, TEXTS.unsafeEndpoint]
  const all = [
    ...said.map((say) => say('login.test')),
    TEXTS.refused('login.test', 'Used up.'),
    TEXTS.invalidAnswer('login.test', 'Used up.'),
  ]
  expect(all.filter((text) => !/\blogin\.test\b/.test(text))).toEqual([])
  expect(all.filter((text) => text.endsWith('Used up.'))).toHaveLength(2)
})

it('each other text is a sentence', () => {
  const texts = Object.values(TEXTS).filter((text) => typeof text === 'string')
  expect(texts.filter((text) => !/^[A-Z].*\.$/s.test(text))).toEqual([])
})
