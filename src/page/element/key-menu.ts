/** The menu of a row. It follows https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/ */

import { html, type TemplateResult } from 'lit'

/** Between the button and its menu, in pixels. */
const GAP = 4

/** Renders the button and its menu. `items` have the role `menuitem`. */
export function renderMenu(name: string, items: readonly TemplateResult[]) {
  return html`
    <button
      id="more"
      type="button"
      part="button"
      aria-label=${name}
      aria-haspopup="menu"
      popovertarget="menu"
    >
      ⋯
    </button>
    <div
      id="menu"
      part="menu"
      role="menu"
      popover
      aria-label=${name}
      @beforetoggle=${place}
      @toggle=${enter}
      @keydown=${step}
    >
      ${items}
    </div>
  `
}

/** Closes the menu of an item that is pressed. The focus is on the button then, to which a dialog returns it. */
export function closeMenu({ currentTarget }: Event): void {
  menuOf(currentTarget)?.parentElement?.hidePopover()
}

function menuOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof HTMLElement ? target : null
}

function itemsOf(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>('[role=menuitem]')]
}

/**
 * Puts the menu below its button, or above it if there is more room. It closes when the button scrolls away from it. The page
 * may be scrolling still when it opens: the focus or the click has just brought the button into view.
 * When it closes, the focus returns to the button, which a browser does not do in a shadow tree.
 */
function place({ target, newState }: ToggleEvent): void {
  const menu = menuOf(target)
  const button = menuOf(menu?.previousElementSibling ?? null)
  if (!menu || !button) return
  if (newState === 'closed') {
    if (menu.matches(':focus-within')) button.focus({ preventScroll: true })
    return
  }
  const { top, bottom, left, right } = button.getBoundingClientRect()
  const { clientWidth, clientHeight } = document.documentElement
  const below = clientHeight - bottom
  const isBelow = below > top
  const isRightToLeft = getComputedStyle(menu).direction === 'rtl'
  menu.style.inset = [
    isBelow ? `${bottom + GAP}px` : 'auto',
    isRightToLeft ? 'auto' : `${clientWidth - right}px`,
    isBelow ? 'auto' : `${clientHeight - top + GAP}px`,
    isRightToLeft ? `${left}px` : 'auto',
  ].join(' ')
  menu.style.maxHeight = `${Math.max(below, top) - 2 * GAP}px`
  const leave = () => {
    if (button.getBoundingClientRect().top !== top) menu.hidePopover()
  }
  addEventListener('scroll', leave, true)
  menu.addEventListener('beforetoggle', () => removeEventListener('scroll', leave, true), {
    once: true,
  })
}

function enter({ target, newState }: ToggleEvent): void {
  const menu = menuOf(target)
  if (menu && newState === 'open') itemsOf(menu)[0]?.focus({ preventScroll: true })
}

function step(event: KeyboardEvent): void {
  const menu = menuOf(event.currentTarget)
  if (menu === null) return
  if (event.key === 'Tab') menu.hidePopover()
  const items = itemsOf(menu)
  const at = items.findIndex((item) => item.matches(':focus'))
  const to = new Map([
    ['ArrowDown', at + 1],
    ['ArrowUp', at - 1],
    ['Home', 0],
    ['End', -1],
  ]).get(event.key)
  if (to === undefined) return
  event.preventDefault()
  items.at(to % items.length)?.focus()
}
