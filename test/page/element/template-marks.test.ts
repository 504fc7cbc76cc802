import { expect, it } from 'vitest'
import { markBindings } from '../../../src/page/element/template-marks.ts'

const MARKS = { name: '#', value: 'V', child: '<?V>' }

it.for<[what: string, texts: string[], html: string, attributes: string[]]>([
  ['no binding', ['<p>a</p>'], '<p>a</p>', []],
  ['a child', ['<p>', '</p>'], '<p><?V></p>', []],
  ['children alone', ['', ' ', ''], '<?V> <?V><?>', []],
  [
    'attributes',
    ['<p a="b c" d=', ' .eF=', ' ?g=', ' @h=', '>', '</p>'],
    '<p a="b c" d#=V .eF#=V ?g#=V @h#=V><?V></p>',
    ['d', '.eF', '?g', '@h'],
  ],
  ['an attribute on its own line', ['<p\n  id=', '\n></p>'], '<p\n  id#=V\n></p>', ['id']],
  ['a child before a tag', ['<b>', '</b><i a=', '></i>'], '<b><?V></b><i a#=V></i>', ['a']],
])('bindings are marked in a template with %s', ([, texts, html, attributes]) => {
  expect(markBindings(texts, MARKS)).toEqual([html, attributes])
})
