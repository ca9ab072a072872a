// Platform of the client in React Native, which has no page: its parts are passed to `connect` or `usePaymentRoom` together with the other options.

/**
 * Returns the options for React Native. The arguments are the modules of your app, so that this file needs none of them.
 * @param appState `AppState` of react-native
 * @param store an instance of react-native-mmkv, or any other synchronous store; `connect` reads it at once
 * @param randomUUID of expo-crypto, or of another module: the engine has no `crypto`
 */
export function reactNative ({ appState, store, randomUUID }) {
  return {
    document: documentOf(appState),
    storage: {
      getItem: (key) => store.getString(key) ?? null,
      setItem: (key, value) => store.set(key, value),
      removeItem: (key) => store.delete(key)
    },
    newId: () => randomUUID()
  }
}

/** The app as a page: in the background it is hidden, and its pending events are sent at once. */
function documentOf (appState) {
  return {
    get visibilityState () { return appState.currentState === 'active' ? 'visible' : 'hidden' },
    addEventListener (_type, listener, { signal }) {
      const subscription = appState.addEventListener('change', listener)
      signal.addEventListener('abort', () => subscription.remove())
    }
  }
}
