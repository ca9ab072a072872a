import { type Client } from 'openapi-fetch';
import type { components, paths } from './schema.js';
export type { components, operations, paths } from './schema.js';
/** A component of the document by its name, e.g. `Schema<'RoomDetails'>`. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];
/** What `error` is when the server refused a request. */
export type ErrorResponse = Schema<'ErrorResponse'>;
export type ErrorCode = ErrorResponse['code'];
export interface PaymentClientOptions {
    /** Where the server is, e.g. `https://payments.example`. */
    readonly baseUrl: string;
    /** One of the server's `API_KEYS`; a server without keys needs none. It belongs on a backend, never in a page. */
    readonly apiKey?: string;
    /** Instead of the global `fetch`. */
    readonly fetch?: (request: Request) => Promise<Response>;
}
export type PaymentClient = Client<paths, 'application/json'>;
/** Every operation of the API, as a method, a path and what they take. Refusals are values (`error`); only a network that fails throws. */
export declare function createPaymentClient({ baseUrl, apiKey, fetch }: PaymentClientOptions): PaymentClient;
