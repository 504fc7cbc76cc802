/** What to show a user for each error code, in each language, as tables of Markdown. */

import { readFileSync } from 'node:fs'
import { nameText } from '../../src/callers/browser/problem.ts'
import { sayReason } from '../../src/callers/browser/problem-text.ts'
import { PROBLEM_TEXTS, type ProblemText } from '../../src/callers/browser/texts.ts'
import { keyReason } from '../../src/shared/answers.ts'
import { CODES } from '../../src/shared/error-code.ts'
import { namesIn } from '../../src/shared/json.ts'
import { LANGUAGES, TRANSLATED } from '../lib/element.ts'

type Texts = Readonly<Record<ProblemText, string>>

/** A table in English, and one that folds for each other language. */
export function renderTexts(): string {
  const others = TRANSLATED.map((tag) => {
    const texts: Texts = JSON.parse(readFileSync(`${LANGUAGES}/${tag}.json`, 'utf8'))
    const name = new Intl.DisplayNames(tag, { type: 'language' }).of(tag) ?? tag
    const table = renderTable(texts, name)
    return `<details>\n<summary>${name}</summary>\n\n${table}\n\n</details>`
  })
  return [renderTable(PROBLEM_TEXTS, 'English'), ...others].join('\n\n')
}

function renderTable(texts: Texts, language: string): string {
  const say = (name: ProblemText) => texts[name]
  const [otherCode, otherReason] = [say('fault'), say('api_key_invalid')]
  const codes = groupNames(namesIn(CODES), (code) => say(nameText(code) ?? 'fault'))
  const reasons = groupNames(keyReason.options, (reason) => sayReason({ reason }, say))
  const rows = [
    ...codes.filter(({ said }) => said !== otherCode && said !== otherReason),
    { names: 'any other code', said: otherCode },
    ...reasons
      .filter(({ said }) => said !== otherReason)
      .map(({ names, said }) => ({ names: `\`api_key_invalid\`: ${names}`, said })),
    { names: '`api_key_invalid`: any other reason', said: otherReason },
  ]
  const lines = rows.map(({ names, said }) => `| ${names} | ${said} |`)
  return `| \`code\` | ${language} |\n| --- | --- |\n${lines.join('\n')}`
}

/** The names that have the same text, in one row. */
function groupNames<Name extends string>(names: readonly Name[], say: (name: Name) => string) {
  return Array.from(Map.groupBy(names, say), ([said, group]) => ({
    names: group.map((name) => `\`${name}\``).join(' · '),
    said,
  }))
}
