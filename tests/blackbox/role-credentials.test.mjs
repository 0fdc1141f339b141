// Credentials of a role for a device's certificate: GET /role-aliases/{alias}/credentials.

import assert from 'node:assert/strict';
import https from 'node:https';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import * as sts from '@aws-sdk/client-sts';
import { account, iamArn, iamClient, iotArn, iotClient, keyOf, policyOf, stsClient, trustOf }
  from '../harness/aws.mjs';
import { deviceCertificate, rootOf } from '../harness/certificates.mjs';
import { deadline, within } from '../harness/raw.mjs';
import { run, Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

const service = 'credentials.iot.amazonaws.com';

for (const compat of ['mqtt', 'aws']) {
  describe(`credential provider, compat=${compat}`, { timeout: 120_000 }, () => {
    let server;
    let things;
    let users;
    before(async () => {
      server = await Server.start({ listeners: true, shards: 2,
        env: { GNOMON_LOCAL: 'false', GNOMON_COMPAT: compat } });
      things = iotClient(server);
      users = iamClient(server);
    });
    after(async () => {
      things?.destroy();
      users?.destroy();
      await server?.stop();
    });

    // A role, with what it may do, and an alias of it: {RoleName, RoleArn, roleAlias}.
    async function alias({ trust = trustOf({ Service: service }), may = [['Allow', 'iot:*', '*']],
      seconds = 3600, longest = 3600 } = {}) {
      const RoleName = unique('role');
      const { Role } = await users.send(new iam.CreateRoleCommand({ RoleName,
        AssumeRolePolicyDocument: trust, MaxSessionDuration: longest }));
      await users.send(new iam.PutRolePolicyCommand({ RoleName, PolicyName: 'may',
        PolicyDocument: policyOf(...may) }));
      const roleAlias = unique('alias');
      await things.send(new iot.CreateRoleAliasCommand({ roleAlias, roleArn: Role.Arn,
        credentialDurationSeconds: seconds }));
      return { RoleName, roleAlias };
    }

    // A certificate that may ask for an alias: {id, arn, cert, key, policyName}.
    async function device(roleAlias, effect = 'Allow') {
      const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
      const policyName = unique('policy');
      await things.send(new iot.CreatePolicyCommand({ policyName, policyDocument: policyOf(
        [effect, 'iot:AssumeRoleWithCertificate', iotArn(`rolealias/${roleAlias}`)]) }));
      await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
      return { id: made.certificateId, arn: made.certificateArn, policyName,
        cert: made.certificatePem, key: made.keyPair.PrivateKey };
    }

    // What the provider answers: {status, body, headers}.
    function ask(roleAlias, { cert, key } = {}, { headers = {}, agent, path, method = 'GET' } = {}) {
      return within(deadline, 'the credentials', new Promise((resolve, reject) => {
        https.request({ host: 'localhost', port: server.ports.https, ...rootOf(server), cert, key,
          agent: agent ?? false, headers, method,
          path: path ?? `/role-aliases/${roleAlias}/credentials` }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part) => { text += part; });
          response.once('end', () => resolve({ status: response.statusCode,
            headers: response.headers, body: JSON.parse(text) }));
        }).once('error', reject).end();
      }));
    }
    async function given(...words) {
      const { status, body } = await ask(...words);
      assert.equal(status, 200, JSON.stringify(body));
      const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
      return { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey,
        SessionToken: sessionToken };
    }
    async function refused(status, pattern, ...words) {
      const answer = await ask(...words);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.match(answer.body.message, pattern);
    }
    // Whether the credentials let somebody describe a thing.
    async function mayDescribe(key, thingName) {
      const client = iotClient(server, { key });
      try {
        await client.send(new iot.DescribeThingCommand({ thingName }));
        return true;
      } catch (error) {
        if (error.name === 'ResourceNotFoundException') return true;
        assert.equal(error.$metadata.httpStatusCode, 403);
        return false;
      } finally {
        client.destroy();
      }
    }

    it('gives what AWS SDKs call with, for as long as the alias says', async () => {
      const { RoleName, roleAlias } = await alias({ seconds: 900 });
      const lamp = await device(roleAlias);
      const asked = Date.now();
      const { body, headers } = await ask(roleAlias, lamp);
      assert.equal(headers['content-type'], 'application/json');
      assert.deepEqual(Object.keys(body.credentials).sort(),
        ['accessKeyId', 'expiration', 'secretAccessKey', 'sessionToken']);
      assert.match(body.credentials.accessKeyId, /^ASIA[A-Z2-7]{16}$/);
      assert.match(body.credentials.expiration, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      const lasts = (Date.parse(body.credentials.expiration) - asked) / 1000;
      assert.ok(lasts > 895 && lasts < 960, `${lasts} s`);

      const key = await given(roleAlias, lamp);
      const client = stsClient(server, { key });
      const identity = await client.send(new sts.GetCallerIdentityCommand({}));
      assert.equal(identity.Arn, `arn:aws:sts::${account}:assumed-role/${RoleName}/${lamp.id}`);
      client.destroy();
      assert.equal(await mayDescribe(key, 'any'), true);
    });

    it('the role\'s policies know the device', async () => {
      const { roleAlias } = await alias({ may: [
        ['Allow', 'iot:DescribeThing', iotArn('thing/${credentials-iot:ThingName}')],
        ['Allow', 'iot:DescribeThing', iotArn('thing/of-${credentials-iot:AwsCertificateId}')],
        ['Allow', 'iot:DescribeThing', iotArn('thing/a-${credentials-iot:ThingTypeName}')]] });
      const lamp = await device(roleAlias);
      const [thingName, thingTypeName] = [unique('lamp'), unique('bulb')];
      await things.send(new iot.CreateThingTypeCommand({ thingTypeName }));
      await things.send(new iot.CreateThingCommand({ thingName, thingTypeName }));
      await things.send(new iot.AttachThingPrincipalCommand({ thingName, principal: lamp.arn }));
      const named = await given(roleAlias, lamp, { headers: { 'x-amzn-iot-thingname': thingName } });
      const unnamed = await given(roleAlias, lamp);
      for (const [thing, withName, without] of [[thingName, true, false], ['other', false, false],
        [`of-${lamp.id}`, true, true], [`a-${thingTypeName}`, true, false]]) {
        assert.equal(await mayDescribe(named, thing), withName, thing);
        assert.equal(await mayDescribe(unnamed, thing), without, thing);
      }
    });

    it('a thing that is not the certificate\'s', async () => {
      const { roleAlias } = await alias();
      const lamp = await device(roleAlias);
      const thingName = unique('bell');
      await things.send(new iot.CreateThingCommand({ thingName }));
      for (const name of [thingName, unique('nothing'), 'x'.repeat(4000)]) {
        await refused(403, /is not attached to the thing/, roleAlias, lamp,
          { headers: { 'x-amzn-iot-thingname': name } });
      }
    });

    it('certificates that are none, or not ACTIVE', async () => {
      const { roleAlias } = await alias();
      await refused(403, /no identity/, roleAlias);
      const lamp = await device(roleAlias);
      for (const newStatus of ['INACTIVE', 'REVOKED']) {
        await things.send(new iot.UpdateCertificateCommand({ certificateId: lamp.id, newStatus }));
        await refused(403, new RegExp(`is ${newStatus}`), roleAlias, lamp);
      }
      await things.send(new iot.UpdateCertificateCommand({ certificateId: lamp.id,
        newStatus: 'ACTIVE' }));
      await given(roleAlias, lamp);
      await things.send(new iot.UpdateCertificateCommand({ certificateId: lamp.id,
        newStatus: 'INACTIVE' }));
      await things.send(new iot.DetachPolicyCommand({ policyName: lamp.policyName, target: lamp.arn }));
      await things.send(new iot.DeleteCertificateCommand({ certificateId: lamp.id }));
      await refused(403, /is not registered/, roleAlias, lamp);
    });

    it('a certificate of `gnomon device cert` may, if its policies let it', async () => {
      const { roleAlias } = await alias();
      const lamp = await deviceCertificate(server, unique('lamp'));
      await given(roleAlias, lamp);  // its policy gnomon-devices allows iot:*
    });

    it('policies of the certificate that do not let it', async () => {
      const { roleAlias } = await alias();
      const other = await device(unique('other'));
      await refused(403, /do not allow iot:AssumeRoleWithCertificate \(decision [0-9a-f]+\)/,
        roleAlias, other);
      const line = await server.untilLog(
        new RegExp(`credentials_denied decision=[0-9a-f]+ .*rolealias/${roleAlias}`));
      const decision = /decision=([0-9a-f]+)/.exec(line)[1];
      const { code, stdout } = await run(['policy', 'explain', decision, '--data', server.data]);
      assert.equal(code, 0);
      assert.match(stdout, /"iot:AssumeRoleWithCertificate" on .*IMPLICIT_DENY/);
      await refused(403, /decision/, roleAlias, await device(roleAlias, 'Deny'));
    });

    it('an alias that is not there, for who may ask and who may not', async () => {
      const missing = unique('missing');
      await refused(404, new RegExp(missing), missing, await device(missing));
      await refused(403, /decision/, missing, await device('another'));
    });

    it('roles that do not trust the provider, are gone, or do not last so long', async () => {
      for (const trust of [trustOf({ Service: 'iot.amazonaws.com' }), trustOf({ AWS: account }),
        trustOf({ Service: service }, { StringEquals: { 'aws:SourceArn': 'arn:aws:iot:x' } })]) {
        const { roleAlias } = await alias({ trust });
        await refused(403, /not authorized to perform: sts:AssumeRole/, roleAlias,
          await device(roleAlias));
      }
      const { RoleName, roleAlias } = await alias();
      const lamp = await device(roleAlias);
      const key = await given(roleAlias, lamp);
      await users.send(new iam.DeleteRolePolicyCommand({ RoleName, PolicyName: 'may' }));
      await users.send(new iam.DeleteRoleCommand({ RoleName }));
      await refused(403, /sts:AssumeRole/, roleAlias, lamp);
      assert.equal(await mayDescribe(key, 'any'), false, 'its sessions end with the role');
      const long = await alias({ seconds: 7200, longest: 3600 });
      await refused(403, /3600 seconds at most/, long.roleAlias, await device(long.roleAlias));
      const longer = await alias({ seconds: 7200, longest: 7200 });
      await given(longer.roleAlias, await device(longer.roleAlias));
    });

    it('every request is judged anew, on one connection too', async () => {
      const { roleAlias } = await alias();
      const lamp = await device(roleAlias);
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      try {
        await given(roleAlias, lamp, { agent });
        await things.send(new iot.UpdateCertificateCommand({ certificateId: lamp.id,
          newStatus: 'REVOKED' }));
        await refused(403, /is REVOKED/, roleAlias, lamp, { agent });
      } finally {
        agent.destroy();
      }
    });

    it('who signs acts by the signature alone; other paths and methods are none of it', async () => {
      const { roleAlias } = await alias();
      const lamp = await device(roleAlias);
      const headers = { 'x-amz-date': '20261127T000000Z', 'x-amz-content-sha256': 'x',
        authorization: `AWS4-HMAC-SHA256 Credential=${keyOf(server).AccessKeyId}/20261127/us-east-1/` +
          'iot/aws4_request, SignedHeaders=host;x-amz-date, Signature=00' };
      const signed = await ask(roleAlias, lamp, { headers });
      assert.notEqual(signed.status, 200);
      assert.equal(signed.body.credentials, undefined);
      for (const how of [{ path: `/role-aliases/${roleAlias}` }, { path: '/role-aliases//credentials' },
        { path: `/role-aliases/${roleAlias}/credentials/` }, { method: 'POST' },
        { path: `/role-aliases/a/${roleAlias}/credentials` }]) {
        const { status } = await ask(roleAlias, lamp, how);
        assert.ok(status >= 400 && status < 500, `${JSON.stringify(how)}: ${status}`);
      }
    });
  });
}
