// Users, roles and sessions, as AWS's own SDKs make and are them.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as sts from '@aws-sdk/client-sts';
import { account, iamArn, iamClient, iotArn, iotClient, keyOf, policyOf, region, stsClient, trustOf }
  from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import { collectClients } from '../harness/clients.mjs';
import { deadline, within } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { suite, unique } from '../harness/suite.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';

const sdk = createRequire(import.meta.url)('aws-iot-device-sdk-v2');
after(collectClients);

// A new user with an inline policy, and their key.
async function makeUser(server, ...statements) {
  const root = iamClient(server);
  const UserName = unique('user');
  await root.send(new iam.CreateUserCommand({ UserName }));
  if (statements.length > 0) {
    await root.send(new iam.PutUserPolicyCommand(
      { UserName, PolicyName: 'own', PolicyDocument: policyOf(...statements) }));
  }
  const { AccessKey: key } = await root.send(new iam.CreateAccessKeyCommand({ UserName }));
  return { UserName, key, arn: iamArn(`user/${UserName}`) };
}

const denied = (action) => (error) => error.$metadata?.httpStatusCode === 403 &&
  /^AccessDenied/.test(error.name) && error.message.includes(action);

for (const compat of ['mqtt', 'aws']) {
  suite(`iam and sts, compat ${compat}`, (test) => {
    test('who somebody is', async (w) => {
      const root = await stsClient(w.server).send(new sts.GetCallerIdentityCommand({}));
      assert.equal(root.Arn, iamArn('root'));
      const { key, arn, UserName } = await makeUser(w.server);
      const told = await stsClient(w.server, { key }).send(new sts.GetCallerIdentityCommand({}));
      assert.deepEqual([told.Arn, told.Account], [arn, account]);
      assert.match(told.UserId, /^AIDA[A-Z2-7]{17}$/);
      const { User } = await iamClient(w.server).send(new iam.GetUserCommand({ UserName }));
      assert.equal(User.UserId, told.UserId);
    });

    test('a user may do what their policies allow', async (w) => {
      const { key, UserName } = await makeUser(w.server,
        ['Allow', 'iot:CreateThing', iotArn('thing/lamp-*')], ['Deny', '*', iotArn('thing/lamp-9')]);
      const client = iotClient(w.server, { key });
      const thingName = unique('lamp');
      await client.send(new iot.CreateThingCommand({ thingName }));
      await assert.rejects(client.send(new iot.DescribeThingCommand({ thingName })),
        denied('iot:DescribeThing'));
      await assert.rejects(client.send(new iot.CreateThingCommand({ thingName: 'lamp-9' })),
        denied('explicit deny'));
      await assert.rejects(iamClient(w.server, { key }).send(new iam.ListUsersCommand({})),
        denied('iam:ListUsers'));
      // From the answer on.
      const root = iamClient(w.server);
      await root.send(new iam.DeleteUserPolicyCommand({ UserName, PolicyName: 'own' }));
      await assert.rejects(client.send(new iot.CreateThingCommand({ thingName })),
        denied('iot:CreateThing'));
      await root.send(new iam.UpdateAccessKeyCommand(
        { UserName, AccessKeyId: key.AccessKeyId, Status: 'Inactive' }));
      await assert.rejects(client.send(new iot.CreateThingCommand({ thingName })),
        { name: 'UnrecognizedClientException' });
    });

    test('errors come as the classes of the SDK', async (w) => {
      const client = iamClient(w.server);
      const { UserName, key } = await makeUser(w.server);
      await assert.rejects(client.send(new iam.CreateUserCommand({ UserName })),
        (error) => error instanceof iam.EntityAlreadyExistsException &&
          error.$metadata.httpStatusCode === 409 && error.$metadata.requestId.length === 36);
      await assert.rejects(client.send(new iam.GetUserCommand({ UserName: 'nobody' })),
        iam.NoSuchEntityException);
      await assert.rejects(client.send(new iam.DeleteUserCommand({ UserName })),
        iam.DeleteConflictException);
      await assert.rejects(client.send(new iam.PutUserPolicyCommand(
        { UserName, PolicyName: 'p', PolicyDocument: '{"Version":"2012-10-17"' })),
      iam.MalformedPolicyDocumentException);
      await assert.rejects(stsClient(w.server, { key: { ...key, SecretAccessKey: 'x' } })
        .send(new sts.GetCallerIdentityCommand({})), { name: 'SignatureDoesNotMatch' });
    });

    test('a role is taken, for a time, with less, and from role to role', async (w) => {
      const root = iamClient(w.server);
      const { key, arn } = await makeUser(w.server);
      const RoleName = unique('role');
      await root.send(new iam.CreateRoleCommand(
        { RoleName, AssumeRolePolicyDocument: trustOf({ AWS: arn }) }));
      await root.send(new iam.PutRolePolicyCommand({ RoleName, PolicyName: 'own',
        PolicyDocument: policyOf(['Allow', ['iot:*', 'sts:AssumeRole'], '*']) }));
      const take = async (by, more = {}) => {
        const { Credentials, AssumedRoleUser } = await stsClient(w.server, { key: by }).send(
          new sts.AssumeRoleCommand({ RoleArn: iamArn(`role/${RoleName}`), RoleSessionName: 'one',
            ...more }));
        assert.match(AssumedRoleUser.AssumedRoleId, /^AROA[A-Z2-7]{17}:one$/);
        assert.match(Credentials.AccessKeyId, /^ASIA/);
        return Credentials;
      };
      const session = await take(key);
      const who = await stsClient(w.server, { key: session }).send(
        new sts.GetCallerIdentityCommand({}));
      assert.equal(who.Arn, `arn:aws:sts::${account}:assumed-role/${RoleName}/one`);
      const thingName = unique('thing');
      await iotClient(w.server, { key: session }).send(new iot.CreateThingCommand({ thingName }));
      const less = await take(key, { Policy: policyOf(['Allow', 'iot:DescribeThing', '*']) });
      await iotClient(w.server, { key: less }).send(new iot.DescribeThingCommand({ thingName }));
      await assert.rejects(iotClient(w.server, { key: less })
        .send(new iot.DeleteThingCommand({ thingName })), denied('iot:DeleteThing'));
      // Whom its trust policy does not name; the token of another; one that is changed.
      const other = await makeUser(w.server, ['Allow', 'sts:AssumeRole', '*']);
      await assert.rejects(take(other.key), denied('sts:AssumeRole'));
      for (const SessionToken of [less.SessionToken, `${session.SessionToken.slice(0, -4)}AAAA`]) {
        await assert.rejects(iotClient(w.server, { key: { ...session, SessionToken } })
          .send(new iot.ListThingsCommand({})), { name: 'UnrecognizedClientException' });
      }
      // The role lets itself be taken from itself: for an hour at most.
      await root.send(new iam.UpdateAssumeRolePolicyCommand(
        { RoleName, PolicyDocument: trustOf({ AWS: iamArn(`role/${RoleName}`) }) }));
      await root.send(new iam.UpdateRoleCommand({ RoleName, MaxSessionDuration: 7200 }));
      await take(session);
      await assert.rejects(take(session, { DurationSeconds: 7200 }), /role chaining/);
    });

    test('a role is passed only by who may', async (w) => {
      const root = iamClient(w.server);
      const RoleName = unique('device');
      await root.send(new iam.CreateRoleCommand({ RoleName,
        AssumeRolePolicyDocument: trustOf({ Service: 'credentials.iot.amazonaws.com' }) }));
      const roleArn = iamArn(`role/${RoleName}`);
      const { key, UserName } = await makeUser(w.server, ['Allow', 'iot:CreateRoleAlias', '*']);
      const client = iotClient(w.server, { key });
      const make = () => client.send(
        new iot.CreateRoleAliasCommand({ roleAlias: unique('alias'), roleArn }));
      await assert.rejects(make(), denied(`iam:PassRole on resource: ${roleArn}`));
      await root.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'pass',
        PolicyDocument: policyOf(['Allow', 'iam:PassRole', roleArn,
          { StringEquals: { 'iam:PassedToService': 'credentials.iot.amazonaws.com' } }]) }));
      await make();
    });

    test('what Terraform asks for aws_iam_role, _policy, _user, _access_key', async (w) => {
      const client = iamClient(w.server);
      const send = (Command, input) => client.send(new iam[`${Command}Command`](input));
      const RoleName = unique('tf-role'), UserName = unique('tf-user'), PolicyName = unique('tf');
      const document = policyOf(['Allow', 'iot:Publish', '*']);
      const trust = trustOf({ Service: 'iot.amazonaws.com' });

      await send('CreateRole', { RoleName, Path: '/tf/', AssumeRolePolicyDocument: trust,
        Description: 'of a test', Tags: [{ Key: 'a', Value: 'b' }] });
      const { Role } = await send('GetRole', { RoleName });
      assert.equal(Role.Arn, iamArn(`role/tf/${RoleName}`));
      assert.equal(decodeURIComponent(Role.AssumeRolePolicyDocument), trust);
      assert.deepEqual(Role.Tags, [{ Key: 'a', Value: 'b' }]);
      assert.equal(Role.MaxSessionDuration, 3600);
      assert.deepEqual((await send('ListRolePolicies', { RoleName })).PolicyNames, []);
      assert.deepEqual((await send('ListAttachedRolePolicies', { RoleName })).AttachedPolicies, []);

      const { Policy } = await send('CreatePolicy', { PolicyName, PolicyDocument: document });
      const PolicyArn = Policy.Arn;
      assert.equal((await send('GetPolicy', { PolicyArn })).Policy.DefaultVersionId, 'v1');
      const { PolicyVersion } = await send('GetPolicyVersion', { PolicyArn, VersionId: 'v1' });
      assert.equal(decodeURIComponent(PolicyVersion.Document), document);
      await send('AttachRolePolicy', { RoleName, PolicyArn });
      assert.deepEqual((await send('ListAttachedRolePolicies', { RoleName })).AttachedPolicies,
        [{ PolicyName, PolicyArn }]);
      await send('PutRolePolicy', { RoleName, PolicyName: 'inline', PolicyDocument: document });
      const inline = await send('GetRolePolicy', { RoleName, PolicyName: 'inline' });
      assert.equal(decodeURIComponent(inline.PolicyDocument), document);

      await send('CreateUser', { UserName, Path: '/' });
      assert.equal((await send('GetUser', { UserName })).User.UserName, UserName);
      const { AccessKey } = await send('CreateAccessKey', { UserName });
      const { AccessKeyMetadata: [listed] } = await send('ListAccessKeys', { UserName });
      assert.deepEqual([listed.AccessKeyId, listed.Status], [AccessKey.AccessKeyId, 'Active']);

      // terraform destroy
      await send('DeleteAccessKey', { UserName, AccessKeyId: AccessKey.AccessKeyId });
      for (const [list, member] of [['ListGroupsForUser', 'Groups'], ['ListMFADevices', 'MFADevices'],
        ['ListSSHPublicKeys', 'SSHPublicKeys'], ['ListSigningCertificates', 'Certificates'],
        ['ListServiceSpecificCredentials', 'ServiceSpecificCredentials'],
        ['ListAttachedUserPolicies', 'AttachedPolicies'], ['ListUserPolicies', 'PolicyNames'],
        ['ListAccessKeys', 'AccessKeyMetadata']]) {
        assert.deepEqual((await send(list, { UserName }))[member] ?? [], [], list);
      }
      await assert.rejects(send('DeleteLoginProfile', { UserName }), iam.NoSuchEntityException);
      await send('DeleteUser', { UserName });
      await send('DeleteRolePolicy', { RoleName, PolicyName: 'inline' });
      await send('DetachRolePolicy', { RoleName, PolicyArn });
      assert.equal((await send('ListPolicyVersions', { PolicyArn })).Versions.length, 1);
      await send('DeletePolicy', { PolicyArn });
      assert.deepEqual((await send('ListInstanceProfilesForRole', { RoleName })).InstanceProfiles, []);
      await send('DeleteRole', { RoleName });
      await assert.rejects(send('GetRole', { RoleName }), iam.NoSuchEntityException);
    });

    test('what Terraform asks for aws_iot_thing, _certificate, _policy, _role_alias', async (w) => {
      const client = iotClient(w.server);
      const send = (Command, input) => client.send(new iot[`${Command}Command`](input));
      const thingName = unique('tf'), policyName = unique('tf'), roleAlias = unique('tf');
      const thingTypeName = unique('tf'), thingGroupName = unique('tf');
      assert.ok((await send('DescribeEndpoint', { endpointType: 'iot:Data-ATS' })).endpointAddress);

      await send('CreateThingType', { thingTypeName, tags: [{ Key: 'a', Value: 'b' }] });
      const { thingTypeArn } = await send('DescribeThingType', { thingTypeName });
      assert.deepEqual((await send('ListTagsForResource', { resourceArn: thingTypeArn })).tags,
        [{ Key: 'a', Value: 'b' }]);
      await send('CreateThing', { thingName, thingTypeName });
      assert.equal((await send('DescribeThing', { thingName })).thingTypeName, thingTypeName);
      await send('CreateThingGroup', { thingGroupName });
      const { thingGroupArn } = await send('DescribeThingGroup', { thingGroupName });
      assert.deepEqual((await send('ListTagsForResource', { resourceArn: thingGroupArn })).tags, []);
      await send('AddThingToThingGroup', { thingName, thingGroupName });
      assert.deepEqual((await send('ListThingGroupsForThing', { thingName })).thingGroups
        .map((group) => group.groupName), [thingGroupName]);

      const { certificateId, certificateArn } = await send('CreateKeysAndCertificate',
        { setAsActive: true });
      const { certificateDescription } = await send('DescribeCertificate', { certificateId });
      assert.equal(certificateDescription.status, 'ACTIVE');
      await send('CreatePolicy', { policyName, policyDocument: policyOf(['Allow', 'iot:*', '*']) });
      assert.equal((await send('GetPolicy', { policyName })).defaultVersionId, '1');
      assert.equal((await send('ListPolicyVersions', { policyName })).policyVersions.length, 1);
      await send('AttachPolicy', { policyName, target: certificateArn });
      assert.deepEqual((await send('ListAttachedPolicies', { target: certificateArn })).policies
        .map((policy) => policy.policyName), [policyName]);
      await send('AttachThingPrincipal', { thingName, principal: certificateArn });
      assert.deepEqual((await send('ListThingPrincipals', { thingName })).principals,
        [certificateArn]);
      await send('CreateRoleAlias', { roleAlias, roleArn: iamArn('role/tf') });
      assert.equal((await send('DescribeRoleAlias', { roleAlias })).roleAliasDescription.roleArn,
        iamArn('role/tf'));

      // terraform destroy
      await send('DeleteRoleAlias', { roleAlias });
      await send('DetachThingPrincipal', { thingName, principal: certificateArn });
      await send('DetachPolicy', { policyName, target: certificateArn });
      await send('DeletePolicy', { policyName });
      await send('UpdateCertificate', { certificateId, newStatus: 'INACTIVE' });
      await send('DeleteCertificate', { certificateId });
      await send('RemoveThingFromThingGroup', { thingName, thingGroupName });
      await send('DeleteThingGroup', { thingGroupName });
      await send('DeleteThing', { thingName });
      await send('DeprecateThingType', { thingTypeName });
      await assert.rejects(send('DescribeThing', { thingName }), iot.ResourceNotFoundException);
    });
  }, { listeners: true, env: { GNOMON_COMPAT: compat }, shards: [2], concurrency: 4 });
}

