import { expect, it } from 'vitest'
import { renderLink } from '../../../src/page/element/link.ts'
import { markupOf, textOf } from './markup.ts'
import { BILLING_PAGE, english, translated } from './shown.ts'

it.for([
  ['en', 'Add credit (in a new tab)'],
  ['de', 'Guthaben aufladen (in neuem Tab)'],
  ['fr', 'Ajouter du crédit (dans un nouvel onglet)'],
  ['es', 'Añadir crédito (en una pestaña nueva)'],
  ['ja', 'クレジットを追加 （新しいタブで開きます）'],
  ['zh-Hans', '充值 （在新标签页中打开）'],
] as const)('says in %s that a link opens a tab: %s', ([name, text]) => {
  const language = name === 'en' ? english : translated(name)
  expect(textOf(renderLink(BILLING_PAGE, language.say('addCredit'), language))).toBe(text)
})

it('the new tab learns nothing of this one', () => {
  const link = markupOf(renderLink(BILLING_PAGE, 'Add credit', english))
  expect(link).toContain(`href=${BILLING_PAGE} target="_blank" rel="noopener noreferrer"`)
})

it.for([undefined, 'button'])('a link may look like a button: %s', (look) => {
  const link = markupOf(renderLink(BILLING_PAGE, 'Add credit', english, look))
  expect(link).toContain(`<a part=${look ?? 'link'} `)
})
