/** The bodies of answers: camelCase values of the vault in the contract's snake_case. */

import type { Settings } from '../settings.ts'
import type {
  ConfigAnswer,
  DecryptionFault,
  DeletedAnswer,
  ExportedKey as ExportedKeyAnswer,
  ExportedRow,
  KeyAnswer,
  KeyFields,
  ListedAnswer,
  MemberSlot as MemberSlotAnswer,
  SavedAnswer,
  SavedFields,
  SlotAnswer,
  SlotFields,
  TeamAnswer,
  UserAnswer,
  UsersAnswer,
} from '../shared/answers.ts'
import { readOwner } from '../shared/owner.ts'
import { OUT_OF_CREDIT, splitSlot } from '../shared/slot.ts'
import type { ExportedKey } from '../store/exported-user.ts'
import { tagOf } from '../store/slot-check.ts'
import type { Team } from '../store/teams.ts'
import type { User } from '../store/users.ts'
import { readLimits, type Limits } from './limits.ts'
import type { SavedKey } from './save.ts'
import type { ListedSlot } from './slots.ts'
import type { KeySummary, OpenKey, StoredKey, UnreadableKey } from './stored-key.ts'
import type { UserPage } from './users.ts'

export function describeKeyFields({ preview, updatedAt, savedBy, tag }: KeySummary): KeyFields {
  return {
    api_key_preview: preview,
    api_key_updated_at: updatedAt,
    ...savedFields(savedBy),
    etag: entityTag(tag),
  }
}

function savedFields(savedBy: KeySummary['savedBy']) {
  return { ...(savedBy !== null && { saved_by: savedBy }) }
}

export function describeSlotFields(key: KeySummary): SlotFields {
  return { ...describeKeyFields(key), ...sealedFields(key), ...rowFields(key) }
}

/** The fields that only an opened key shows, apart from its preview. */
function sealedFields({ last4, baseUrl: base_url }: Pick<KeySummary, 'last4' | 'baseUrl'>) {
  return {
    ...(last4 !== null && { api_key_last4: last4 }),
    ...(base_url !== null && { base_url }),
  }
}

type ShownInRow =
  | 'status'
  | 'exhaustedAt'
  | 'lastUsedAt'
  | 'lastVerifiedAt'
  | 'expiresAt'
  | 'limits'

/** What is known of a key without opening it. */
function rowFields(row: Pick<KeySummary, ShownInRow>) {
  const { status, exhaustedAt, lastUsedAt, lastVerifiedAt, expiresAt: expires_at, limits } = row
  return {
    status,
    ...(exhaustedAt !== null && { condition: OUT_OF_CREDIT, condition_at: exhaustedAt }),
    last_used_at: lastUsedAt,
    last_verified_at: lastVerifiedAt,
    ...(expires_at !== null && { expires_at }),
    ...limitFields(limits),
  }
}

export function describeSavedFields({ sameIn, ...key }: SavedKey): SavedFields {
  return { ...describeSlotFields(key), ...sameFields(sameIn) }
}

function sameFields(sameIn: readonly string[]) {
  return { ...(sameIn.length > 0 && { same_key_in: sameIn }) }
}

/** The entity tag of a key, as the header `ETag` has it. */
export function entityTag(tag: string): string {
  return `"${tag}"`
}

function limitFields({ pausedAt, callers, maxUses, maxUsesPerMember }: Limits) {
  return {
    ...(pausedAt !== null && { paused_at: pausedAt }),
    ...(callers !== null && { callers }),
    ...(maxUses !== null && { max_uses: maxUses }),
    ...(maxUsesPerMember !== null && { max_uses_per_member: maxUsesPerMember }),
  }
}

const UNREADABLE = 'Invalid encrypted key'

function unreadable({ row }: UnreadableKey) {
  const etag = entityTag(tagOf(row))
  return { has_api_key: false, error: UNREADABLE, etag } as const
}

export function describeKey(key: StoredKey): KeyAnswer {
  if (key.state === 'unreadable') return unreadable(key)
  return key.state === 'empty'
    ? { has_api_key: false }
    : { has_api_key: true, ...describeKeyFields(key) }
}

export function describeSlot(provider: string, key: StoredKey): SlotAnswer {
  if (key.state === 'unreadable') {
    return { provider, ...unreadable(key), reason: faultOf(key) }
  }
  return key.state === 'empty'
    ? { provider, has_api_key: false }
    : { provider, has_api_key: true, ...describeSlotFields(key) }
}

