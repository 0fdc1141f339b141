// What tests of durable sessions share.

import { unique } from './suite.mjs';

// The server's options in every suite about what lasts.
export const durable = { args: ['--durability', 'disk'] };

// CONNECT options of a session that stays when its connection ends, for a raw client and for MQTT.js.
export const staying = (v, { expiry = 600, ...props } = {}) =>
  ({ clean: false, props: v === 5 ? { sessionExpiry: expiry, ...props } : undefined });
export const stayingJs = (v, { expiry = 600, ...properties } = {}) =>
  ({ clean: false,
    properties: v === 5 ? { sessionExpiryInterval: expiry, ...properties } : undefined });

// Makes a session with subscriptions (`subscription`: properties of SUBSCRIBE) and leaves it. Returns
// its client id.
export async function leave(w, v, filters, options = {}) {
  const { id = unique('away'), subscription, ...others } = options;
  const raw = await w.raw(v, { id, ...staying(v), ...others });
  await raw.subscribe(filters, subscription);
  await raw.goodbye();
  await w.server.untilAway(id);
  return id;
}

// Comes back to a session, which has to be there unless `present` is false. (3.1 is not told.)
export async function back(w, v, id, options = {}) {
  const { present = true, ...others } = options;
  const raw = await w.raw(v, { id, ...staying(v), ...others });
  if (v > 3 && raw.connack.sessionPresent !== present) {
    throw new Error(`the session of ${id} is ${present ? 'gone' : 'still there'}`);
  }
  return raw;
}

// A marker that is published now is the next message of `raw`: nothing else is waiting.
export async function expectOnlyMarker(w, raw, topic) {
  const publisher = await w.raw(5);
  const text = unique('marker');
  await publisher.published(topic, text, { qos: 1 });
  const message = await raw.message();
  if (message.text !== text) throw new Error(`expected ${text}, got ${message.text}`);
}

export const texts = (messages) => messages.map((message) => message.text);
export const numbered = (count, from = 0) => Array.from({ length: count }, (_, n) => `${from + n}`);
