/** Which labels a slot can have: letters of one script, digits, `-`, `_` and `.`. */

/** In code points. */
export const MAX_LABEL = 40

const CHARACTERS = /^[\p{L}\p{M}0-9._-]+$/u
/** What a reader does not see, such as a variation selector. */
const INVISIBLE = /\p{DI}/u
/** What has no script: digits, punctuation, and marks that go with any letter. */
const ANY_SCRIPT = /\p{scx=Zinh}|(?!\p{L})\p{scx=Zyyy}/gu

/**
 * The scripts in which people write today, in the order of their use: https://www.unicode.org/reports/tr31/ (Tables 5 and 7),
 * and Mongolian. Han, Hiragana and Katakana are one, since Japanese has all three.
 */
const SCRIPTS =
  'LatnCyrlArabGrekHebrHangDevaThaiBengArmnGeorGuruGujrOryaTamlTeluKndaMlymSinhLaooTibtMymrKhmrEthiBopoThaaMong' +
  'CansCherTfngYiiiSyrcNkooAdlmVaiiBamuJavaBaliSundBatkCakmChamKaliLanaLepcLimbLisuMandMteiNewaOlckOsgePlrdRohg' +
  'SaurSyloTaleTaluTavtHmnpWcho'

/** What is wrong with `label`, as the end of a sentence; null if nothing is. It quotes no character of the label. */
export function nameLabelFault(label: string): string | null {
  if (/^[\w.-]{1,40}$/.test(label)) return null
  if (label === '') return 'is empty'
  if (Array.from(label).length > MAX_LABEL) return `is over ${MAX_LABEL} characters`
  if (!CHARACTERS.test(label) || INVISIBLE.test(label)) {
    return 'has a character other than letters and their marks, the digits 0 to 9, "-", "_" and "."'
  }
  if (label !== label.normalize('NFC')) return 'is not in Unicode’s form NFC'
  return isOfOneScript(label) ? null : 'has letters that are not all of one script'
}

/** Compiling the pattern of a script takes 0.3 ms. Most labels need one or two patterns. */
function isOfOneScript(label: string): boolean {
  const letters = label.replaceAll(ANY_SCRIPT, '')
  const isOf = (...scripts: string[]) =>
    new RegExp(`^[${scripts.map((script) => `\\p{scx=${script}}`).join('')}]*$`, 'u').test(letters)
  return isOf('Hani', 'Hira', 'Kana') || (SCRIPTS.match(/..../g) ?? []).some((one) => isOf(one))
}
