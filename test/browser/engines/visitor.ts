/** What a person does and sees in a window, through the shadow roots of the element. */

import { call, type Screen } from './screen.ts'

/** A visible element: the first that matches `selector`, with this name or with this text in it. */
interface Target {
  selector?: string
  name?: string
  text?: string
}

/** Runs in the page: waits for the element. @throws Error if it does not appear */
async function locate({ selector = '*', name, text = '' }: Target): Promise<Element> {
  const tidy = (words: string | null | undefined) => (words ?? '').replaceAll(/\s+/g, ' ').trim()
  const nameOf = (element: Element) => {
    const label = 'labels' in element && element.labels instanceof NodeList && element.labels[0]
    return tidy(element.getAttribute('aria-label') ?? (label || element).textContent)
  }
  const inside = (root: ParentNode): Element[] =>
    Array.from(root.querySelectorAll('*')).flatMap((element) =>
      [element].concat(element.shadowRoot ? inside(element.shadowRoot) : []),
    )
  const has = (element: Element) => tidy(element.textContent).includes(text)
  const isMeant = (element: Element) =>
    element.matches(selector) &&
    (name === undefined || nameOf(element) === name) &&
    (text === '' || (has(element) && !Array.from(element.children).some(has))) &&
    element.checkVisibility()
  for (const end = performance.now() + 15_000; performance.now() < end;) {
    const found = inside(document.body).find(isMeant)
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`Not found: ${selector} ${name ?? text}`)
}

/** Runs in the page: the element with the focus, and how it looks. */
function describeFocus(): { name: string; isRinged: boolean } {
  let focused = document.activeElement
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
  if (focused === null) return { name: '', isRinged: false }
  const { outlineStyle, outlineWidth } = getComputedStyle(focused)
  const name = focused.getAttribute('aria-label') ?? focused.textContent ?? ''
  return {
    name: name.trim(),
    isRinged: outlineStyle === 'solid' && Number.parseFloat(outlineWidth) >= 2,
  }
}

/** Runs in the page: brings the element into view, and returns its centre. */
function centre(element: Element): number[] {
  element.scrollIntoView({ block: 'center' })
  const { x, y, width, height } = element.getBoundingClientRect()
  return [x + width / 2, y + height / 2]
}

/** Runs in the page: chooses an option as a click on it does. A native list is not part of the page. */
function setOption(element: Element, value: string): void {
  if (!(element instanceof HTMLSelectElement)) throw new Error('not a select')
  element.value = value
  element.dispatchEvent(new Event('change', { bubbles: true }))
}

/** Returns what a visitor can do in the window. */
export function visit(screen: Screen) {
  /** Runs `use` in the page, with the element and `argument`. */
  const withElement = async (
    target: Target,
    use: (element: Element, argument: string) => unknown,
    argument = '',
  ): Promise<unknown> => {
    const then = `(found) => (${String(use)})(found, ${JSON.stringify(argument)})`
    return screen.run(`${call(locate, target)}.then(${then})`)
  }

  const clickOn = async (target: Target): Promise<void> => {
    const [x, y] = Array.from(Object(await withElement(target, centre)), Number)
    await screen.click(x ?? Number.NaN, y ?? Number.NaN)
  }

  const focus = async () => {
    const found = Object(await screen.run(call(describeFocus)))
    return { name: String(found.name), isRinged: found.isRinged === true }
  }

  return {
    clickOn,
    withElement,
    focus,
    press: async (name: string): Promise<void> => clickOn({ selector: 'button', name }),
    sees: async (text: string): Promise<unknown> => withElement({ text }, () => true),
    choose: async (selector: string, value: string): Promise<unknown> =>
      withElement({ selector }, setOption, value),
    enter: async (selector: string, text: string): Promise<void> => {
      await clickOn({ selector })
      await screen.type(text)
    },
    /** Presses Tab until the focus is on `name`. Returns what had the focus on the way. */
    tabTo: async (name: string) => {
      const stops = []
      for (let tabs = 0; tabs < 20 && stops.at(-1)?.name !== name; tabs += 1) {
        await screen.press('Tab')
        stops.push(await focus())
      }
      return stops
    },
  }
}
