/**
 * `<api-key-settings>` in the templates of React, Preact, Solid, Svelte and Vue.
 *
 * Where a framework is not installed, its names are errors: `@ts-ignore` leaves out those of the next line. Inside the module of a
 * framework its own names come first, so ours begin with `Key`.
 */

import type { ApiKeySettingsElement, Details } from './host.ts'

export type * from './host.ts'

/** What is the element's own, by the names of its properties. */
type KeyProperties = {
  [Name in Exclude<keyof ApiKeySettingsElement, keyof HTMLElement | 'reload'>]?:
    | ApiKeySettingsElement[Name]
    | undefined
}

interface KeyAttributes extends Pick<KeyProperties, 'providers' | 'theme' | 'density'> {
  'base-url'?: string | undefined
  'user-id'?: string | null | undefined
  'team-id'?: string | null | undefined
  'heading-level'?: number | string | undefined
}

/** Listeners by the names of their events after `Prefix`, such as `onsaved`. */
type KeyListeners<Prefix extends string> = {
  [Type in keyof Details as `${Prefix}${Type}`]?:
    | ((event: CustomEvent<Details[Type]>) => void)
    | undefined
}

type KeyTag = KeyAttributes & KeyProperties & KeyListeners<'on'>

/** The properties of any element, without those that this element replaces. */
type KeySettings<Inherited, Own = KeyTag, Reference = unknown> = Own &
  Reference &
  Omit<Inherited, keyof Own | keyof Reference>

/** React 18 passes only attributes. Its references can be null, which tells it from React 19. */
type KeySettingsInReact<Current, Inherited> = null extends Current
  ? KeySettings<Inherited, KeyAttributes>
  : KeySettings<Inherited>

/** @ts-ignore */
declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'api-key-settings': KeySettingsInReact<
        /** @ts-ignore */
        RefObject<''>['current'],
        /** @ts-ignore */
        DetailedHTMLProps<HTMLAttributes<ApiKeySettingsElement>, ApiKeySettingsElement>
      >
    }
  }
}

/** @ts-ignore */
declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'api-key-settings': KeySettings<
        /** @ts-ignore */
        IntrinsicElements['section'],
        KeyTag,
        /** @ts-ignore */
        ClassAttributes<ApiKeySettingsElement>
      >
    }
  }
}

/** @ts-ignore */
declare module 'solid-js' {
  namespace JSX {
    interface IntrinsicElements {
      'api-key-settings': KeyListeners<'on:'> &
        /** @ts-ignore */
        KeySettings<HTMLAttributes<ApiKeySettingsElement>>
    }
  }
}

/** @ts-ignore */
declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    /** @ts-ignore */
    'api-key-settings': KeySettings<HTMLAttributes<ApiKeySettingsElement>>
  }
}

/** Vue calls attributes like properties, and listens to `saved` with `onSaved`. */
type KeySettingsInVue = Omit<KeyProperties, 'headingLevel'> & {
  [Type in keyof Details as `on${Capitalize<Type>}`]?:
    | ((event: CustomEvent<Details[Type]>) => void)
    | undefined
} & { headingLevel?: number | string | undefined; class?: unknown; style?: unknown }

/** @ts-ignore */
declare module 'vue' {
  interface GlobalComponents {
    'api-key-settings': new () => { $props: KeySettingsInVue }
  }
}
