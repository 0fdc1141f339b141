// Hostile input row 20: certificates of devices that no honest authority would make, or that are not
// theirs to show.

import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { leave, rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { inParallel, siege } from '../harness/hostile.mjs';
import { suite, unique } from '../harness/suite.mjs';
import { binary, openWebSocket } from '../harness/websocket.mjs';
import {
  authority, certificate, dnsNames, extension, name, newKey, sequence, signer, usage,
} from '../harness/x509.mjs';

const notAuthorised = { 3: 5, 4: 5, 5: 0x87 };
const client = usage('clientAuth');
const day = 24 * 3_600_000;
const inDays = (days) => new Date(Date.now() + days * day);

// The server's authority for devices, whose key a test may have.
function deviceAuthority(server) {
  const read = (file) => fs.readFileSync(path.join(server.data, file), 'utf8');
  return signer(read('device-ca.pem'), createPrivateKey(read('device-ca.key')));
}

// What becomes of a CONNECT with such a certificate, left for the server to register: the code of its
// CONNACK, or 'closed' where TLS came to nothing.
async function outcome(w, identity, v, port = w.server.ports.mqtts) {
  if (identity.cert) leave(w.server, identity.cert);
  const secure = { ...rootOf(w.server), ...identity };
  const raw = await w.socket(v, { port, secure }).catch(() => null);
  if (raw === null) return 'closed';
  raw.send(codec.connect({ v, id: unique('row-20') }));
  const connack = await raw.next().catch(() => null);  // TLS 1.3: the client hears of it late
  raw.destroy();
  return connack === null ? 'closed' : connack.code;
}

// All are refused, by each version and on both ports, and the reason is counted.
async function allRefused(w, identities) {
  const { mqtts, https } = w.server.ports;
  await siege(w, async () => {
    const all = Object.entries(identities).flatMap(([what, identity]) =>
      [3, 4, 5].flatMap((v) => [[what, identity, v, mqtts],
        [what, { ...identity, ALPNProtocols: ['x-amzn-mqtt-ca'] }, v, https]]));
    await inParallel(all, 8, async ([what, identity, v, port]) => {
      const got = await outcome(w, identity, v, port);
      assert.equal(got, notAuthorised[v], `${what} (${v})`);
    });
  }, { counted: /reason="identity"/ });
}

suite('row 20: certificates', (test) => {
  test('those of its own authority, also strange ones, are good', async (w) => {
    const by = deviceAuthority(w.server);
    const names = Array.from({ length: 400 }, (_, n) => `a-long-name-of-a-device-${n}.example`);
    for (const [what, options] of Object.entries({
      'as usual': {}, 'without a name': { subject: name([]) }, 'an empty name': { subject: name('') },
      'many names': { subject: name(Array.from({ length: 50 }, (_, n) => `lamp-${n}`)) },
      'a pattern': { subject: name('#') }, 'control characters': { subject: name('a\nb\x1b[31m') },
      '10 KB of names': { extensions: [client, dnsNames(names)] },
      'one name of 10 KB': { extensions: [client, dnsNames(['x'.repeat(10_000)])] },
      'until 9999': { until: new Date('9999-12-31T23:59:59Z') },
      'no extension': { extensions: [] } })) {
      for (const v of [4, 5]) assert.equal(await outcome(w, certificate(by, options), v), 0, what);
    }
  });

  test('with a NUL or no text in a name', (w) => {
    const by = deviceAuthority(w.server);
    return allRefused(w, Object.fromEntries(Object.entries({
      'an embedded NUL': { subject: name('lamp\0.evil') }, 'only NUL': { subject: name('\0') },
      'a NUL in a second name': { subject: name(['lamp', 'x\0y']) },
      'a NUL in wide characters': { subject: name(Buffer.from('006c00000061', 'hex'), 0x1e) },
      'a NUL in a DNS name': { extensions: [client, dnsNames(['a.example\0.evil.example'])] },
    }).map(([what, options]) => [what, certificate(by, options)])));
  });

  test('that does not hold now', (w) => {
    const by = deviceAuthority(w.server);
    return allRefused(w, {
      expired: certificate(by, { from: inDays(-10), until: inDays(-1) }),
      'expired a minute ago': certificate(by, { until: new Date(Date.now() - 60_000) }),
      'not yet valid': certificate(by, { from: inDays(1), until: inDays(2) }),
      'ends before it begins': certificate(by, { from: inDays(1), until: inDays(-1) }),
      'of 1950': certificate(by, { from: new Date('1950-01-01T00:00:00Z'),
        until: new Date('1951-01-01T00:00:00Z') }),
    });
  });

  test('of somebody else', async (w) => {
    const by = deviceAuthority(w.server);
    const lamp = newKey();
    const mine = certificate(by, { key: lamp });
    const server = fs.readFileSync(path.join(w.server.data, 'server.private.pem'));
    const under = (between, options) => {
      const leaf = certificate(signer(between.cert, createPrivateKey(between.key)), options);
      return { ...leaf, cert: leaf.cert + between.cert };
    };
    const intermediate = certificate(by, { extensions: [client] });  // no CA
    await allRefused(w, {
      'by itself': certificate(null), 'by itself, as an authority': certificate(null,
        { extensions: [authority] }),
      'in the name of the authority, by itself': certificate(null, { subject: by.name }),
      'in the name of the authority, by another key': certificate({ ...by, key: newKey() }),
      'under a device': under(mine, { subject: name('lamp-2') }),
      'under one that is no authority': under(intermediate, {}),
      'the server\'s own': { cert: server, key: server },
      'the root': { cert: fs.readFileSync(w.server.ready.ca),
        key: fs.readFileSync(path.join(w.server.data, 'root-ca.key')) },
    });
    assert.equal(await outcome(w, mine, 5), 0);
  });

  test('for another purpose, or with what is not understood', (w) => {
    const by = deviceAuthority(w.server);
    const two = [client, client];
    return allRefused(w, {
      'of servers': certificate(by, { extensions: [usage('serverAuth')] }),
      'an unknown critical extension': certificate(by,
        { extensions: [client, extension('strange', sequence(), true)] }),
      'the same extension twice': certificate(by, { extensions: two }),
      'a broken extension': certificate(by, { extensions: [extension('eku', [0x30, 5, 1])] }),
      // A level at which Node shows it.
      'SHA-1': { ...certificate(by, { algorithm: 'ecdsaWithSha1' }), ciphers: 'DEFAULT@SECLEVEL=0' },
      'a short RSA key': certificate(by,
        { key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey }),
    });
  });

  test('over WebSocket: refused the same way', async (w) => {
    const by = deviceAuthority(w.server);
    for (const [options, code] of [[{}, 0], [{ subject: name('a\0b') }, 0x87],
      [{ until: inDays(-0.01) }, 0x87]]) {
      const identity = certificate(by, options);
      leave(w.server, identity.cert);
      const wire = await openWebSocket(w.server.ports.https,
        { secure: { ...rootOf(w.server), ...identity } });
      wire.send(binary(codec.connect({ id: unique() })));
      assert.equal((await wire.packet()).code, code);
      wire.socket.destroy();
    }
  });

  test('a refused one does not get in by being on this machine, whatever else it says', async (w) => {
    const by = deviceAuthority(w.server);
    const expired = certificate(by, { until: inDays(-1), from: inDays(-2) });
    const secure = { ...rootOf(w.server), ...expired };
    const raw = await w.socket(5, { port: w.server.ports.mqtts, secure });
    raw.send(codec.connect({ id: unique(), username: 'lamp', password: 'right' }));
    await raw.expect('connack', { code: 0x87 });
  });
}, { shards: [2], listeners: true });
