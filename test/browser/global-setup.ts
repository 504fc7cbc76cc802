/** Finds the browser for the tests once, and installs one if there is none. */

import type { TestProject } from 'vitest/node'
import { findBrowser } from './browser.ts'

export default function setup(project: TestProject): void {
  project.provide('browser', findBrowser())
}
