/** The made-up keys of `npm run dev -- --demo`: one in each state that a user may find a key in. */

import type { EventKind, SumKind } from '../../src/shared/event-kind.ts'
import type { KeyStatus, RejectionReason, Verdict } from '../../src/shared/slot.ts'

/** Something that happened to a key. */
export interface DemoChange {
  daysAgo: number
  event: Exclude<EventKind, SumKind>
  by?: 'owner' | 'caller' | 'job'
  caller?: string
  verdict?: Verdict
  reason?: RejectionReason
}

/** How often a caller did something with a key within an hour. */
export interface DemoUses {
  daysAgo: number
  event: SumKind
  caller: string
  count: number
}

/** A key, and what is asked of the vault and set in its database so that the key is in its state. */
export interface DemoKey {
  slot: string
  /** The state, in words. */
  state: string
  apiKey: string
  /** Days from now: in the past, the key has expired. */
  expiresIn?: number
  /** What the owner asks for by a `PATCH`. */
  limits?: { paused?: true; callers?: string[]; max_uses?: { count: number; per: 'day' | 'month' } }
  status?: KeyStatus
  savedDaysAgo?: number
  usedDaysAgo?: number
  exhaustedDaysAgo?: number
  /** Of the period of `max_uses`. */
  uses?: number
  /** What the trail tells of the key instead of what was done to it just now. */
  history?: readonly (DemoChange | DemoUses)[]
}

const CHAT = 'binding:chat-worker'
const REPORT = 'relay:nightly-report'
const TWICE = 'made-up-for-the-demo-0123456789'

export const DEMO_KEYS: readonly DemoKey[] = [
  {
    slot: 'openai',
    state: 'accepted and in use, with activity',
    apiKey: 'sk-proj-made-up-for-the-demo-Qx7Z',
    status: 'active',
    savedDaysAgo: 40,
    usedDaysAgo: 0,
    history: [
      { daysAgo: 40, event: 'saved' },
      { daysAgo: 40, event: 'verified', verdict: 'accepted' },
      { daysAgo: 2, event: 'used', caller: CHAT, count: 118 },
      { daysAgo: 1, event: 'used', caller: CHAT, count: 96 },
      { daysAgo: 1, event: 'used', caller: REPORT, count: 1 },
      { daysAgo: 0, event: 'used', caller: CHAT, count: 41 },
    ],
  },
  {
    slot: 'openai:work',
    state: 'another key of the provider, with limits and callers',
    apiKey: 'sk-proj-made-up-for-the-demo-W0rk',
    limits: { callers: [CHAT, REPORT], max_uses: { count: 100, per: 'day' } },
    status: 'active',
    savedDaysAgo: 12,
    usedDaysAgo: 0,
    uses: 37,
    history: [
      { daysAgo: 12, event: 'saved' },
      { daysAgo: 11, event: 'limits_changed' },
      { daysAgo: 0, event: 'used', caller: REPORT, count: 37 },
    ],
  },
  {
    slot: 'anthropic',
    state: 'rejected by its provider',
    apiKey: 'sk-ant-made-up-for-the-demo-r3Jt',
    status: 'rejected',
    savedDaysAgo: 60,
    usedDaysAgo: 1,
    history: [
      { daysAgo: 60, event: 'saved' },
      { daysAgo: 1, event: 'rejected_in_use', by: 'caller', caller: CHAT, reason: 'revoked' },
    ],
  },
  {
    slot: 'gemini',
    state: 'not confirmed yet',
    apiKey: 'AIza-made-up-for-the-demo-n3Wk',
  },
  {
    slot: 'openrouter',
    state: 'out of credit',
    apiKey: 'sk-or-made-up-for-the-demo-e9Ty',
    status: 'active',
    savedDaysAgo: 30,
    usedDaysAgo: 2,
    exhaustedDaysAgo: 2,
    history: [
      { daysAgo: 30, event: 'saved' },
      { daysAgo: 2, event: 'out_of_credit', by: 'caller', caller: CHAT },
    ],
  },
  {
    slot: 'mistral',
    state: 'expired',
    apiKey: 'made-up-for-the-demo-of-mistral',
    expiresIn: -3,
    status: 'active',
    savedDaysAgo: 33,
    usedDaysAgo: 4,
    history: [
      { daysAgo: 33, event: 'saved' },
      { daysAgo: 3, event: 'expired', by: 'job' },
    ],
  },
  {
    slot: 'groq',
    state: 'expires soon',
    apiKey: 'gsk_made_up_for_the_demo_s0Nx',
    expiresIn: 5,
    status: 'active',
  },
  {
    slot: 'deepseek',
    state: 'paused',
    apiKey: 'sk-made-up-for-the-demo-of-deepseek',
    limits: { paused: true },
    status: 'active',
  },
  {
    slot: 'xai',
    state: 'paused, and rejected by its provider',
    apiKey: 'xai-made-up-for-the-demo-b8Qv',
    limits: { paused: true },
    status: 'rejected',
  },
  {
    slot: 'cohere',
    state: 'limit of uses reached',
    apiKey: 'made-up-for-the-demo-of-cohere',
    limits: { max_uses: { count: 50, per: 'month' } },
    status: 'active',
    savedDaysAgo: 20,
    usedDaysAgo: 0,
    uses: 50,
    history: [
      { daysAgo: 20, event: 'saved' },
      { daysAgo: 20, event: 'limits_changed' },
      { daysAgo: 0, event: 'used', caller: REPORT, count: 50 },
      { daysAgo: 0, event: 'limit_reached', caller: REPORT, count: 4 },
    ],
  },
  {
    slot: 'huggingface',
    state: 'not used for months',
    apiKey: 'hf_made_up_for_the_demo_u2Lm',
    status: 'active',
    savedDaysAgo: 200,
    usedDaysAgo: 100,
    history: [],
  },
  { slot: 'together', state: 'the same key as that of perplexity', apiKey: TWICE },
  { slot: 'perplexity', state: 'the same key as that of together', apiKey: TWICE },
  {
    slot: 'default',
    state: 'of the plain route, without a provider',
    apiKey: 'made-up-for-the-demo-without-a-provider',
  },
]
