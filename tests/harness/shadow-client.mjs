// The second shadow client of AWS's device SDK v2, in a process of its own: what is native in it may
// neither end with the process (its streams over MQTT 5) nor outlive its JavaScript (aws-crt 1.28
// aborts in its finalizers). So this process tells that all went well, and is killed.
// Usage: node shadow-client.mjs 4|5 PORT CA CERT KEY, the last three are files.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const sdk = createRequire(import.meta.url)('aws-iot-device-sdk-v2');
const [v, port, ...files] = process.argv.slice(2);
const [ca, cert, key] = files.map((file) => fs.readFileSync(file, 'utf8'));
const once = (emitter, event) => new Promise((resolve) => { emitter.once(event, resolve); });

async function transport311() {
  const config = sdk.iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(cert, key)
    .with_certificate_authority(ca).with_endpoint('localhost').with_port(Number(port))
    .with_client_id(`shadows-${process.pid}`).with_clean_session(true).build();
  const connection = new sdk.mqtt.MqttClient().new_connection(config);
  await connection.connect();
  return connection;
}
async function transport5() {
  const config = sdk.iot.AwsIotMqtt5ClientConfigBuilder
    .newDirectMqttBuilderWithMtlsFromMemory('localhost', cert, key).withCertificateAuthority(ca)
    .withPort(Number(port)).withConnectProperties(
      { clientId: `shadows-${process.pid}`, keepAliveIntervalSeconds: 60 }).build();
  const client = new sdk.mqtt5.Mqtt5Client(config);
  const connected = once(client, 'connectionSuccess');
  client.start();
  await connected;
  return client;
}

const options = { maxRequestResponseSubscriptions: 4, maxStreamingSubscriptions: 2,
  operationTimeoutInSeconds: 20 };
const client = v === '4'
  ? sdk.iotshadow.IotShadowClientv2.newFromMqtt311(await transport311(), options)
  : sdk.iotshadow.IotShadowClientv2.newFromMqtt5(await transport5(), options);
const shadow = { thingName: `lamp-${process.pid}`, shadowName: 'night' };
const fails = (asked, code) => assert.rejects(asked, (error) => error.modeledError?.code === code);

await fails(client.getNamedShadow(shadow), 404);
const stream = client.createNamedShadowDeltaUpdatedStream(shadow);
const [subscribed, delta] = [once(stream, 'subscriptionStatus'), once(stream, 'incomingPublish')];
stream.open();
await subscribed;
const updated = await client.updateNamedShadow({ ...shadow,
  state: { desired: { colour: 'red' }, reported: { colour: 'blue' } } });
assert.deepEqual([updated.version, updated.state],
  [1, { desired: { colour: 'red' }, reported: { colour: 'blue' } }]);
assert.deepEqual((await delta).message.state, { colour: 'red' });
const got = await client.getNamedShadow(shadow);
assert.deepEqual(got.state.delta, { colour: 'red' });
assert.ok(got.metadata.desired.colour.timestamp > 1_700_000_000);
await fails(client.updateNamedShadow({ ...shadow, version: 7, state: { desired: { colour: 'green' } } }), 409);
await client.deleteNamedShadow(shadow);
await fails(client.getNamedShadow(shadow), 404);
fs.writeSync(1, 'all is well\n');
process.kill(process.pid, 'SIGKILL');
