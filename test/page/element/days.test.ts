/** Days and periods, in time zones of every kind and at changes to daylight saving time. */

import { describe, expect, it } from 'vitest'
import {
  daysUntil,
  endOf,
  midnightsUntil,
  pastTime,
  timeIn,
  type Period,
} from '../../../src/page/element/days.ts'
import { english, NOON, setClock } from './shown.ts'

const KIRITIMATI = 'Pacific/Kiritimati'
const LORD_HOWE = 'Australia/Lord_Howe'
const KATHMANDU = 'Asia/Kathmandu'
const CASABLANCA = 'Africa/Casablanca'
const ST_JOHNS = 'America/St_Johns'
const NEW_YORK = 'America/New_York'
const BERLIN = 'Europe/Berlin'
const CAIRO = 'Africa/Cairo'

it.for<[days: number, time: string]>([
  [0, NOON],
  [0.5, '2026-06-16T00:00:00.000Z'],
  [-1, '2026-06-14T12:00:00.000Z'],
])('counts %f days until %s', ([days, time]) => {
  setClock()
  expect(daysUntil(time)).toBe(days)
})

describe('timeIn', () => {
  const SPANS = { '30 days': { days: 30 }, '90 days': { days: 90 }, '1 year': { years: 1 } }
  type Span = keyof typeof SPANS

  it.for<[span: Span, zone: string, now: string, chosen: string, day: string]>([
    ['30 days', BERLIN, '2027-03-27T22:30:00.000Z', '27 March, 23:30', '26 Apr 2027'],
    ['30 days', BERLIN, '2026-10-24T22:30:00.000Z', '25 October, 00:30', '24 Nov 2026'],
    ['30 days', BERLIN, '2027-02-26T01:30:00.000Z', '26 February, 02:30', '28 Mar 2027'],
    ['30 days', BERLIN, '2026-10-25T00:30:00.000Z', '25 October, 02:30', '24 Nov 2026'],
    ['30 days', BERLIN, '2026-10-25T01:30:00.000Z', '02:30 once more', '24 Nov 2026'],
    ['30 days', NEW_YORK, '2027-03-01T04:30:00.000Z', '28 February, 23:30', '30 Mar 2027'],
    ['30 days', NEW_YORK, '2026-10-15T04:30:00.000Z', '15 October, 00:30', '14 Nov 2026'],
    ['30 days', LORD_HOWE, '2026-09-20T13:15:00.000Z', '20 September, 23:45', '20 Oct 2026'],
    ['30 days', LORD_HOWE, '2027-03-19T13:15:00.000Z', '20 March, 00:15', '19 Apr 2027'],
    ['30 days', ST_JOHNS, '2027-03-01T03:00:00.000Z', '28 February, 23:30', '30 Mar 2027'],
    ['30 days', CASABLANCA, '2027-02-20T12:00:00.000Z', '20 February', '22 Mar 2027'],
    ['30 days', KATHMANDU, '2027-02-28T18:14:59.999Z', '28 February, 23:59', '30 Mar 2027'],
    ['30 days', KATHMANDU, '2027-02-28T18:15:00.000Z', '1 March, 00:00', '31 Mar 2027'],
    ['30 days', 'UTC', '2028-01-30T12:00:00.000Z', '30 January', '29 Feb 2028'],
    ['30 days', 'UTC', '2100-02-28T12:00:00.000Z', '28 February 2100', '30 Mar 2100'],
    ['90 days', NEW_YORK, '2026-12-31T12:00:00.000Z', '31 December', '31 Mar 2027'],
    ['90 days', BERLIN, '2026-12-31T22:59:00.000Z', '31 December, 23:59', '31 Mar 2027'],
    ['1 year', KIRITIMATI, '2026-12-31T10:00:00.000Z', '1 January, 00:00', '1 Jan 2028'],
    ['1 year', BERLIN, '2027-06-15T12:00:00.000Z', 'before a leap day', '15 Jun 2028'],
    ['1 year', 'UTC', '2027-02-28T23:59:00.000Z', '28 February', '28 Feb 2028'],
    ['1 year', 'UTC', '2028-02-29T00:00:00.000Z', '29 February', '1 Mar 2029'],
    ['1 year', 'UTC', '2037-02-01T00:00:00.000Z', 'before the end of 32 bits', '1 Feb 2038'],
  ])('a span of %s in %s, from %s (%s), ends on %s', ([span, zone, now, , day]) => {
    setClock(now, zone)
    expect(english.day(timeIn(SPANS[span]))).toBe(day)
  })

  it.for<[span: Span, zone: string, now: string, time: string]>([
    ['30 days', BERLIN, '2027-03-20T12:00:00.000Z', '2027-04-19T11:00:00.000Z'],
    ['30 days', BERLIN, '2026-10-20T12:00:00.000Z', '2026-11-19T13:00:00.000Z'],
    ['90 days', LORD_HOWE, '2026-09-20T12:00:00.000Z', '2026-12-19T11:30:00.000Z'],
    ['1 year', NEW_YORK, '2026-03-10T12:00:00.000Z', '2027-03-10T13:00:00.000Z'],
  ])('a span of %s in %s keeps the time of day: from %s to %s', ([span, zone, now, time]) => {
    setClock(now, zone)
    expect(timeIn(SPANS[span])).toBe(time)
  })
})

