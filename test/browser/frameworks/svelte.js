import { mount } from 'svelte'
import Settings from './Settings.svelte'

const target = document.getElementById('app')
if (target !== null) mount(Settings, { target })
