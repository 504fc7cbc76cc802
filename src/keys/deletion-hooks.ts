/** The hooks of deletions: what else has to be noted when a key or a user goes. */

import { importHook } from '../import/imported-keys.ts'
import { NO_HMACS, withHmacs, type Hmacs } from '../import/removed-users.ts'
import type { DeletionHook } from '../store/gone-keys.ts'

const HOOKS: readonly ((isImporting: boolean, hmacs: Hmacs) => DeletionHook)[] = [importHook]

/**
 * The hooks for deletions of keys.
 *
 * @param isImporting whether rows of another backend are still expected
 */
export function deletionHooks(isImporting: boolean, hmacs = NO_HMACS): DeletionHook[] {
  return HOOKS.map((hook) => hook(isImporting, hmacs))
}

/** Does `work` that adds or removes these users, with the hooks for it. It may be done twice, if the first time fails. */
export async function withUserHooks<T>(
  db: D1Database,
  { userIds, isImporting }: { userIds: readonly string[]; isImporting: boolean },
  work: (hooks: readonly DeletionHook[]) => Promise<T>,
): Promise<T> {
  return withHmacs(db, userIds, async (hmacs) => work(deletionHooks(isImporting, hmacs)))
}
