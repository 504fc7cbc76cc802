/** Remembers each line that is written to the console and that the schema of log lines does not have. */

import { noteLine } from './log-lines.ts'

const watched = new WeakSet<Console>()

/** Watches the console. Test files share it, so only the first of them changes it. */
export function watchConsole(): void {
  if (watched.has(console)) return
  watched.add(console)
  for (const method of ['log', 'warn', 'error'] as const) {
    const write = console[method].bind(console)
    console[method] = (...args: unknown[]) => {
      noteLine(args)
      write(...args)
    }
  }
}
