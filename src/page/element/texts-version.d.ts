/** Names the list of texts, so that a file of texts of another version is not taken: scripts/build.ts. */
declare const TEXTS_VERSION: string
