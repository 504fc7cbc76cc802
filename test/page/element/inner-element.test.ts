import { expect, it } from 'vitest'
import { InnerElement, PanelElement, type Done } from '../../../src/page/element/inner-element.ts'
import { Problem } from '../../../src/page/element/problem.ts'
import { textOf } from './markup.ts'
import { english, someKey, someSlot } from './shown.ts'
import { someCall } from './vault.ts'

/** Opens to a test what is protected. */
class Panel extends PanelElement {
  /** Whether something was typed. */
  isDirty = false
  faulty = ''

  override mayClose(): boolean {
    return !this.isDirty
  }

  protected override get faultyField(): string {
    return this.faulty
  }

  done(detail: Done): void {
    this.tell('done', detail)
  }

  async fail(problem: Problem): Promise<void> {
    await this.attempt.run({ text: 'saving' }, async () => Promise.reject(problem))
  }

  form() {
    const fields = ['Key: ', this.problemAt('#key'), ' Day: ']
    return this.renderForm(fields, 'Save', false, () => {})
  }
}

function somePanel() {
  const panel = Object.assign(new Panel(), { access: someCall().access, language: english })
  const heard: Event[] = []
  for (const type of ['done', 'problem', 'cancel']) {
    panel.addEventListener(type, (event) => heard.push(event))
  }
  return { panel, heard }
}

it('a panel has what its row gives it, and what each inner element has', () => {
  expect(Object.keys(InnerElement.properties)).toEqual(['access', 'language'])
  expect(Object.keys(PanelElement.properties)).toEqual(['keySlot', 'slots', 'offered'])
})

it('tells what was done, to the element around it alone', () => {
  const { panel, heard } = somePanel()
  const slot = someSlot({ key: someKey() })
  const detail: Done = {
    change: 'saved',
    slot,
    from: slot,
    notice: { text: 'The key is saved.', tone: 'success' },
  }
  panel.done(detail)
  expect(heard).toMatchObject([{ type: 'done', detail, bubbles: true, composed: false }])
})

it('tells each problem', async () => {
  const { panel, heard } = somePanel()
  await panel.fail(new Problem('offline'))
  expect(heard).toMatchObject([{ type: 'problem', detail: { code: 'offline', requestId: null } }])
})

it('leaves only if that loses nothing', () => {
  const { panel, heard } = somePanel()
  panel.isDirty = true
  panel.leave()
  expect(heard).toEqual([])
  panel.isDirty = false
  panel.leave()
  expect(heard).toMatchObject([{ type: 'cancel', bubbles: true }])
})

const OFFLINE = 'You are offline. Try again when you are connected.'

it.for([
  ['#key', `Key: ${OFFLINE} Day: Save Cancel`],
  ['', `Key: Day: ${OFFLINE} Save Cancel`],
] as const)('a problem stands once, at the field that it is about: %s', async ([faulty, text]) => {
  const { panel } = somePanel()
  panel.faulty = faulty
  await panel.fail(new Problem('offline'))
  expect(textOf(panel.form())).toBe(text)
})
