// The clients that users have, each over each transport that it has, behind one face:
//   subscribe(filter, qos)      until it is granted; returns the granted QoS
//   publish(topic, text, qos)   until it is acknowledged
//   inbox                       an Inbox of what arrives
//   end()                       disconnects

import { createRequire } from 'node:module';
import v8 from 'node:v8';
import vm from 'node:vm';
import mqttJs from 'mqtt';
import { deadline, within } from './raw.mjs';
import { Inbox, unique } from './suite.mjs';

const require = createRequire(import.meta.url);  // both SDKs are CommonJS
const sdk = require('aws-iot-device-sdk-v2');
const sdk1 = require('aws-iot-device-sdk');

const host = 'localhost';
const region = 'us-east-1';
// What the clients sign with, and the environment of a server that knows it.
const key = { id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
export const clientKey = { AccessKeyId: key.id, SecretAccessKey: key.secret };
export const keyEnvironment = { GNOMON_ACCESS_KEY_ID: key.id, GNOMON_SECRET_ACCESS_KEY: key.secret };

// Resolves with the first `event` of an emitter, rejects with its first one of `failures`.
function first(emitter, event, failures) {
  return within(deadline, event, new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    for (const failure of failures) {
      emitter.once(failure, (error) => reject(error?.error ?? error ?? new Error(failure)));
    }
  }));
}

// What connects, or ends for good.
async function connected(connecting, end) {
  try {
    await connecting;
  } catch (error) {
    await end();
    throw error;
  }
}

// ---- MQTT.js; the SDK of the first generation stands on an old one of it

// Clients of both have one face.
function emitterFace(client, end) {
  const inbox = new Inbox();
  client.on('message', (topic, payload, { qos, retain }) => {
    inbox.put({ topic, text: payload.toString(), qos, retain });
  });
  client.on('error', () => {});  // what waits for something is told by itself
  const call = (method, ...args) => within(deadline, method, new Promise((resolve, reject) => {
    client[method](...args, (error, answer) => (error ? reject(error) : resolve(answer)));
  }));
  return {
    inbox,
    subscribe: async (filter, qos) => (await call('subscribe', filter, { qos }))[0].qos,
    publish: (topic, text, qos) => call('publish', topic, text, { qos }),
    end,
  };
}

async function openMqttJs(url, v, options) {
  const client = mqttJs.connect(url, { protocolVersion: v, clientId: unique('js'),
    reconnectPeriod: 0, connectTimeout: deadline, ...options });
  await connected(first(client, 'connect', ['error', 'close']), () => client.endAsync(true));
  return emitterFace(client, () => client.endAsync());
}

async function openSdk1(port, options) {
  const client = sdk1.device({ host, port, region, clientId: unique('sdk1'), ...options });
  const end = (force) => new Promise((resolve) => { client.end(force, resolve); });
  await connected(first(client, 'connect', ['error', 'close']), () => end(true));
  return emitterFace(client, () => end(false));
}

// ---- the device SDK v2, with its client of each version

// An empty payload is an ArrayBuffer that its native part has taken away: no view of it can be made.
const textOf = (payload) => (payload.byteLength === 0 ? '' : Buffer.from(payload).toString());

async function openSdk3(builder, port, ca) {
  const config = builder.with_certificate_authority(ca.toString()).with_endpoint(host)
    .with_port(port).with_client_id(unique('sdk311')).with_clean_session(true).build();
  const connection = new sdk.mqtt.MqttClient().new_connection(config);
  const inbox = new Inbox();
  connection.on('message', (topic, payload, dup, qos, retain) => {
    inbox.put({ topic, text: textOf(payload), qos, retain });
  });
  connection.on('error', () => {});
  await within(deadline, 'connection', connection.connect());
  return {
    inbox,
    subscribe: async (filter, qos) =>
      (await within(deadline, 'SUBACK', connection.subscribe(filter, qos))).qos,
    publish: (topic, text, qos) =>
      within(deadline, 'PUBACK', connection.publish(topic, text, qos)),
    end: () => connection.disconnect(),
  };
}

