/** Says what a command is about to do, and asks before it does what cannot be taken back. */

import { createInterface } from 'node:readline/promises'

/** How a command answers the question: `asks` if it must be asked, `yes` if the command line has answered it. */
interface Asking {
  asks: boolean
  yes: boolean
}

/** Says what is about to happen. @throws Error unless it may happen without a question, or the answer is yes */
export async function announce(sentence: string, { asks, yes }: Asking): Promise<void> {
  if (asks && !yes) await requireYes(sentence, false)
  else console.error(sentence)
}

/** @throws Error unless `isConfirmed`, or somebody at the terminal types yes */
export async function requireYes(
  question: string,
  isConfirmed: boolean,
  ask = askAtTerminal,
): Promise<void> {
  if (isConfirmed) return
  if (!process.stdin.isTTY) throw new Error(`${question}\nAdd --yes if that is right.`)
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
