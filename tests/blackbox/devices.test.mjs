// Devices whose certificate `gnomon device cert` has made: registered when they come, once.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { deviceCertificate, leave, rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { run, Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const strict = { GNOMON_LOCAL: 'false' };
const durable = { args: ['--durability', 'disk'] };

async function withServer(options, body) {
  const server = await Server.start({ listeners: true, shards: 2, ...options,
    env: { ...strict, ...options.env } });
  try {
    await body(server);
    if (server.running) await server.stop();
  } finally {
    await server.kill();
  }
}

// The code of the CONNACK that a device gets.
async function code(server, identity, v = 5) {
  const secure = { ...rootOf(server), cert: identity.cert, key: identity.key };
  const raw = await Raw.open(server.ports.mqtts, { v, secure });
  raw.send(codec.connect({ v, id: unique('device') }));
  const connack = await raw.expect('connack');
  raw.destroy();
  return connack.code;
}

const fileOf = (server, { cert }) => path.join(server.data, 'devices',
  `${new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase()}.pem`);

// Resolves when a file is.
function gone(file) {
  return within(deadline, `the end of ${file}`, new Promise((done) => {
    const watcher = fs.watch(path.dirname(file));
    const look = () => {
      if (fs.existsSync(file)) return;
      watcher.close();
      done();
    };
    watcher.on('change', look);
    look();
  }));
}

describe('devices', { timeout: 120_000 }, () => {
  it('the certificate is left for the server, for its owner only, and is gone once it is registered',
    () => withServer(durable, async (server) => {
      const lamp = await deviceCertificate(server, 'lamp');
      const file = fileOf(server, lamp);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      assert.equal(fs.readFileSync(file, 'utf8'), lamp.cert.toString());
      for (const v of [4, 5]) assert.equal(await code(server, lamp, v), 0);
      await gone(file);
    }));

  for (const signal of ['SIGTERM', 'SIGKILL']) {
    it(`who is registered is so after a restart (${signal})`, () =>
      withServer(durable, async (server) => {
        const lamp = await deviceCertificate(server, 'lamp');
        assert.equal(await code(server, lamp), 0);
        await gone(fileOf(server, lamp));
        await server.restart(signal);
        assert.equal(await code(server, lamp), 0);
      }));
  }

  it('one whose file somebody has taken away is nobody; put back it is a device', () =>
    withServer(durable, async (server) => {
      const lamp = await deviceCertificate(server, 'lamp');
      fs.rmSync(fileOf(server, lamp));
      for (const v of [4, 5]) assert.equal(await code(server, lamp, v), { 4: 5, 5: 0x87 }[v]);
      leave(server, lamp.cert);
      assert.equal(await code(server, lamp), 0);
    }));

  it('a folder belongs to the account and region of its first start', () =>
    withServer(durable, async (server) => {
      await server.end();
      for (const [name, value] of [['ACCOUNT', '210987654321'], ['REGION', 'eu-west-1']]) {
        const { code: status, stderr } = await run(['serve', '--data', server.data], {
          env: { [`GNOMON_${name}`]: value, GNOMON_LISTEN_MQTT: 'off',
            GNOMON_LISTEN_MQTTS: 'off', GNOMON_LISTEN_HTTPS: 'off', GNOMON_LISTEN_HTTP: 'off',
            GNOMON_LISTEN_ADMIN: 'off' } });
        assert.equal(status, 1);
        assert.match(stderr, /belongs to account 123456789012 and region us-east-1/);
      }
    }));
});
