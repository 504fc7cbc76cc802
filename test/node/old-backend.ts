/** The database of a Flask backend: SQLite, with Fernet tokens that Python's cryptography makes and opens. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { PYTHON } from '../installed.ts'

/** The script of docs/move-back.md that loads an export. */
const LOAD = /```python\n# python3 load_keys\.py.*?```/s
  .exec(readFileSync('docs/move-back.md', 'utf8'))?.[0]
  .replaceAll(/^```.*$/gm, '')

const START = `
import csv, json, sqlite3, sys
from cryptography.fernet import Fernet

given = json.load(sys.stdin)
db = sqlite3.connect(given["database"])
`
const SAVE = `${START}
fernet = Fernet(given["key"])
db.execute("CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, encrypted_api_key TEXT)")
for id, api_key, time in given["keys"]:
    token = fernet.encrypt_at_time(api_key.encode(), time).decode()
    db.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", (id, token))
db.commit()
`
const EXPORT = `${START}
with open(given["file"], "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "encrypted_api_key"])
    writer.writerows(db.execute("SELECT id, encrypted_api_key FROM users ORDER BY rowid"))
`
const DELETE = `${START}
for id in given["keys"]:
    db.execute("UPDATE users SET encrypted_api_key = NULL WHERE id = ?", (id,))
for id in given["users"]:
    db.execute("DELETE FROM users WHERE id = ?", (id,))
db.commit()
`
const OPEN = `${START}
fernet = Fernet(given["key"])
rows = db.execute("SELECT id, encrypted_api_key FROM users WHERE encrypted_api_key IS NOT NULL")
json.dump({id: fernet.decrypt(token.encode()).decode() for id, token in rows}, sys.stdout)
`

/** A key that is saved at `time`, in seconds. */
export type SavedKey = [id: string, apiKey: string, time: number]

/** @param database its file */
export function oldBackend(database: string) {
  const work = (code: string, given: object) =>
    python(['-c', code], JSON.stringify({ database, ...given }))
  return {
    /** Saves keys under the Fernet key. */
    save: (key: string, keys: readonly SavedKey[]) => work(SAVE, { key, keys }),
    /** Writes all users to a CSV file. */
    exportTo: (file: string) => work(EXPORT, { file }),
    /** Deletes the keys of some users, and other users. */
    remove: (keys: readonly string[], users: readonly string[]) => work(DELETE, { keys, users }),
    /** Loads what the vault has exported. @returns what the script prints */
    load: (file: string) => python(['-c', LOAD ?? '', file, database]),
    /** Opens every key. */
    open: (key: string): Record<string, string> => JSON.parse(work(OPEN, { key })),
  }
}

function python(args: string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(PYTHON, args, { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Python failed:\n${stderr}`)
  return stdout
}