async function openSdk5(builder, port, ca) {
  const config = builder.withCertificateAuthority(ca.toString()).withPort(port)
    .withConnectProperties({ clientId: unique('sdk5'), keepAliveIntervalSeconds: 60 }).build();
  const client = new sdk.mqtt5.Mqtt5Client(config);
  const inbox = new Inbox();
  client.on('messageReceived', ({ message }) => {
    inbox.put({ topic: message.topicName, text: textOf(message.payload),
      qos: message.qos, retain: message.retain });
  });
  const end = async () => {
    const stopped = first(client, 'stopped', []);
    client.stop({ reasonCode: 0 });  // a DISCONNECT, which it sends only if it is given one
    await stopped;
    client.close();
  };
  const success = first(client, 'connectionSuccess', ['connectionFailure']);
  client.start();
  await connected(success, end);
  return {
    inbox,
    subscribe: async (topicFilter, qos) =>
      (await client.subscribe({ subscriptions: [{ topicFilter, qos }] })).reasonCodes[0],
    publish: async (topicName, text, qos) => {
      const ack = await client.publish({ topicName, qos, payload: text });
      if (ack && ack.reasonCode !== 0) throw new Error(`PUBACK ${ack.reasonCode}`);
    },
    end,
  };
}

const signing = () => ({ region,
  credentials_provider: sdk.auth.AwsCredentialsProvider.newStatic(key.id, key.secret) });
const mutual3 = ({ cert, key: own }) => sdk.iot.AwsIotMqttConnectionConfigBuilder
  .new_mtls_builder(cert.toString(), own.toString());
const mutual5 = ({ cert, key: own }) => sdk.iot.AwsIotMqtt5ClientConfigBuilder
  .newDirectMqttBuilderWithMtlsFromMemory(host, cert.toString(), own.toString());

// What is native in these clients goes with their JavaScript objects, and keeps the process until then:
// by itself that is when Node has been idle for long. After the last test.
export function collectClients() {
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')();
}

// ---- every way to connect

// `open(ports, device, v)`: the client; `device`: what deviceCertificate() returns. `identity`: what the
// server may know the client by. (Both SDKs' clients with certificates over the port of HTTPS ask for
// MQTT by ALPN x-amzn-mqtt-ca; v2 always, v1 where it is told.)
export const ways = [
  { name: 'MQTT.js, mqtt', versions: [4, 5],
    open: ({ mqtt }, device, v) => openMqttJs(`mqtt://${host}:${mqtt}`, v) },
  { name: 'MQTT.js, mqtts', versions: [4, 5], identity: 'certificate',
    open: ({ mqtts }, { ca, cert, key: own }, v) =>
      openMqttJs(`mqtts://${host}:${mqtts}`, v, { ca, cert, key: own }) },
  { name: 'MQTT.js, ws', versions: [4, 5],
    open: ({ http }, device, v) => openMqttJs(`ws://${host}:${http}/mqtt`, v) },
  { name: 'MQTT.js, wss', versions: [4, 5],
    open: ({ https }, { ca }, v) => openMqttJs(`wss://${host}:${https}/mqtt`, v, { ca }) },
  { name: 'MQTT.js, wss with a certificate', versions: [4, 5], identity: 'certificate',
    open: ({ https }, { ca, cert, key: own }, v) =>
      openMqttJs(`wss://${host}:${https}/mqtt`, v, { ca, cert, key: own }) },
  { name: 'SDK v2, mqtts', versions: [4, 5], identity: 'certificate',
    open: ({ mqtts }, device, v) => (v === 4 ? openSdk3(mutual3(device), mqtts, device.ca)
      : openSdk5(mutual5(device), mqtts, device.ca)) },
  { name: 'SDK v2, MQTT by ALPN on https', versions: [4, 5], identity: 'certificate',
    open: ({ https }, device, v) => (v === 4 ? openSdk3(mutual3(device), https, device.ca)
      : openSdk5(mutual5(device), https, device.ca)) },
  { name: 'SDK v2, wss with SigV4', versions: [4, 5], identity: 'signature',
    open: ({ https }, { ca }, v) => {
      const { region: where, credentials_provider: credentialsProvider } = signing();
      return v === 4
        ? openSdk3(sdk.iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets(signing()), https, ca)
        : openSdk5(sdk.iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(
          host, { region: where, credentialsProvider }), https, ca);
    } },
  { name: 'SDK v1, mqtts', versions: [4], identity: 'certificate',
    open: ({ mqtts }, { files }) => openSdk1(mqtts,
      { keyPath: files.key, certPath: files.cert, caPath: files.ca }) },
  { name: 'SDK v1, MQTT by ALPN on https', versions: [4], identity: 'certificate',
    open: ({ https }, { files }) => openSdk1(https, { keyPath: files.key, certPath: files.cert,
      caPath: files.ca, ALPNProtocols: ['x-amzn-mqtt-ca'] }) },
  { name: 'SDK v1, wss with SigV4', versions: [4], identity: 'signature',
    open: ({ https }, { ca }) => openSdk1(https, { protocol: 'wss', accessKeyId: key.id,
      secretKey: key.secret, websocketOptions: { ca } }) },
];
