// Devices and authorities that commands make at a running server, and that then connect.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as iot from '@aws-sdk/client-iot';
import * as codec from '../harness/codec.mjs';
import { rootOf } from '../harness/certificates.mjs';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { run, Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const { iot: sdk, mqtt: sdkMqtt } = createRequire(import.meta.url)('aws-iot-device-sdk-v2');

const mosquitto = (command, folder, args) => new Promise((resolve, reject) => {
  const child = spawn(command, args, { env: { ...process.env, XDG_CONFIG_HOME: folder } });
  let text = '';
  child.stdout.on('data', (part) => { text += part; });
  child.stderr.on('data', (part) => { text += part; });
  child.once('error', reject);
  child.once('close', (code) => resolve({ code, text }));
});

describe('gnomon device, gnomon ca', { timeout: 120_000 }, () => {
  let server;
  let client;
  before(async () => {
    server = await Server.start({ listeners: true, shards: 2, env: { GNOMON_LOCAL: 'false' } });
    const key = JSON.parse(fs.readFileSync(path.join(server.data, 'access-key.json'), 'utf8'));
    client = new iot.IoTClient({ endpoint: `http://127.0.0.1:${server.ports.http}`,
      region: 'us-east-1', maxAttempts: 1,
      credentials: { accessKeyId: key.AccessKeyId, secretAccessKey: key.SecretAccessKey } });
  });
  after(async () => {
    client?.destroy();
    await server?.stop();
  });

  const here = (...words) => run([...words, '--data', server.data]);

  async function create(name, ...more) {
    const folder = path.join(server.folder, `of ${name}`);
    const { code, stdout, stderr } = await here('device', 'create', name, '--out', folder, ...more);
    assert.equal(code, 0, stderr);
    return { folder, stdout, config: JSON.parse(
      fs.readFileSync(path.join(folder, `${name}.json`), 'utf8')) };
  }

  // The SDK's connection with the files of a device.
  function dial({ host, port, clientId, certPath, keyPath, caPath }) {
    const config = sdk.AwsIotMqttConnectionConfigBuilder
      .new_mtls_builder_from_path(certPath, keyPath)
      .with_certificate_authority_from_path(undefined, caPath)
      .with_client_id(clientId).with_endpoint(host).with_port(port).build();
    return new sdkMqtt.MqttClient().new_connection(config);
  }

  // The code of the CONNACK for a certificate.
  async function code(identity, id) {
    const raw = await Raw.open(server.ports.mqtts, { v: 5, secure: { ...rootOf(server), ...identity } });
    raw.send(codec.connect({ v: 5, id }));
    const connack = await raw.expect('connack');
    raw.destroy();
    return connack.code;
  }

  it('what create wrote lets AWS\'s device SDK and mosquitto in, to the device\'s own topics',
    async () => {
      const name = unique('lamp');
      const { folder, config, stdout } = await create(name);
      assert.match(stdout, new RegExp(`^Thing ${name} at localhost:${server.ports.mqtts}$`, 'm'));
      assert.equal(fs.statSync(config.keyPath).mode & 0o777, 0o600);
      assert.ok(new X509Certificate(fs.readFileSync(config.certPath)).checkPrivateKey(
        createPrivateKey(fs.readFileSync(config.keyPath))));

      const connection = dial(config);
      await within(deadline, 'the connection of the SDK', connection.connect());
      try {
        const came = new Promise((resolve, reject) => {
          connection.subscribe(`${name}/#`, sdkMqtt.QoS.AtLeastOnce,
            (topic, payload) => resolve([topic, Buffer.from(payload).toString()])).then(async () => {
            const { code: status, text } = await mosquitto('mosquitto_pub', folder,
              ['-t', `${name}/state`, '-m', 'on', '-q', '1']);
            assert.equal(status, 0, text);
          }).catch(reject);
        });
        assert.deepEqual(await within(deadline, 'the message', came), [`${name}/state`, 'on']);

        const listening = mosquitto('mosquitto_sub', folder,
          ['-t', `${name}/retained`, '-C', '1', '-W', '20', '-q', '1']);
        await connection.publish(`${name}/retained`, 'kept', sdkMqtt.QoS.AtLeastOnce, true);
        assert.deepEqual(await listening, { code: 0, text: 'kept\n' });
      } finally {
        await connection.disconnect();
      }

      const identity = { cert: fs.readFileSync(config.certPath), key: fs.readFileSync(config.keyPath) };
      assert.equal(await code(identity, 'another'), 0x87);
    });

  it('create again is refused, and changes nothing', async () => {
    const name = unique('lamp');
    const { folder } = await create(name);
    const there = await here('device', 'create', name, '--out', folder);
    assert.equal(there.code, 1);
    assert.match(there.stderr, /is there already; --force/);
    const again = await here('device', 'create', name, '--out', folder, '--force');
    assert.equal(again.code, 1);
    assert.match(again.stderr, new RegExp(`the thing ${name} exists already`));
    const { principals } = await client.send(new iot.ListThingPrincipalsCommand({ thingName: name }));
    assert.equal(principals.length, 1);
  });

  it('a step that fails takes back those before it', async () => {
    const name = unique('lamp');
    const certificates = async () =>
      (await client.send(new iot.ListCertificatesCommand({ pageSize: 250 }))).certificates.length;
    const before = await certificates();
    const folder = path.join(server.folder, name);
    const { code: status, stderr } = await here('device', 'create', name, '--out', folder,
      '--policy', 'no-such-policy');
    assert.equal(status, 1);
    assert.match(stderr, /^gnomon device create: AttachPolicy: ResourceNotFoundException: /);
    assert.doesNotMatch(stderr, /taken back/);
    await assert.rejects(client.send(new iot.DescribeThingCommand({ thingName: name })),
      iot.ResourceNotFoundException);
    assert.equal(await certificates(), before);
    assert.ok(!fs.existsSync(folder));
  });

  it('delete ends the device\'s connection, and leaves nothing of it', async () => {
    const name = unique('lamp');
    const { config } = await create(name);
    const raw = await Raw.open(server.ports.mqtts, { v: 5, secure: { ...rootOf(server),
      cert: fs.readFileSync(config.certPath), key: fs.readFileSync(config.keyPath) } });
    raw.send(codec.connect({ v: 5, id: name }));
    assert.equal((await raw.expect('connack')).code, 0);
    const { code: status, stdout, stderr } = await here('device', 'delete', name);
    assert.equal(status, 0, stderr);
    assert.match(stdout, new RegExp(`^Thing ${name} deleted`, 'm'));
    assert.equal((await raw.expect('disconnect')).code, 0x87);
    raw.destroy();
    const certificateId = stdout.match(/cert\/([0-9a-f]{64})/)[1];
    await assert.rejects(client.send(new iot.DescribeCertificateCommand({ certificateId })),
      iot.ResourceNotFoundException);
    const again = await here('device', 'delete', name);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /ResourceNotFoundException/);
  });

  it('over https and with --endpoint, the key in the environment', async () => {
    const name = unique('lamp');
    const { stdout } = await run(['env', '--tls', '--format', 'json', '--data', server.data]);
    const env = JSON.parse(stdout);
    const folder = path.join(server.folder, name);
    const made = await run(['device', 'create', name, '--out', folder, '--endpoint',
      env.AWS_ENDPOINT_URL, '--host', `localhost:${server.ports.mqtts}`], { env });
    assert.equal(made.code, 0, made.stderr);
    const { code: status, text } = await mosquitto('mosquitto_pub', folder,
      ['-t', `${name}/state`, '-m', 'on', '-q', '1']);
    assert.equal(status, 0, text);
    const foreign = path.join(server.folder, 'foreign');
    assert.equal((await run(['ca', 'create', 'foreign', '--out', foreign])).code, 0);
    const refused = await run(['device', 'delete', name, '--endpoint', env.AWS_ENDPOINT_URL,
      '--cafile', path.join(foreign, 'foreign.pem')], { env });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /certificate/);
  });

  it('misuse', async () => {
    for (const words of [['device'], ['device', 'create'], ['device', 'create', 'a b', '--out', 'x'],
      ['device', 'create', 'lamp'], ['device', 'delete'], ['ca'], ['ca', 'create'],
      ['ca', 'create', 'a/b', '--out', 'x'], ['ca', 'register'],
      ['ca', 'register', 'x', '--template', 'y']]) {
      const { code: status, stderr } = await run(words);
      assert.equal(status, 2, words.join(' '));
      assert.match(stderr, /--help/);
    }
  });

  it('an authority is made, registered with its key, and listed', async () => {
    const name = unique('factory');
    const folder = path.join(server.folder, name);
    const file = path.join(folder, `${name}.pem`);
    assert.equal((await run(['ca', 'create', name, '--out', folder, '--days', '30'])).code, 0);
    assert.equal(fs.statSync(path.join(folder, `${name}.key`)).mode & 0o777, 0o600);
    assert.ok(new X509Certificate(fs.readFileSync(file)).ca);

    const other = path.join(server.folder, `${name}-2`);
    assert.equal((await run(['ca', 'create', name, '--out', other])).code, 0);
    const foreign = await here('ca', 'register', file, '--key', path.join(other, `${name}.key`));
    assert.equal(foreign.code, 1);
    assert.match(foreign.stderr, /is not the key of the certificate/);

    const { code: status, stdout, stderr } = await here('ca', 'register', file, '--key',
      path.join(folder, `${name}.key`), '--auto-register');
    assert.equal(status, 0, stderr);
    const certificateId = stdout.match(/^Authority ([0-9a-f]{64})$/m)[1];
    const { certificateDescription: described } = await client.send(
      new iot.DescribeCACertificateCommand({ certificateId }));
    assert.deepEqual([described.status, described.autoRegistrationStatus, described.certificateMode],
      ['ACTIVE', 'ENABLE', 'DEFAULT']);

    const keyless = await here('ca', 'register', path.join(other, `${name}.pem`), '--inactive');
    assert.equal(keyless.code, 0, keyless.stderr);
    const table = await here('ca', 'list');
    assert.match(table.stdout, new RegExp(`^${certificateId.slice(0, 12)} +ACTIVE +yes .*CN=${name}`, 'm'));
    assert.match(table.stdout, /^[0-9a-f]{12} +INACTIVE +no /m);
    const lines = (await here('ca', 'list', '--json')).stdout.trimEnd().split('\n').map(JSON.parse);
    assert.ok(lines.some((line) => line.certificateDescription.certificateId === certificateId));
  });

  for (const [flow, steps] of [['jitr', 9], ['jitp', 8], ['claim', 8]]) {
    it(`rehearse ${flow} goes well, and leaves nothing`, async () => {
      const { code: status, stdout, stderr } = await here('rehearse', flow);
      assert.equal(status, 0, stdout + stderr);
      const lines = stdout.trimEnd().split('\n');
      assert.ok(lines.every((line) => line.startsWith('ok      ')), stdout);
      assert.equal(lines.length, steps);
      const { policies } = await client.send(new iot.ListPoliciesCommand({ pageSize: 250 }));
      const { things } = await client.send(new iot.ListThingsCommand({ maxResults: 250 }));
      const { stdout: authorities } = await here('ca', 'list');
      const { templates } = await client.send(new iot.ListProvisioningTemplatesCommand({}));
      assert.doesNotMatch(JSON.stringify([policies, things, authorities, templates]), /rehearsal/);
    });
  }

  it('rehearse tells the step that fails, and still leaves nothing', async () => {
    const { code: status, stdout } = await here('rehearse', 'jitr', '--host', 'localhost:1');
    assert.equal(status, 1);
    assert.match(stdout, /^FAILED {2}its first connection is refused: .*\nok {6}all is taken away again\n$/m);
    const claim = await here('rehearse', 'claim', '--host', 'localhost:1');
    assert.equal(claim.code, 1);
    assert.match(claim.stdout, /^FAILED {2}by the claim .*\nok {6}all is taken away again\n$/m);
  });
});
