/** docs/provider-answers.md: what each built-in provider answers to a bad key and without credit, each with its source. */

import { readFileSync } from 'node:fs'
import { findPattern, type AnswerPattern } from '../../src/providers/answer-pattern.ts'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import type { Provider } from '../../src/providers/provider.ts'

/** An answer in the vectors of the tests. */
interface Answer {
  about: string
  says: string
  status: number
  body: object | string
  source: string
}

const VECTORS = 'test/providers/vectors/answers.json'

/** The text of the page. */
export function renderProviderAnswers(): string {
  const answers: Record<string, Answer[]> = JSON.parse(readFileSync(VECTORS, 'utf8'))
  const sections = Object.entries(BUILT_IN).map(([name, provider]) =>
    renderProvider(provider, answers[name] ?? []),
  )
  const template = readFileSync('scripts/docs/provider-answers.md', 'utf8')
  return template.replace('{{providers}}', () => sections.join('\n\n'))
}

function renderProvider(provider: Provider, answers: readonly Answer[]): string {
  const head =
    '| case | status | field and value | the slot | source |\n| --- | --- | --- | --- | --- |'
  const rows = answers.map((answer) => renderAnswer(provider, answer))
  return `## ${provider.label}\n\n${head}\n${rows.join('\n')}`
}

function renderAnswer({ refusals, exhausted = [] }: Provider, answer: Answer): string {
  const { about, says, status, body, source } = answer
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const pattern = findPattern([...refusals, ...exhausted], status, new TextEncoder().encode(text))
  const slot = pattern === undefined ? '–' : `\`${says}\``
  return `| ${about} | ${status} | ${describePattern(pattern)} | ${slot} | [${nameSource(source)}](${source}) |`
}

function describePattern(pattern: AnswerPattern | undefined): string {
  if (pattern === undefined) return '–'
  return pattern.field === undefined ? 'any' : `\`${pattern.field}\`: \`${pattern.value}\``
}

function nameSource(source: string): string {
  return /^https:\/\/github\.com\/[^/]+\/[^/]+\/(?:issues|pull)\//.test(source) ? 'thread' : 'page'
}
