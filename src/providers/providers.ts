// Table of the payment providers: each with its settings and its file. A file is loaded only if its provider is configured.
import { filledEntriesOf } from '../comma-list.js'
import { loadFor, type Config } from '../config.js'
import type { Provider } from './provider.js'

interface ProviderRow {
  /** Setting that switches the provider on: its secrets, comma-separated. */
  readonly setting: keyof Config
  /** Package that verifies its signatures, if it is not in every installation. */
  readonly package?: string
  readonly load: (secrets: readonly string[], config: Config) => Promise<Provider>
}

export const PROVIDERS = {
  stripe: { setting: 'STRIPE_WEBHOOK_SECRET', package: 'stripe', load: async (secrets) => (await import('./stripe.js')).stripe(secrets) },
  mercadopago: {
    setting: 'MERCADOPAGO_WEBHOOK_SECRET',
    package: 'mercadopago',
    load: async (secrets, { MERCADOPAGO_ACCESS_TOKEN: tokens = '', MERCADOPAGO_API_URL: url }) =>
      (await import('./mercadopago.js')).mercadopago(secrets, filledEntriesOf(tokens), url)
  },
  adyen: { setting: 'ADYEN_HMAC_KEY', package: '@adyen/api-library', load: async (keys) => (await import('./adyen.js')).adyen(keys) },
  asaas: { setting: 'ASAAS_WEBHOOK_TOKEN', load: async (tokens) => (await import('./asaas.js')).asaas(tokens) },
  pagbank: { setting: 'PAGBANK_TOKEN', load: async (tokens) => (await import('./pagbank.js')).pagbank(tokens) },
  pix: { setting: 'PIX_WEBHOOK_TOKEN', load: async (tokens) => (await import('./pix.js')).pix(tokens) },
  standard: { setting: 'STANDARD_WEBHOOK_SECRET', package: 'standardwebhooks', load: async (secrets) => (await import('./standard.js')).standard(secrets) }
} as const satisfies Record<string, ProviderRow>
export type ProviderName = keyof typeof PROVIDERS

/**
 * Loads the providers that are configured.
 * @throws {ConfigError} if the package of one is not installed
 */
export async function loadProviders (config: Config, providers: Readonly<Record<string, ProviderRow>> = PROVIDERS): Promise<ReadonlyMap<string, Provider>> {
  const configured = Object.entries(providers).filter(([, { setting }]) => config[setting] !== undefined)
  return new Map(await Promise.all(configured.map(async ([name, { setting, package: library, load }]): Promise<[string, Provider]> =>
    [name, await loadFor(setting, library, () => load(filledEntriesOf(String(config[setting])), config))])))
}
