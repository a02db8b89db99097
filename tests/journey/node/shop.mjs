// Sends COUNT numbered events of PEOPLE people with the unmodified Node SDK; only the host is ours.
import { Analytics } from '@segment/analytics-node'

const { HOST, KEY, COUNT, PEOPLE } = process.env
const analytics = new Analytics({ writeKey: KEY, host: HOST, flushAt: 20, maxRetries: 10 })
const failed = []
analytics.on('error', (error) => failed.push(String(error.code)))

for (let n = 0; n < Number(COUNT); n++) {
  const userId = `node-${n % Number(PEOPLE)}`
  const context = {
    traits: { email: `${userId}@shop.example` },
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64)',
    page: { url: 'https://shop.example/checkout' },
  }
  if (n < Number(PEOPLE)) {
    analytics.identify({ userId, traits: { email: `${userId}@shop.example`, firstName: 'Ada' }, context })
  }
  analytics.track({
    userId,
    event: 'Order Completed',
    properties: { n, order_id: `o-${n}`, total: 9.9, currency: 'EUR' },
    context,
  })
  // One batch after the other: several in flight may overtake each other (facts, 1.12 point 9).
  if (n % 15 === 14) await analytics.flush()
}
await analytics.closeAndFlush()
if (failed.length) {
  console.error(failed.join(','))
  process.exit(1)
}
