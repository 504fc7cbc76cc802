/** Names the list of texts, so that a file of texts of another version is not taken: scripts/lib/element.ts. */
declare const TEXTS_VERSION: string

/** The languages with a file of texts in `languages/`: `de`, `zh-Hans`, … */
declare const TRANSLATED: readonly string[]