describe('master.key', { timeout: 60_000 }, () => {
  it('another one: the keys of users are named in the log, and are refused for that', async () => {
    const server = await Server.start({ listeners: true, args: ['--durability', 'disk'] });
    try {
      const { key } = await makeUser(server, ['Allow', 'iot:*', '*']);
      const list = () => iotClient(server, { key }).send(new iot.ListThingsCommand({}));
      await list();
      const file = path.join(server.data, 'master.key');
      const former = fs.readFileSync(file);
      await server.restart('SIGTERM', { between: () => fs.rmSync(file) });
      await server.untilLog(/access_keys_unreadable keys=1 /);
      await assert.rejects(list(), (error) => error.$metadata.httpStatusCode === 503);
      await server.restart('SIGTERM', {
        between: () => fs.writeFileSync(file, former, { mode: 0o600 }) });
      await list();
      await server.stop();
    } finally {
      await server.kill();
    }
  });
});

suite('the key that a WebSocket is signed with', (test) => {
  // Connected over a WebSocket as that user; `ended` resolves when the server has ended it.
  async function connect(server, key) {
    const credentialsProvider = sdk.auth.AwsCredentialsProvider.newStatic(
      key.AccessKeyId, key.SecretAccessKey, key.SessionToken);
    const config = sdk.iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(
      'localhost', { region, credentialsProvider })
      .withCertificateAuthority(rootOf(server).ca.toString())
      .withPort([server.ports.https].flat()[0])
      .withConnectProperties({ clientId: unique('signed'), keepAliveIntervalSeconds: 60 }).build();
    const client = new sdk.mqtt5.Mqtt5Client(config);
    const once = (event) => new Promise((resolve) => { client.once(event, resolve); });
    const success = Promise.race([once('connectionSuccess'),
      once('connectionFailure').then((failure) => { throw failure.error; })]);
    const ended = once('disconnection');
    const stopped = once('stopped');  // once, whoever stops it
    client.start();
    try {
      await within(deadline, 'connection', success);
    } finally {
      ended.then(() => client.stop());
    }
    return { client, ended, close: async () => {
      client.stop();
      await within(deadline, 'the end of the client', stopped);
      client.close();
    } };
  }
  const all = ['Allow', 'iot:*', '*'];

  for (const [what, change] of Object.entries({
    'is switched off': (root, { UserName, key }) => root.send(new iam.UpdateAccessKeyCommand(
      { UserName, AccessKeyId: key.AccessKeyId, Status: 'Inactive' })),
    'may not connect any more': (root, { UserName }) => root.send(new iam.PutUserPolicyCommand(
      { UserName, PolicyName: 'own', PolicyDocument: policyOf(['Allow', 'iot:Publish', '*']) })),
  })) {
    test(`${what}: the connection ends within a second`, async (w) => {
      const root = iamClient(w.server);
      const user = await makeUser(w.server, all);
      const { client, ended, close } = await connect(w.server, user.key);
      try {
        const sent = await client.publish({ topicName: 'a/b', qos: 1, payload: 'x' });
        assert.ok(sent.reasonCode < 0x80);
        const since = performance.now();
        await change(root, user);
        const { disconnect } = await within(deadline, 'end', ended);
        assert.ok(performance.now() - since < 1000);
        assert.equal(disconnect?.reasonCode, 0x87);
      } finally {
        await close();
      }
    });
  }

  test('changes, and the connection stays with what it may do now', async (w) => {
    const root = iamClient(w.server);
    const user = await makeUser(w.server, all);
    const { client, close } = await connect(w.server, user.key);
    try {
      await root.send(new iam.PutUserPolicyCommand({ UserName: user.UserName, PolicyName: 'own',
        PolicyDocument: policyOf(all, ['Deny', 'iot:Publish', iotArn('topic/shut')]) }));
      // Whoever has the answer of the API may rely on it within a second.
      const until = performance.now() + 1000;
      const publish = async () =>
        (await client.publish({ topicName: 'shut', qos: 1, payload: 'x' })).reasonCode;
      let code = await publish();
      while (code < 0x80 && performance.now() < until) code = await publish();
      assert.equal(code, 0x87);
      const open = await client.publish({ topicName: 'open', qos: 1, payload: 'x' });
      assert.ok(open.reasonCode < 0x80);
    } finally {
      await close();
    }
  });

  test('is a temporary one', async (w) => {
    const { Credentials } = await stsClient(w.server, { key: keyOf(w.server) }).send(
      new sts.GetSessionTokenCommand({}));
    const { client, close } = await connect(w.server, Credentials);
    try {
      assert.ok((await client.publish({ topicName: 'a', qos: 1, payload: 'x' })).reasonCode < 0x80);
    } finally {
      await close();
    }
  });
}, { listeners: true, shards: [2], env: { GNOMON_LOCAL: 'false' } });
