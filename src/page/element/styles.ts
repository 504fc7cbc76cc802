/** The elements' style sheet, one for all, and what it names. */

import { unsafeCSS } from 'lit'
import sheet from './styles.css'

/** Adopted by each element: no style tag, so that `style-src 'self'` is enough. */
export const styles = unsafeCSS(sheet)

/** The parts of the inner elements, which the outer one passes on. */
export const PARTS =
  'provider, status, preview, times, notice, problem, form, label, input, select, link, button, primary-button, danger-button, dialog, busy'
