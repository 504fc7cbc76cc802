/** Vitest's global setup for the browser tests: provides the path of the browser. */

import type { TestProject } from 'vitest/node'
import { findBrowser } from './find-browser.ts'

export default function setup(project: TestProject): void {
  project.provide('browser', findBrowser() ?? '')
}
