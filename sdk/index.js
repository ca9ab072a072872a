// A typed client of the REST API for backends: openapi-fetch, with the types of openapi.yaml and the API key on every request.
import createClient from 'openapi-fetch';
/** Every operation of the API, as a method, a path and what they take. Refusals are values (`error`); only a network that fails throws. */
export function createPaymentClient({ baseUrl, apiKey, fetch }) {
    const client = createClient({ baseUrl, ...(fetch && { fetch }) });
    if (apiKey !== undefined) {
        client.use({
            onRequest({ request }) {
                request.headers.set('authorization', `Bearer ${apiKey}`);
                return request;
            }
        });
    }
    return client;
}