it.for<[midnights: number, zone: string, now: string, time: string]>([
  [0, BERLIN, '2026-10-24T22:00:00.000Z', '2026-10-25T22:59:59.999Z'],
  [1, BERLIN, '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
  [0, BERLIN, '2027-03-27T23:00:00.000Z', '2027-03-28T21:59:59.999Z'],
  [1, BERLIN, '2027-03-27T23:00:00.000Z', '2027-03-28T22:00:00.000Z'],
  [2, BERLIN, '2027-03-27T22:59:59.999Z', '2027-03-28T22:00:00.000Z'],
  [2, NEW_YORK, '2026-11-01T03:59:59.999Z', '2026-11-02T05:00:00.000Z'],
  [0, NEW_YORK, '2026-11-01T04:00:00.000Z', '2026-11-02T04:59:59.999Z'],
  [0, LORD_HOWE, '2026-10-03T13:30:00.000Z', '2026-10-04T12:59:59.999Z'],
  [1, LORD_HOWE, '2026-10-03T13:30:00.000Z', '2026-10-04T13:00:00.000Z'],
  [0, KATHMANDU, '2028-02-28T18:15:00.000Z', '2028-02-29T18:14:59.999Z'],
  [1, KATHMANDU, '2028-02-28T18:15:00.000Z', '2028-02-29T18:15:00.000Z'],
  [1, KIRITIMATI, '2026-12-31T09:59:59.999Z', '2026-12-31T10:00:00.000Z'],
  [1, ST_JOHNS, '2026-06-16T02:29:59.999Z', '2026-06-16T02:30:00.000Z'],
  [3, CASABLANCA, '2026-06-15T12:00:00.000Z', '2026-06-18T12:00:00.000Z'],
  // Midnight is skipped on this day.
  [1, CAIRO, '2026-04-23T21:59:59.999Z', '2026-04-23T22:00:00.000Z'],
  [0, CAIRO, '2026-04-23T22:00:00.000Z', '2026-04-24T20:59:59.999Z'],
  [-1, BERLIN, '2026-10-25T23:00:00.000Z', '2026-10-24T22:00:00.000Z'],
])('finds %i midnights in %s from %s until %s', ([midnights, zone, now, time]) => {
  setClock(now, zone)
  expect(midnightsUntil(time)).toBe(midnights)
})

it.for<[name: string, time: string, past: string]>([
  ['earlier', '2026-06-15T11:59:59.999Z', '2026-06-15T11:59:59.999Z'],
  ['now', NOON, NOON],
  ['later, as the clock of this device is behind', '2026-06-16T00:00:20.000Z', NOON],
])('pastTime is never in the future: %s', ([, time, past]) => {
  setClock()
  expect(pastTime(time)).toBe(past)
})

it.for<[period: Period, zone: string, now: string, end: string]>([
  ['day', KATHMANDU, '2026-06-15T12:00:00.000Z', '16 Jun 2026, 05:45'],
  ['day', KIRITIMATI, '2026-06-15T12:00:00.000Z', '16 Jun 2026, 14:00'],
  ['day', ST_JOHNS, '2026-06-15T23:59:59.999Z', '15 Jun 2026, 21:30'],
  ['day', ST_JOHNS, '2026-06-16T00:00:00.000Z', '16 Jun 2026, 21:30'],
  ['day', BERLIN, '2026-10-24T12:00:00.000Z', '25 Oct 2026, 02:00'],
  ['day', BERLIN, '2026-10-25T12:00:00.000Z', '26 Oct 2026, 01:00'],
  ['day', 'UTC', '2028-02-28T23:59:59.999Z', '29 Feb 2028, 00:00'],
  ['day', 'UTC', '2100-02-28T23:59:59.999Z', '1 Mar 2100, 00:00'],
  ['month', BERLIN, '2028-02-29T23:59:59.999Z', '1 Mar 2028, 01:00'],
  ['month', BERLIN, '2026-03-29T12:00:00.000Z', '1 Apr 2026, 02:00'],
  ['month', 'UTC', '2026-01-31T00:00:00.000Z', '1 Feb 2026, 00:00'],
  ['month', NEW_YORK, '2026-12-31T23:59:59.999Z', '31 Dec 2026, 19:00'],
  ['month', NEW_YORK, '2027-01-01T00:00:00.000Z', '31 Jan 2027, 19:00'],
])('a %s in UTC ends, as read in %s at %s, on %s', ([period, zone, now, end]) => {
  setClock(now, zone)
  expect(english.minute(endOf(period))).toBe(end)
})