function faultOf({ reason }: UnreadableKey): DecryptionFault {
  return reason === 'key_id_not_in_keyring' ? 'encryption_key_missing' : 'cannot_be_decrypted'
}

/** A key in an export: `opened` is null if nobody can open it. */
export function describeExportedKey(
  row: ExportedKey,
  opened: OpenKey | UnreadableKey | null,
  sameIn: readonly string[],
): ExportedRow | ExportedKeyAnswer {
  const { provider, position, updatedAt: api_key_updated_at, uses, usesIn: uses_in } = row
  return {
    type: 'key',
    provider,
    position,
    ...(opened !== null && describeOpened(opened, sameIn)),
    api_key_updated_at,
    ...savedFields(row.savedBy),
    etag: entityTag(tagOf(row)),
    ...rowFields({ ...row, limits: readLimits(row) }),
    ...(uses_in !== null && { uses, uses_in }),
    key_id: row.kid,
    has_fingerprint: row.hasFingerprint === 1,
  }
}

function describeOpened(key: OpenKey | UnreadableKey, sameIn: readonly string[]) {
  if (key.state === 'unreadable') {
    return { has_api_key: false, error: UNREADABLE, reason: faultOf(key) } as const
  }
  const { preview: api_key_preview } = key
  const shown = { api_key_preview, ...sealedFields(key), ...sameFields(sameIn) }
  return { has_api_key: true, ...shown } as const
}

export function describeListedSlot(slot: ListedSlot): ListedAnswer {
  const { name, provider, position, key, sameIn } = slot
  const {
    label: named = null,
    key_page = null,
    key_prefixes = [],
    billing_page,
    hosts,
  } = provider ?? {}
  const label = splitSlot(name).label ?? named
  const optional = {
    ...(position !== null && { position }),
    ...(billing_page !== undefined && { billing_page }),
    ...(hosts !== undefined && { hosts }),
  }
  const about = { label, key_page, key_prefixes, ...optional, ...describeSlot(name, key) }
  return about.has_api_key ? { ...about, ...sameFields(sameIn) } : about
}

export function confirmSave<Fields extends KeyFields>(
  userId: string,
  fields: Fields,
): SavedAnswer<Fields> {
  const { id } = readOwner(userId)
  return {
    message: 'API key updated successfully',
    user_id: id,
    user: { id, has_api_key: true, ...fields },
  }
}

export function confirmDeletion<Fields extends object>(
  userId: string,
  fields: Fields,
): DeletedAnswer<Fields> {
  const { id } = readOwner(userId)
  const nothing = { api_key_preview: null, api_key_updated_at: null }
  return {
    message: 'API key deleted successfully',
    user_id: id,
    user: { id, has_api_key: false, ...nothing, ...fields },
  }
}

export function describeUser({ id, createdAt }: User): UserAnswer {
  return { user_id: readOwner(id).id, created_at: createdAt }
}

/** A team; null if nobody has added it yet. */
export function describeTeam(userId: string, team: Team | null): TeamAnswer {
  const { createdAt: created_at = null, ownKeys = 1, tokensSince = null } = team ?? {}
  return {
    team_id: readOwner(userId).id,
    created_at,
    own_keys: ownKeys === 1,
    ...(tokensSince !== null && { tokens_since: tokensSince }),
  }
}

/** What a member who is not an admin sees of a team's slot. */
export function describeMemberSlot({ name, provider, key }: MemberSlot): MemberSlotAnswer {
  const label = splitSlot(name).label ?? provider?.label ?? null
  const isOpen = key.state === 'open'
  return { provider: name, has_api_key: isOpen, label, ...(isOpen && { status: key.status }) }
}

type MemberSlot = Pick<ListedSlot, 'name' | 'provider' | 'key'>

export function describeUsers({ users, next }: UserPage): UsersAnswer {
  return {
    users: users.map((user) => ({ ...describeUser(user), keys: user.keys })),
    next_cursor: next,
  }
}

export function describeSignIn(signIn: Settings['signIn']): ConfigAnswer {
  if (signIn === null) return { oidc: null }
  const { issuer, clientId: client_id, scope, audience } = signIn
  return { oidc: { issuer, client_id, scope, audience } }
}
