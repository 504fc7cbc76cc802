import { readdirSync, readFileSync } from 'node:fs'
import { _$LH } from 'lit-html/private-ssr-support.js'
import { parseSync } from 'rolldown/utils'
import { describe, expect, it } from 'vitest'
import { LIT_NAMES } from '../../../scripts/lib/lit-cuts.ts'
import { leaveOut, replacePolicy } from '../../../scripts/lib/lit.ts'
import { markBindings } from '../../../src/page/element/template-marks.ts'

it('refuses a Lit that makes its policy in another way', () => {
  const lit = readFileSync('node_modules/lit-html/lit-html.js', 'utf8')
  expect(replacePolicy(lit)).toContain('createLitPolicy()')
  expect(() => replacePolicy(lit.replace('createPolicy("lit-html"', 'createPolicy(`lit`'))).toThrow(
    'in another way',
  )
})

const MODULES = [
  ['reactive-element.js', 'node_modules/@lit/reactive-element/reactive-element.js'],
  ['lit-element.js', 'node_modules/lit-element/lit-element.js'],
  ['lit-html.js', 'node_modules/lit-html/lit-html.js'],
] as const

it.for(MODULES)('leaves out what the element does not need of %s', ([name, path]) => {
  const lit = readFileSync(path, 'utf8')
  const code = leaveOut(name, lit)
  expect(lit).toMatch(/\w(?:Support|Versions)\b/)
  expect(code).not.toMatch(/\w(?:Support|Versions)\b|Symbol\.metadata|JSON|litDirective|<math>/)
  expect(() => leaveOut(name, code)).toThrow('has another form')
})

const ELEMENT = 'src/page/element'
const SOURCES = readdirSync(ELEMENT).filter((file) => /(?<!\.d)\.ts$/.test(file))
const readSource = (file: string) => readFileSync(`${ELEMENT}/${file}`, 'utf8')

/** Every template in a part of a syntax tree, as its texts around what it binds. */
function findTemplates(part: unknown): string[][] {
  if (typeof part !== 'object' || part === null) return []
  const inside = Object.values(part).flatMap(findTemplates)
  const { type, tag, quasi } = Object(part)
  if (type !== 'TaggedTemplateExpression' || tag.name !== 'html') return inside
  return [Array.from(quasi.quasis, ({ value }) => value.cooked), ...inside]
}

/** What the Lit in the script could not read in a template. */
function findStrange(texts: readonly string[]): string[] {
  const whole = texts.join('')
  const tags = whole.match(/<!--|<(?:script|style|textarea|title|svg|math)\b/gi) ?? []
  const bindings = texts.slice(0, -1).filter((text, at) => {
    const before = texts.slice(0, at + 1).join('')
    const isInTag = before.lastIndexOf('<') > before.lastIndexOf('>')
    const isWhole = /\s[.?@]?[\w-]+=$/.test(text) && /^[\s>]/.test(texts[at + 1] ?? '')
    return isInTag && !isWhole
  })
  return [...tags, ...bindings]
}

describe('the element needs nothing that is left out', () => {
  it.for(SOURCES)('%s has no template that the Lit in the script could not read', (file) => {
    const { program } = parseSync(file, readSource(file))
    expect(findTemplates(program).flatMap(findStrange)).toEqual([])
  })

  it.for(SOURCES)('%s has only templates whose bindings are found as Lit finds them', (file) => {
    const { program } = parseSync(file, readSource(file))
    const { boundAttributeSuffix: name, marker: value, markerMatch, getTemplateHtml } = _$LH
    for (const texts of findTemplates(program)) {
      const [html, attributes] = getTemplateHtml(Object.assign(texts, { raw: texts }), 1)
      const marks = { name, value, child: `<${markerMatch}>` }
      expect(markBindings(texts, marks)).toEqual([html, attributes])
    }
  })

  it.for(SOURCES)('%s uses nothing of Lit that is not in the script', (file) => {
    const names =
      /\b(?:reflect|converter|hasChanged|noAccessor|useDefault|addInitializer|shouldUpdate|scheduleUpdate|hostUpdated?|noChange|svg|mathml|compiled|renderBefore|getUpdateComplete|override updated|elementStyles|shadowRootOptions)\b|'lit\/|\bhandleEvent\b/g
    expect(readSource(file).match(names)).toBeNull()
    const own = new RegExp(`\\b(?:${LIT_NAMES.join('|')})\\b`, 'g')
    expect(readSource(file).match(own)).toBeNull()
  })

  it.for([
    ['a comment', ['<p><!-- -->', '</p>']],
    ['an element with text alone', ['<p><textarea>', '</textarea></p>']],
    ['a part of a value', ['<p class="a ', '"></p>']],
    ['a value with more behind it', ['<p class=', 'b></p>']],
    ['a binding to an element', ['<p ', '></p>']],
    ['a tag', ['<', '></p>']],
  ] as const)('a template with %s is found', ([, texts]) => {
    expect(findStrange(texts)).not.toEqual([])
  })

  it('templates are found, also those in others', () => {
    const { program } = parseSync(
      'some.ts',
      'const f = (a) => html`<p>${html`<b ?c=${a}></b>`}</p>`',
    )
    expect(findTemplates(program)).toEqual([
      ['<p>', '</p>'],
      ['<b ?c=', '></b>'],
    ])
  })
})
