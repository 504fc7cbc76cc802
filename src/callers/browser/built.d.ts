/** How the keys of each built-in provider begin. The build puts it here. */
declare const KEY_PREFIXES: readonly { provider: string; key_prefixes: readonly string[] }[]
