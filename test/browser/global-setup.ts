/** The browser that the tests drive: found once, or installed. */

import type { TestProject } from 'vitest/node'
import { findBrowser } from './browser.ts'

export default function setup(project: TestProject): void {
  project.provide('browser', findBrowser())
}
