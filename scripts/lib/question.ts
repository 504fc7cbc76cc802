/** Asks before a command does what cannot be taken back. */

import { createInterface } from 'node:readline/promises'

/** @throws Error unless `isConfirmed`, or somebody at the terminal types yes */
export async function requireYes(
  question: string,
  isConfirmed: boolean,
  ask = askAtTerminal,
): Promise<void> {
  if (isConfirmed) return
  if (!process.stdin.isTTY) throw new Error(`${question}\nAdd --confirm if that is right.`)
  const answer = await ask(`${question}\nType yes to go on: `)
  if (answer.trim().toLowerCase() !== 'yes') throw new Error('Nothing was done.')
}

async function askAtTerminal(prompt: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(prompt)
  } finally {
    terminal.close()
  }
}
