/** The rules for labels: which are one script, and which look like another one. */

import { expect, it } from 'vitest'
import { nameLabelFault } from '../../src/shared/label.ts'

it.for([
  ['Latin', 'Work-2_b.c'],
  ['digits alone', '2026'],
  ['Latin with accents', 'Privée'],
  ['Vietnamese', 'côngviệc'],
  ['Cyrillic', 'Работа'],
  ['Greek', 'Εργασία'],
  ['Arabic', 'عمل'],
  ['Hebrew with points', 'עֲבוֹדָה'],
  ['Hindi, with marks', 'कार्य'],
  ['Bengali', 'কাজ'],
  ['Tamil', 'வேலை'],
  ['Thai', 'งาน.1'],
  ['Lao', 'ວຽກ'],
  ['Khmer', 'ការងារ'],
  ['Burmese', 'အလုပ်'],
  ['Tibetan', 'ལས'],
  ['Amharic', 'ሥራ'],
  ['Georgian', 'სამუშაო'],
  ['Armenian', 'Աշխատանք'],
  ['Korean', '업무'],
  ['Chinese', '工作'],
  ['Japanese, with Hiragana, Katakana and Han', 'お仕事アカウントー々'],
  ['Cherokee', 'ᎠᏂᏴᏫ'],
  ['Inuktitut', 'ᐃᖃᓇᐃᔭᖅ'],
  ['Mongolian', 'ᠠᠵᠢᠯ'],
  ['Adlam, beyond 16 bits', '𞤘𞤮𞤤𞤤𞤫'],
  ['a mark that goes with any letter', 'x̂'],
  ['40 letters', 'ж'.repeat(40)],
  ['40 letters of two code units', '𞤘'.repeat(40)],
])('%s can be a label: %s', ([, label = '']) => {
  expect(nameLabelFault(label)).toBeNull()
})

it.for<[what: string, label: string, fault: RegExp]>([
  ['no text', '', /is empty/],
  ['41 characters', 'w'.repeat(41), /is over 40 characters/],
  ['41 letters of two code units', '𞤘'.repeat(41), /is over 40 characters/],
  ['Latin with a Cyrillic letter', 'wоrk', /not all of one script/],
  ['Latin with a Greek letter', 'wοrk', /not all of one script/],
  ['Cyrillic with a Latin letter', 'pабота', /not all of one script/],
  ['Latin with Han', 'work工', /not all of one script/],
  ['Korean with Han', '업무工', /not all of one script/],
  ['Han with Cyrillic', '工作ж', /not all of one script/],
  ['Hebrew with Arabic', 'עمل', /not all of one script/],
  ['bold letters of mathematics', '𝐰𝐨𝐫𝐤', /not all of one script/],
  ['a mark of Hebrew on a Latin letter', 'wָork', /not all of one script/],
  ['a script that nobody writes', '𐌲𐌿𐍄', /not all of one script/],
  ['decomposed letters (NFD)', 'Privée'.normalize('NFD'), /form NFC/],
  ['decomposed Korean', '업무'.normalize('NFD'), /form NFC/],
  ['the Kelvin sign', '\u212A', /form NFC/],
  ['a space', 'my work', /other than letters/],
  ['a colon', 'a:b', /other than letters/],
  ['a slash', 'a/b', /other than letters/],
  ['a percent sign', 'a%20b', /other than letters/],
  ['a line break', 'work\n', /other than letters/],
  ['Arabic digits', 'عمل٣', /other than letters/],
  ['an emoji', 'work💼', /other than letters/],
  ['a zero-width joiner', 'wo\u200Drk', /other than letters/],
  ['a variation selector', 'work\uFE0F', /other than letters/],
  ['a filler of Korean', 'work\u3164', /other than letters/],
  ['a direction mark', '\u202Ework', /other than letters/],
  ['a half of a pair', 'work\uD83D', /other than letters/],
])('%s cannot be a label', ([, label, fault]) => {
  expect(nameLabelFault(label)).toMatch(fault)
})
