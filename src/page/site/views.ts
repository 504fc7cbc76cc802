/** The parts of index.html. One of them shows at a time. */

/** For a developer, who is on localhost: nobody else is signed in by a link. */
export const NEW_LINK = 'npm run dev prints a link that signs the demo user in.'

export type View = 'loading' | 'signed-out' | 'not-configured' | 'failed' | 'elsewhere' | 'keys'

/** An element of index.html. @throws Error if there is none with this id */
export function find(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`The page has no #${id}`)
  return element
}

export function onClick(id: string, act: () => void): void {
  find(id).addEventListener('click', act)
}

/** Shows this part, and hides the others. */
export function show(view: View): void {
  for (const other of document.querySelectorAll<HTMLElement>('.view'))
    other.hidden = other.id !== view
}

/**
 * Shows why a sign-in is needed, above what shows already.
 *
 * @param act what the button does; null if a sign-in takes a new link
 */
export function offerSignIn(reason: string, act: (() => void) | null): void {
  if (act === null) console.info(NEW_LINK)
  find('reason').textContent = reason
  find('sign-in').hidden = act === null
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it takes the place of the last one
  find('sign-in').onclick = act
  find('signed-out').hidden = false
}
