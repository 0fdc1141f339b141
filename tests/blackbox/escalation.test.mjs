// Ways to more than one may: each is refused, and nothing is done.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as sts from '@aws-sdk/client-sts';
import { account, iamArn, iamClient, iotArn, iotClient, policyOf, stsClient, trustOf }
  from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const denied = (what) => (error) => error.$metadata?.httpStatusCode === 403 &&
  /^AccessDenied/.test(error.name) && error.message.includes(what);

for (const compat of ['mqtt', 'aws']) {
  describe(`escalation, compat ${compat}`, { timeout: 120_000 }, () => {
    let server;
    let rootThings;
    let rootUsers;
    const clients = [];
    const kept = (client) => {
      clients.push(client);
      return client;
    };
    before(async () => {
      server = await Server.start({ listeners: true, shards: 2,
        env: { GNOMON_LOCAL: 'false', GNOMON_COMPAT: compat } });
      rootThings = kept(iotClient(server));
      rootUsers = kept(iamClient(server));
    });
    after(async () => {
      for (const client of clients) client.destroy();
      await server?.stop();
    });

    // A user who may do what the statements say: {UserName, key, things, users}.
    async function user(...statements) {
      const UserName = unique('user');
      await rootUsers.send(new iam.CreateUserCommand({ UserName }));
      await rootUsers.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'own',
        PolicyDocument: policyOf(...statements) }));
      const { AccessKey: key } = await rootUsers.send(new iam.CreateAccessKeyCommand({ UserName }));
      return { UserName, key, things: kept(iotClient(server, { key })),
        users: kept(iamClient(server, { key })) };
    }
    async function role(trust = trustOf({ Service: 'iot.amazonaws.com' })) {
      const { Role } = await rootUsers.send(new iam.CreateRoleCommand({ RoleName: unique('role'),
        AssumeRolePolicyDocument: trust }));
      return Role.Arn;
    }
    const template = (policy) => JSON.stringify({
      Parameters: { 'AWS::IoT::Certificate::Id': { Type: 'String' }, Name: { Type: 'String' } },
      Resources: {
        thing: { Type: 'AWS::IoT::Thing', Properties: { ThingName: { Ref: 'Name' } } },
        certificate: { Type: 'AWS::IoT::Certificate',
          Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' } },
        ...(policy && { policy: { Type: 'AWS::IoT::Policy', Properties: policy } }),
      },
    });

    it('a role is given to nobody without iam:PassRole, by any operation', async () => {
      const roleArn = await role();
      const roleAlias = unique('alias');
      const templateName = unique('template');
      await rootThings.send(new iot.CreateRoleAliasCommand({ roleAlias, roleArn }));
      await rootThings.send(new iot.CreateProvisioningTemplateCommand({ templateName,
        templateBody: template(), provisioningRoleArn: roleArn }));
      const { things } = await user(['Allow', ['iot:*', 'iam:GetRole'], '*']);
      const { things: other } = await user(['Allow', 'iot:*', '*'], ['Allow', 'iam:PassRole', '*',
        { StringEquals: { 'iam:PassedToService': 'lambda.amazonaws.com' } }]);
      const { things: may } = await user(['Allow', 'iot:*', '*'], ['Allow', 'iam:PassRole', roleArn]);
      for (const [name, command] of [
        ['CreateRoleAlias', () => new iot.CreateRoleAliasCommand({ roleAlias: unique('alias'), roleArn })],
        ['UpdateRoleAlias', () => new iot.UpdateRoleAliasCommand({ roleAlias, roleArn })],
        ['CreateProvisioningTemplate', () => new iot.CreateProvisioningTemplateCommand({
          templateName: unique('template'), templateBody: template(), provisioningRoleArn: roleArn })],
        ['UpdateProvisioningTemplate', () => new iot.UpdateProvisioningTemplateCommand({ templateName,
          provisioningRoleArn: roleArn })],
      ]) {
        for (const client of [things, other])
          await assert.rejects(client.send(command()), denied('iam:PassRole'), name);
        await may.send(command());
      }
      const registrationConfig = { roleArn, templateBody: template() };
      for (const client of [things, other]) {
        await assert.rejects(client.send(new iot.RegisterCACertificateCommand({
          caCertificate: 'x', certificateMode: 'SNI_ONLY', registrationConfig })), denied('iam:PassRole'));
        await assert.rejects(client.send(new iot.UpdateCACertificateCommand({
          certificateId: '0'.repeat(64), registrationConfig })), denied('iam:PassRole'));
      }
      // What is not allowed was not done.
      const { roleAliasDescription } = await rootThings.send(new iot.DescribeRoleAliasCommand({ roleAlias }));
      assert.equal(roleAliasDescription.roleArn, roleArn);
    });

    it('a template does nothing that its caller may not', async () => {
      const made = await rootThings.send(new iot.CreateKeysAndCertificateCommand({}));
      const { certificateId, certificateArn } = made;
      const parameters = () => ({ Name: unique('lamp'), 'AWS::IoT::Certificate::Id': certificateId });
      const body = template({ PolicyDocument: policyOf(['Allow', 'iot:*', '*']) });
      const names = async () => (await rootThings.send(new iot.ListPoliciesCommand({ pageSize: 250 })))
        .policies.map(({ policyName }) => policyName).sort();
      const there = await names();
      const thing = ['iot:CreateThing', 'iot:UpdateThing', 'iot:AttachThingPrincipal',
        'iot:UpdateCertificate'];
      for (const [may, lacks] of [
        [['iot:RegisterThing'], 'iot:UpdateCertificate'],
        [['iot:RegisterThing', ...thing.filter((each) => each !== 'iot:CreateThing')], 'iot:CreateThing'],
        [['iot:RegisterThing', ...thing], 'iot:CreatePolicy'],
        [['iot:RegisterThing', ...thing, 'iot:CreatePolicy'], 'iot:AttachPolicy'],
      ]) {
        const { things } = await user(['Allow', may, '*']);
        const asked = parameters();
        await assert.rejects(things.send(new iot.RegisterThingCommand({ templateBody: body,
          parameters: asked })), denied(lacks));
        await assert.rejects(rootThings.send(new iot.DescribeThingCommand({ thingName: asked.Name })),
          iot.ResourceNotFoundException);
      }
      assert.deepEqual(await names(), there);
      const { things } = await user(
        ['Allow', ['iot:RegisterThing', ...thing, 'iot:CreatePolicy', 'iot:AttachPolicy'], '*'],
        ['Deny', 'iot:AttachPolicy', iotArn('cert/*'), { StringNotEquals: { 'aws:username': 'nobody' } }]);
      await assert.rejects(things.send(new iot.RegisterThingCommand({ templateBody: body,
        parameters: parameters() })), denied('iot:AttachPolicy'));
      const { policies } = await rootThings.send(new iot.ListAttachedPoliciesCommand({ target: certificateArn }));
      assert.deepEqual(policies, []);
      const { things: allowed } = await user(['Allow', 'iot:*', '*']);
      await allowed.send(new iot.RegisterThingCommand({ templateBody: body, parameters: parameters() }));
    });

    it('a user does not raise itself', async () => {
      const { UserName, users, things } = await user(['Allow', ['iot:DescribeThing', 'iam:Get*', 'iam:List*'], '*']);
      const everything = policyOf(['Allow', '*', '*']);
      const PolicyArn = (await rootUsers.send(new iam.CreatePolicyCommand({ PolicyName: unique('all'),
        PolicyDocument: everything }))).Policy.Arn;
      for (const command of [
        new iam.PutUserPolicyCommand({ UserName, PolicyName: 'own', PolicyDocument: everything }),
        new iam.AttachUserPolicyCommand({ UserName, PolicyArn }),
        new iam.CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: everything, SetAsDefault: true }),
        new iam.DeleteUserPolicyCommand({ UserName, PolicyName: 'own' }),
        new iam.CreateAccessKeyCommand({ UserName: 'other' }),
        new iam.DeleteUserPermissionsBoundaryCommand({ UserName }),
        new iam.CreateRoleCommand({ RoleName: unique('role'), AssumeRolePolicyDocument: trustOf({ AWS: account }) }),
      ]) await assert.rejects(users.send(command), denied('iam:'), command.constructor.name);
      await assert.rejects(things.send(new iot.CreateThingCommand({ thingName: 'x' })), denied('iot:CreateThing'));
    });

    it('a session is no more than its role and its policy', async () => {
      const { UserName, key } = await user(['Allow', ['sts:AssumeRole', 'iot:*'], '*']);
      const RoleArn = await role(trustOf({ AWS: iamArn(`user/${UserName}`) }));
      await rootUsers.send(new iam.PutRolePolicyCommand({ RoleName: RoleArn.split('/').at(-1),
        PolicyName: 'own', PolicyDocument: policyOf(['Allow', 'iot:DescribeThing', '*']) }));
      const caller = kept(stsClient(server, { key }));
      const { Credentials } = await caller.send(new sts.AssumeRoleCommand({ RoleArn,
        RoleSessionName: 'wide', Policy: policyOf(['Allow', '*', '*']) }));
      const things = kept(iotClient(server, { key: Credentials }));
      await assert.rejects(things.send(new iot.CreateThingCommand({ thingName: 'x' })), denied('iot:CreateThing'));
      await assert.rejects(things.send(new iot.DescribeThingCommand({ thingName: unique('none') })),
        iot.ResourceNotFoundException);
      // Not with another's token, and not without it.
      for (const SessionToken of [undefined, `${Credentials.SessionToken.slice(0, -4)}AAAA`]) {
        const forged = kept(iotClient(server, { key: { ...Credentials, SessionToken } }));
        await assert.rejects(forged.send(new iot.DescribeThingCommand({ thingName: 'x' })),
          (error) => error.$metadata.httpStatusCode === 403);
      }
      const stranger = await role(trustOf({ AWS: iamArn('root') }, { StringEquals: { 'aws:username': 'x' } }));
      await assert.rejects(caller.send(new sts.AssumeRoleCommand({ RoleArn: stranger,
        RoleSessionName: 'some' })), denied('sts:AssumeRole'));
    });

    it('a signed request that somebody else sends again, with a header more or less', async () => {
      const { things } = await user(['Allow', 'iot:DescribeThing', '*']);
      let signed;
      things.middlewareStack.add((next) => (args) => {
        signed = args.request;
        return next(args);
      }, { step: 'finalizeRequest', priority: 'low' });
      const thingName = unique('lamp');
      await rootThings.send(new iot.CreateThingCommand({ thingName }));
      await things.send(new iot.DescribeThingCommand({ thingName }));
      const url = `http://127.0.0.1:${server.ports.http}${signed.path}`;
      const send = async (headers, { method = signed.method, to = url } = {}) =>
        (await fetch(to, { method, headers })).status;
      const { host, 'content-length': length, ...headers } = signed.headers;
      assert.equal(await send(headers), 200, 'as it was, within its five minutes');
      for (const more of [{ 'x-amz-security-token': 'x' }, { 'x-amz-target': 'x' },
        { 'x-amzn-iot-thingname': thingName, 'x-amz-date': '20200101T000000Z' },
        { 'x-amz-anything': '1' }, { 'x-amz-user-agent': 'other' }]) {
        assert.equal(await send({ ...headers, ...more }), 403, JSON.stringify(more));
      }
      assert.equal(await send(headers, { method: 'DELETE' }), 403);
      assert.equal(await send(headers, { to: `${url}-2` }), 403);
      assert.equal(await send(headers, { to: `${url}?x=1` }), 403);
      await rootThings.send(new iot.DescribeThingCommand({ thingName }));
    });

    it('the server\'s own certificate, or one of a device that names the server', async () => {
      const pem = fs.readFileSync(path.join(server.data, 'server.private.pem'), 'utf8');
      const [certificate] = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n/.exec(pem);
      const [key] = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----\n/.exec(pem);
      const { certificateArn } = await rootThings.send(new iot.RegisterCertificateWithoutCACommand({
        certificatePem: certificate, status: 'ACTIVE' }));
      const policyName = unique('all');
      await rootThings.send(new iot.CreatePolicyCommand({ policyName,
        policyDocument: policyOf(['Allow', 'iot:*', '*']) }));
      await rootThings.send(new iot.AttachPolicyCommand({ policyName, target: certificateArn }));
      const raw = await Raw.open(server.ports.mqtts, { v: 5, secure: { ...rootOf(server), cert: certificate, key } });
      raw.send(codec.connect({ v: 5, id: unique('server') }));
      const connack = await raw.expect('connack');
      assert.equal(connack.code, 0x87);
      assert.match(connack.props.reasonString, /is not for TLS clients/);
      raw.destroy();
    });
  });
}
