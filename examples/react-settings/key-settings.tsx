/** A settings screen of an application's own: a user adds keys by pasting them, tests, pauses and deletes them. */

import { useEffect, useState, type FormEvent } from 'react'
import {
  describeProblem,
  etagOf,
  examineKey,
  type ListedAnswer,
  type ProblemLanguage,
  type UserVault,
} from 'user-key-vault/browser'

interface Props {
  vault: UserVault
  /** In which errors are said; English if it is missing. */
  language?: ProblemLanguage | undefined
}

/** Does something in the vault, and says how it went. `work` returns what the user reads then. */
type Act = (work: () => Promise<string>, slot?: ListedAnswer) => Promise<void>

export function KeySettings({ vault, language }: Props) {
  const [slots, setSlots] = useState<ListedAnswer[]>([])
  const [notice, setNotice] = useState('Loading …')

  useEffect(() => {
    const { signal, abort } = abortable()
    const load = async () => {
      try {
        setSlots((await vault.listSlots({ signal })).api_keys)
        setNotice('')
      } catch (error) {
        if (!signal.aborted) setNotice(describeProblem(error, language))
      }
    }
    void load()
    return abort
  }, [vault, language])

  const act: Act = async (work, slot) => {
    setNotice('One moment …')
    try {
      const said = await work()
      setSlots((await vault.listSlots()).api_keys)
      setNotice(said)
    } catch (error) {
      setNotice(describeProblem(error, language, slot))
    }
  }

  return (
    <section>
      <h2>Your API keys</h2>
      <p role="status">{notice}</p>
      <ul>
        {slots.map((slot) =>
          etagOf(slot) === null ? null : <Row key={slot.provider} {...{ vault, slot, act }} />,
        )}
      </ul>
      <AddForm {...{ vault, language, slots, act }} />
    </section>
  )
}

function abortable() {
  const end = new AbortController()
  return { signal: end.signal, abort: () => end.abort() }
}

function Row({ vault, slot, act }: { vault: UserVault; slot: ListedAnswer; act: Act }) {
  const { provider } = slot
  const name = slot.label ?? provider
  const seen = { etag: etagOf(slot) }
  const isPaused = slot.has_api_key && slot.paused_at !== undefined
  const test = async () => {
    const { verdict } = await vault.verifySlot(provider)
    return `${name} ${verdict === 'accepted' ? 'accepts' : 'did not confirm'} this key.`
  }
  const pause = async () => {
    await vault.setLimits(provider, { paused: !isPaused }, seen)
    return `${name} is ${isPaused ? 'resumed' : 'paused'}.`
  }
  const remove = async () => {
    await vault.deleteSlot(provider, seen)
    return `${name} is deleted.`
  }
  return (
    <li>
      {name}: {slot.has_api_key ? slot.api_key_preview : 'cannot be read'}
      <button onClick={() => void act(test, slot)}>Test {name}</button>
      <button onClick={() => void act(pause, slot)}>
        {isPaused ? 'Resume' : 'Pause'} {name}
      </button>
      <button onClick={() => void act(remove, slot)}>Delete {name}</button>
    </li>
  )
}

function AddForm({ vault, language, slots, act }: Props & { slots: ListedAnswer[]; act: Act }) {
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState('')
  const { key, fault } = examineKey(text, slots)
  const empty = slots.filter((each) => etagOf(each) === null && each.provider !== 'default')
  const slot = empty.find(({ provider }) => provider === chosen)

  const paste = (pasted: string) => {
    const [likely, ...others] = examineKey(pasted, slots).providers
    setText(pasted)
    if (likely !== undefined && others.length === 0) setChosen(likely)
  }
  const save = async () => {
    if (key !== null) await vault.saveSlot(chosen, { api_key: key }, { etag: null })
    setText('')
    return `${slot?.label} is saved.`
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void act(save, slot)
  }
  return (
    <form onSubmit={submit}>
      <label>
        Paste a key, or a command with one{' '}
        <textarea value={text} onChange={({ target }) => paste(target.value)} autoComplete="off" />
      </label>
      {text !== '' && fault !== null && (
        <p>{key === null ? describeProblem(fault, language) : `Its key: ${key.slice(0, 8)}…`}</p>
      )}
      <label>
        Provider{' '}
        <select value={chosen} onChange={({ target }) => setChosen(target.value)}>
          <option value="">Choose a provider</option>
          {empty.map(({ provider, label }) => (
            <option key={provider} value={provider}>
              {label ?? provider}
            </option>
          ))}
        </select>
      </label>
      <button disabled={key === null || slot === undefined}>Add the key</button>
    </form>
  )
}
