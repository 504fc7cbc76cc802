/** Remembers each line that is written to the console and that the schema of log lines does not have. */

import { noteLine } from './log-lines.ts'

// Test files share the console: this module is evaluated once.
for (const method of ['log', 'warn', 'error'] as const) {
  const write = console[method].bind(console)
  console[method] = (...args: unknown[]) => {
    noteLine(args)
    write(...args)
  }
}
