/** The methods of a client: those of the keys of a user, and those of a team. */

import type { AnswerOf, BodyOf, BrowserOperation, EventFilter } from '../../shared/routes.ts'

export interface Options {
  /** Ends the request, which then throws the reason of the signal. */
  signal?: AbortSignal | undefined
}

export interface ChangeOptions extends Options {
  /**
   * The `etag` of the slot as your user saw it; null if the slot was empty. The vault refuses the change (`changed_meanwhile`) if
   * the slot has changed since. Without it, the change does not depend on what is in the slot.
   */
  etag?: string | null | undefined
}

export interface CheckOptions extends Options {
  /** Whether the vault checks the key with its provider first; by default, as the vault is set up. */
  verify?: boolean | undefined
}

export type SaveOptions = ChangeOptions & CheckOptions

export type EventsOptions = Options &
  EventFilter & {
    /** From 1 to 200; by default 50. */
    limit?: number | undefined
  }

type KeyBody = BodyOf<'saveSlot'>
type Changes = BodyOf<'setLimits'>

/** What an owner does with slots. Their answers are those of the operations `Id`. */
interface SlotMethods<Id extends Record<string, BrowserOperation>> {
  /** Every slot, also the empty ones. */
  listSlots: (options?: Options) => Promise<AnswerOf<Id['list']>>
  getSlot: (slot: string, options?: Options) => Promise<AnswerOf<Id['get']>>
  /** Saves a key in the slot, such as `openai`, or `openai:work`. */
  saveSlot: (slot: string, body: KeyBody, options?: SaveOptions) => Promise<AnswerOf<Id['save']>>
  deleteSlot: (slot: string, options?: ChangeOptions) => Promise<AnswerOf<Id['delete']>>
  /** Pauses the key or changes its limits, or else its label or place. What is left out of `body` stays as it is. */
  setLimits: (
    slot: string,
    body: Changes,
    options?: ChangeOptions,
  ) => Promise<AnswerOf<Id['change']>>
  /** Has the vault check the stored key with its provider. */
  verifySlot: (slot: string, options?: Options) => Promise<AnswerOf<Id['verify']>>
  /** What happened to the keys, the newest first. */
  listEvents: (options?: EventsOptions) => Promise<AnswerOf<Id['events']>>
  /** All events as a file of NDJSON. Each of its requests has the time limit. */
  downloadEvents: (options?: Options & EventFilter) => Promise<Blob>
}

/** The keys of a user. Each method throws a Problem. */
export interface UserVault extends SlotMethods<{
  list: 'listSlots'
  get: 'getSlot'
  save: 'saveSlot'
  delete: 'deleteSlot'
  change: 'setLimits'
  verify: 'verifySlot'
  events: 'listEvents'
}> {
  /** The key of the plain route, which has no provider. */
  getKey: (options?: Options) => Promise<AnswerOf<'getKey'>>
  saveKey: (body: BodyOf<'saveKey'>, options?: ChangeOptions) => Promise<AnswerOf<'saveKey'>>
  deleteKey: (options?: ChangeOptions) => Promise<AnswerOf<'deleteKey'>>
  /** Moves the key of the plain route to the slot, which must be empty. */
  assignKey: (slot: string, options?: CheckOptions) => Promise<AnswerOf<'assignKey'>>
  /** All that the vault knows of the user as a file of NDJSON: each line is an `ExportLine`. */
  downloadUser: (options?: Options) => Promise<Blob>
}

/** The keys of a team. Each method throws a Problem. */
export interface TeamVault extends SlotMethods<{
  list: 'listTeamSlots'
  get: 'getTeamSlot'
  save: 'saveTeamSlot'
  delete: 'deleteTeamSlot'
  change: 'setTeamLimits'
  verify: 'verifyTeamSlot'
  events: 'listTeamEvents'
}> {
  getTeam: (options?: Options) => Promise<AnswerOf<'getTeam'>>
  changeTeam: (body: BodyOf<'changeTeam'>, options?: Options) => Promise<AnswerOf<'changeTeam'>>
}
