/** The field for the label of a key, which tells several keys of a provider apart. */

import { html } from 'lit'
import type { Attempt } from './attempt.ts'
import type { ProblemCode } from './host.ts'
import type { Language } from './language.ts'

/** What is wrong with a label. */
const FAULTS = new Set<ProblemCode | undefined>(['label_invalid', 'api_key_exists'])

/** Whether the service refused the label. */
export function isLabelRefused({ problem }: Attempt): boolean {
  return FAULTS.has(problem?.code)
}

/** Renders the field and its name. It begins with `label`. */
export function renderLabelField(
  { say }: Language,
  attempt: Attempt,
  { label, onInput }: { label: string; onInput?: () => void },
) {
  return html`
    <label for="label" part="label">${say('label')}</label>
    <input
      id="label"
      part="input"
      dir="auto"
      aria-describedby="remark problem"
      aria-invalid=${isLabelRefused(attempt)}
      ?readonly=${attempt.doing !== null}
      .defaultValue=${label}
      @input=${onInput}
    />
  `
}

/** The label in the field, as the service takes it; empty without one. */
export function readLabel(root: ParentNode): string {
  return root.querySelector<HTMLInputElement>('#label')?.value.trim().normalize() ?? ''
}
