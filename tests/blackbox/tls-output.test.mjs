// What is long is sent to its end over TLS, too, also where the peer takes all of it at once.

import assert from 'node:assert/strict';
import { rootOf } from '../harness/certificates.mjs';
import { back, leave } from '../harness/sessions.mjs';
import { suite, unique } from '../harness/suite.mjs';

suite('output over TLS', (test) => {
  test.each([4, 5], 'a session\'s messages, all at once', async (w, v) => {
    const over = { port: w.server.ports.mqtts, secure: rootOf(w.server) };
    const publisher = await w.raw(4);
    const id = await leave(w, v, { filter: w.topic(), qos: 1 }, { id: unique('tls'), over });
    const texts = Array.from({ length: 40 }, (_, n) => `${n} `.padEnd(64 * 1024, 'x'));
    for (const text of texts) await publisher.published(w.topic(), text);
    const raw = await back(w, v, id, { over });
    for (const text of texts) assert.ok((await raw.message()).text === text);
  });
}, { listeners: true });
