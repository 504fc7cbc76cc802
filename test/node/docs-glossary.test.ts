/** The words of docs/glossary.md that the code lists too. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { keyStatus, verdict } from '../../src/shared/answers.ts'
import { SERVER_GRANTS } from '../../src/shared/caller.ts'
import { OUT_OF_CREDIT } from '../../src/shared/slot.ts'
import { namesIn } from '../markdown.ts'

const page = readFileSync('docs/glossary.md', 'utf8')

/** The names in code in the row of a word. */
function namesOf(word: string): string[] {
  const row = page.split('\n').find((line) => line.startsWith(`| **${word}**`)) ?? ''
  return namesIn(row).toSorted()
}

it.for<[word: string, names: readonly string[]]>([
  ['status', keyStatus.options],
  ['verdict', verdict.options],
  ['condition', [OUT_OF_CREDIT]],
  ['grant', [...new Set([...SERVER_GRANTS, 'use', 'reveal'])]],
])('docs/glossary.md has each %s', ([word, names]) => {
  expect(namesOf(word)).toEqual(names.toSorted())
})
