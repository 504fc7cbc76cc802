import { mount } from 'svelte'
import { readSession } from './session'
import Settings from './Settings.svelte'

const target = document.getElementById('app')
const { userId } = await readSession()
if (target !== null) mount(Settings, { target, props: { userId } })
