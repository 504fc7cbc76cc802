/** What else notes a deletion. */

import { importHook } from '../import/imported-keys.ts'
import type { DeletionHook } from '../store/gone-keys.ts'

const HOOKS: readonly ((isImporting: boolean) => DeletionHook)[] = [importHook]

/** @param isImporting whether rows of another backend are still expected */
export function deletionHooks(isImporting: boolean): DeletionHook[] {
  return HOOKS.map((hook) => hook(isImporting))
}
