// Clients of AWS's SDK for JavaScript, pointed at a server.

import fs from 'node:fs';
import path from 'node:path';
import { IAMClient } from '@aws-sdk/client-iam';
import { IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import { STSClient } from '@aws-sdk/client-sts';

export const account = '123456789012';
export const region = 'us-east-1';

// The root key of the server, as the file in its folder has it.
export const keyOf = (server) => JSON.parse(
  fs.readFileSync(path.join(server.data, 'access-key.json'), 'utf8'));

function clientOf(Client, server, { key = keyOf(server), ...options } = {}) {
  return new Client({
    endpoint: `http://127.0.0.1:${server.ports.http}`,
    region,
    credentials: { accessKeyId: key.AccessKeyId, secretAccessKey: key.SecretAccessKey,
      sessionToken: key.SessionToken },
    maxAttempts: 1,
    ...options,
  });
}
// `key`: as the SDK gives it, with SessionToken if it is a temporary one.
export const iotClient = (server, options) => clientOf(IoTClient, server, options);
export const dataClient = (server, options) => clientOf(IoTDataPlaneClient, server, options);
export const iamClient = (server, options) => clientOf(IAMClient, server, options);
export const stsClient = (server, options) => clientOf(STSClient, server, options);

// A policy document of [effect, actions, resources, condition].
export const policyOf = (...statements) => JSON.stringify({
  Version: '2012-10-17',
  Statement: statements.map(([Effect, Action, Resource, Condition]) =>
    ({ Effect, Action, Resource, ...(Condition && { Condition }) })),
});
export const trustOf = (Principal, Condition) => JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole', ...(Condition && { Condition }) }],
});
export const iotArn = (resource) => `arn:aws:iot:${region}:${account}:${resource}`;
export const iamArn = (resource) => `arn:aws:iam::${account}:${resource}`;
