/** A window of a browser, as far as every engine can be driven. */

export type Key = 'Tab' | 'Enter' | 'Escape' | 'ArrowUp'

export interface Screen {
  open: (url: string) => Promise<void>
  /** Evaluates an expression in the page, and awaits it. */
  run: (expression: string) => Promise<unknown>
  press: (key: Key) => Promise<void>
  type: (text: string) => Promise<void>
  /** Clicks a point of the page that is in view. */
  click: (x: number, y: number) => Promise<void>
  close: () => Promise<void>
}

/** The expression that calls `run` in the page. `run` can use nothing from its module. */
export function call<A extends unknown[]>(run: (...values: A) => unknown, ...values: A): string {
  return `(${String(run)})(${values.map((value) => JSON.stringify(value)).join()})`
}
