// `gnomon policy explain`: why a connection was refused, and what policies decide of anybody.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { iamArn, iamClient, iotArn, iotClient, policyOf } from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import * as codec from '../harness/codec.mjs';
import { Raw } from '../harness/raw.mjs';
import { run, Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

describe('gnomon policy explain', { timeout: 120_000 }, () => {
  let server;
  let things;
  let users;
  before(async () => {
    server = await Server.start({ listeners: true, shards: 2, env: { GNOMON_LOCAL: 'false' } });
    things = iotClient(server);
    users = iamClient(server);
  });
  after(async () => {
    things?.destroy();
    users?.destroy();
    await server?.stop();
  });

  const explain = (...words) => run(['policy', 'explain', ...words, '--data', server.data]);
  async function explained(...words) {
    const { code, stdout, stderr } = await explain(...words);
    assert.equal(code, 0, stderr);
    return stdout;
  }
  const asJson = async (...words) => JSON.parse(await explained(...words, '--json'));

  // A certificate with a policy: {id, arn, cert, key}.
  async function device(...statements) {
    const made = await things.send(new iot.CreateKeysAndCertificateCommand({ setAsActive: true }));
    const policyName = unique('policy');
    await things.send(new iot.CreatePolicyCommand({ policyName,
      policyDocument: policyOf(...statements) }));
    await things.send(new iot.AttachPolicyCommand({ policyName, target: made.certificateArn }));
    return { id: made.certificateId, arn: made.certificateArn, policyName,
      cert: made.certificatePem, key: made.keyPair.PrivateKey };
  }

  // Connects, is refused, and returns the decision that the log names.
  async function refused({ cert, key }, id) {
    const raw = await Raw.open(server.ports.mqtts, { v: 5, secure: { ...rootOf(server), cert, key } });
    raw.send(codec.connect({ v: 5, id }));
    assert.equal((await raw.expect('connack')).code, 0x87);
    raw.destroy();
    const line = await server.untilLog(new RegExp(`connect_denied decision=[0-9a-f]+ .*client/${id}`));
    return /decision=([0-9a-f]+)/.exec(line)[1];
  }

  it('a refused connection, by the decision in the log', async () => {
    const lamp = await device(
      ['Allow', 'iot:Connect', iotArn('client/${iot:Certificate.Subject.CommonName}')],
      ['Allow', 'iot:Publish', '*']);
    const id = unique('lamp');
    const decision = await refused(lamp, id);
    const text = await explained(decision);
    assert.match(text, new RegExp(`^Decision ${decision} of 20\\d\\d-\\S+Z\nPrincipal ${lamp.id}, client id ${id}\n`));
    assert.match(text, new RegExp(`"iot:Connect" on "${iotArn(`client/${id}`)}": IMPLICIT_DENY`));
    assert.match(text, /\$\{iot:Certificate\.Subject\.CommonName\}: "AWS IoT Certificate"/);

    const answer = await asJson(decision);
    assert.equal(answer.decisionId, decision);
    assert.equal(answer.principal, lamp.id);
    assert.equal(answer.clientId, id);
    assert.equal(answer.verdict, 'IMPLICIT_DENY');
    const [first, second] = answer.statements;
    assert.equal(first.policy, `${lamp.policyName}:1`);
    assert.equal(first.number, 1);
    assert.equal(first.matches, false);
    assert.deepEqual(first.variables, [{ name: 'iot:Certificate.Subject.CommonName',
      values: ['AWS IoT Certificate'] }]);
    assert.match(second.why, /^the action is none of Action "iot:Publish"/);

    // What is remembered is what was decided then.
    await things.send(new iot.DetachPolicyCommand({ policyName: lamp.policyName, target: lamp.arn }));
    assert.deepEqual(await asJson(decision), answer);
  });

  it('any device, action and resource', async () => {
    const lamp = await device(
      ['Allow', ['iot:Connect', 'iot:Publish'], '*', { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } }],
      ['Deny', 'iot:Publish', iotArn('topic/secret/*')]);
    const ask = (...words) => asJson('--principal', lamp.id, ...words);
    const from = (address) => ['--context', `aws:SourceIp=${address}`];
    const publish = ['--action', 'iot:Publish', '--resource'];
    assert.equal((await ask(...publish, 'state', ...from('192.0.2.9'))).verdict, 'ALLOWED');
    assert.equal((await ask(...publish, 'state', ...from('198.51.100.9'))).verdict, 'IMPLICIT_DENY');
    const secret = await ask(...publish, 'secret/a', ...from('192.0.2.9'));
    assert.equal(secret.verdict, 'EXPLICIT_DENY');
    assert.equal(secret.resource, iotArn('topic/secret/a'));
    assert.match(secret.why, /^denied by statement 2 of policy/);
    const unknown = await ask('--action', 'iot:Connect', '--client-id', 'lamp');
    assert.equal(unknown.resource, iotArn('client/lamp'));
    assert.equal(unknown.verdict, 'IMPLICIT_DENY');
    assert.deepEqual(unknown.statements[0].missingKeys, ['aws:SourceIp']);
    const byArn = await asJson('--principal', lamp.arn, '--action', 'iot:Connect',
      '--resource', iotArn('client/lamp'), ...from('192.0.2.9'));
    assert.equal(byArn.verdict, 'ALLOWED');
    assert.equal((await asJson('--principal', 'user/anna', '--action', 'iot:Connect',
      '--client-id', 'a')).why, 'allowed by statement 1 of policy "gnomon-users:1" (identity gnomon:users)');
  });

  it('any user, and who may ask', async () => {
    const UserName = unique('Ann');
    await users.send(new iam.CreateUserCommand({ UserName }));
    await users.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'own',
      PolicyDocument: policyOf(['Allow', 'iot:*', iotArn('thing/${aws:username}-*')]) }));
    const ask = (resource) => asJson('--principal', iamArn(`user/${UserName}`),
      '--action', 'iot:CreateThing', '--resource', iotArn(`thing/${resource}`));
    const yes = await ask(`${UserName}-1`);
    assert.equal(yes.verdict, 'ALLOWED');
    assert.deepEqual(yes.statements[0].variables, [{ name: 'aws:username', values: [UserName] }]);
    assert.equal((await ask('other')).verdict, 'IMPLICIT_DENY');
    assert.equal((await asJson('--principal', iamArn('root'), '--action', 'iot:CreateThing')).verdict,
      'ALLOWED');

    const { AccessKey } = await users.send(new iam.CreateAccessKeyCommand({ UserName }));
    const env = { AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId, AWS_REGION: 'us-east-1',
      AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey };
    const asUser = () => run(['policy', 'explain', '--principal', 'local', '--action', 'iot:Connect',
      '--endpoint', `http://127.0.0.1:${server.ports.http}`], { env });
    const denied = await asUser();
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /not authorized to perform: gnomon:ExplainPolicy on resource: \*/);
    await users.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'ask',
      PolicyDocument: policyOf(['Allow', 'gnomon:ExplainPolicy', '*']) }));
    const allowed = await asUser();
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.match(allowed.stdout, /^Principal local\n"iot:Connect" on "\*": ALLOWED\n/);
  });

  it('what there is not, and misuse', async () => {
    const nobody = '0'.repeat(64);
    for (const [words, message] of [
      [['0123456789ab'], /There is no decision 0123456789ab/],
      [['--principal', nobody, '--action', 'iot:Connect'], new RegExp(nobody)],
      [['--principal', 'someone', '--action', 'iot:Connect'], /someone|target/],
      [['--principal', iamArn('user/Nobody'), '--action', 'iot:Connect'], /user\/Nobody/],
      [['--principal', 'local', '--action', 'iot:CreateThing', '--resource', 'lamp'],
        /resource of iot:CreateThing must be an ARN/],
    ]) {
      const { code, stderr } = await explain(...words);
      assert.equal(code, 1, words.join(' '));
      assert.match(stderr, message);
    }
    for (const words of [[], ['--principal', 'local'], ['x', '--action', 'iot:Connect'],
      ['--principal', 'local', '--action', 'a', '--context', 'x']]) {
      const { code, stderr } = await explain(...words);
      assert.equal(code, 2, words.join(' '));
      assert.match(stderr, /--help/);
    }
  });

  it('is no operation of iot, and of nobody who does not sign', async () => {
    const url = `http://127.0.0.1:${server.ports.http}/_gnomon/policy/explain`;
    const unsigned = await fetch(url, { method: 'POST', body: '{"decisionId":"x"}' });
    assert.equal(unsigned.status, 403);
    const known = things.config;
    const other = new iot.IoTClient({ endpoint: `http://127.0.0.1:${server.ports.http}`,
      region: 'us-east-1', credentials: known.credentials, maxAttempts: 1 });
    other.middlewareStack.add((next) => (args) => {
      args.request.path = '/_gnomon/policy/explain';
      args.request.method = 'POST';
      return next(args);
    }, { step: 'build' });
    await assert.rejects(other.send(new iot.ListThingsCommand({})),
      (error) => error.$metadata.httpStatusCode === 404);
    other.destroy();
  });
});
