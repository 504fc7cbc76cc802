import { html } from 'lit'
import { expect, it } from 'vitest'
import { renderMenu } from '../../../src/page/element/key-menu.ts'
import { markupOf, textsOf } from './markup.ts'

const menu = renderMenu('More: OpenAI key', [
  html`<button role="menuitem">Pause</button>`,
  html`<button role="menuitem">Delete</button>`,
])

it('the button and its menu have the same name', () => {
  expect(markupOf(menu).match(/aria-label=More: OpenAI key/g)).toHaveLength(2)
})

it('the button opens the menu without a script of its own', () => {
  const [button = '', list = ''] = markupOf(menu).split('<div')
  expect(button).toContain('aria-haspopup="menu"')
  expect(button).toContain('popovertarget="menu"')
  expect(list).toMatch(/id="menu"[^>]*role="menu"[^>]*popover/s)
})

it('the menu has its items in the order in which they are given', () => {
  const [, list = ''] = markupOf(menu).split('<div')
  expect(textsOf(list, 'button')).toEqual(['Pause', 'Delete'])
})
