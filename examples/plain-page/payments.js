// Requests of the shop's backend to the payment server: creates a room for a payment, and a token for each page.

/**
 * @param {{ server: string, key: string }} access URL of the payment server, and the API key; neither leaves this process
 */
export function payments ({ server, key }) {
  async function ask (path, body) {
    const response = await fetch(`${server}/api/rooms${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000)
    })
    const { success, data, error, code } = await response.json()
    if (!success) throw Object.assign(new Error(error), { code, status: response.status })
    return data
  }

  return {
    /** A room with an id that cannot be guessed. The payer may pay for half an hour; your shop passes the amount of the order here. */
    create: () => ask('', { amount: '99.90', currency: 'BRL', ttlSeconds: 1800 }),
    /** @param {'device1' | 'device2'} role the shop's page is device1, the payer's device2 */
    token: (roomId, role) => ask(`/${encodeURIComponent(roomId)}/tokens`, { role })
  }
}
