// The `aws` command, Debian's where there is one: version 2.9, which knows no AWS_ENDPOINT_URL.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { account, iamArn, iotArn, keyOf, policyOf, region, trustOf } from '../harness/aws.mjs';
import { rootOf } from '../harness/certificates.mjs';
import { suite, unique } from '../harness/suite.mjs';

const debian = '/usr/bin/aws';
const program = fs.existsSync(debian) ? debian : 'aws';

// Runs it: {code, output (parsed), stderr}.
function aws(server, args, { key = keyOf(server), secure } = {}) {
  const address = secure ? `https://127.0.0.1:${server.ports.https}`
    : `http://127.0.0.1:${server.ports.http}`;
  const env = {
    PATH: process.env.PATH, HOME: server.folder, AWS_EC2_METADATA_DISABLED: 'true',
    AWS_DEFAULT_REGION: region, AWS_PAGER: '', AWS_CA_BUNDLE: server.ready.ca,
    AWS_ACCESS_KEY_ID: key.AccessKeyId, AWS_SECRET_ACCESS_KEY: key.SecretAccessKey,
    ...(key.SessionToken && { AWS_SESSION_TOKEN: key.SessionToken }),
  };
  return new Promise((resolve) => {
    execFile(program, ['--endpoint-url', address, '--output', 'json', ...args.map(String)], { env },
      (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stderr,
        output: stdout.trim() ? JSON.parse(stdout) : undefined }));
  });
}

async function output(server, args, options) {
  const { code, output: answer, stderr } = await aws(server, args, options);
  assert.equal(code, 0, `aws ${args.join(' ')}: ${stderr}`);
  return answer;
}

for (const compat of ['mqtt', 'aws']) {
  suite(`the aws command, compat ${compat}`, (test) => {
    test('things, and pages of them', async ({ server }) => {
      const thing = unique('lamp');
      const made = await output(server, ['iot', 'create-thing', '--thing-name', thing,
        '--attribute-payload', '{"attributes":{"room":"hall"}}']);
      assert.equal(made.thingArn, iotArn(`thing/${thing}`));
      const told = await output(server, ['iot', 'describe-thing', '--thing-name', thing]);
      assert.deepEqual([told.attributes, told.version], [{ room: 'hall' }, 1]);
      const attribute = ['--attribute-name', 'set', '--attribute-value', thing];
      const names = [1, 2, 3].map((n) => `${thing}-${n}`);
      for (const name of names) {
        await output(server, ['iot', 'create-thing', '--thing-name', name, '--attribute-payload',
          JSON.stringify({ attributes: { set: thing } })]);
      }
      // The command asks for one page after the other.
      const { things } = await output(server, ['iot', 'list-things', ...attribute, '--page-size', 1]);
      assert.deepEqual(things.map(({ thingName }) => thingName), names);
      await output(server, ['iot', 'delete-thing', '--thing-name', thing]);
    });

    test('a device, over TLS: key and certificate to files, a policy, an attachment', async ({ server }) => {
      const secure = true;
      const [policy, thing] = [unique('policy'), unique('lamp')];
      const files = ['cert.pem', 'key.pem'].map((name) => path.join(server.folder, `${thing}.${name}`));
      const { certificateArn, certificateId } = await output(server, ['iot',
        'create-keys-and-certificate', '--set-as-active', '--certificate-pem-outfile', files[0],
        '--private-key-outfile', files[1]], { secure });
      assert.match(fs.readFileSync(files[0], 'utf8'), /^-----BEGIN CERTIFICATE-----/);
      assert.match(fs.readFileSync(files[1], 'utf8'), /PRIVATE KEY-----/);
      const document = policyOf(['Allow', 'iot:*', '*']);
      await output(server, ['iot', 'create-policy', '--policy-name', policy, '--policy-document',
        document], { secure });
      await output(server, ['iot', 'attach-policy', '--policy-name', policy, '--target',
        certificateArn], { secure });
      await output(server, ['iot', 'create-thing', '--thing-name', thing], { secure });
      await output(server, ['iot', 'attach-thing-principal', '--thing-name', thing, '--principal',
        certificateArn], { secure });
      const { principals } = await output(server, ['iot', 'list-thing-principals', '--thing-name',
        thing], { secure });
      assert.deepEqual(principals, [certificateArn]);
      const { effectivePolicies } = await output(server, ['iot', 'get-effective-policies',
        '--principal', certificateArn], { secure });
      assert.deepEqual(effectivePolicies.map(({ policyName }) => policyName), [policy]);
      const { certificateDescription } = await output(server, ['iot', 'describe-certificate',
        '--certificate-id', certificateId], { secure });
      assert.equal(certificateDescription.status, 'ACTIVE');
      assert.ok(rootOf(server).ca.length > 0);
    });

    test('users, roles and whose credentials they are', async ({ server }) => {
      const who = await output(server, ['sts', 'get-caller-identity']);
      assert.deepEqual([who.Account, who.Arn], [account, iamArn('root')]);
      const [user, role] = [unique('user'), unique('role')];
      await output(server, ['iam', 'create-user', '--user-name', user]);
      const { AccessKey: key } = await output(server, ['iam', 'create-access-key', '--user-name', user]);
      await output(server, ['iam', 'create-role', '--role-name', role,
        '--assume-role-policy-document', trustOf({ AWS: iamArn(`user/${user}`) })]);
      await output(server, ['iam', 'put-role-policy', '--role-name', role, '--policy-name', 'p',
        '--policy-document', policyOf(['Allow', 'iot:ListThings', '*'])]);
      const { Role } = await output(server, ['iam', 'get-role', '--role-name', role]);
      assert.equal(Role.AssumeRolePolicyDocument.Statement[0].Principal.AWS, iamArn(`user/${user}`));
      const { Credentials } = await output(server, ['sts', 'assume-role', '--role-arn',
        iamArn(`role/${role}`), '--role-session-name', 'session'], { key });
      await output(server, ['iot', 'list-things'], { key: Credentials });
      const { code, stderr } = await aws(server, ['iot', 'delete-thing', '--thing-name', 'x'],
        { key: Credentials });
      assert.equal(code, 254);
      assert.match(stderr, /\(AccessDeniedException\) when calling the DeleteThing operation: .*iot:DeleteThing/);
    });

    test('publishes, and reads what is retained', async ({ server }) => {
      const topic = unique('a/topic');
      const raw = ['--cli-binary-format', 'raw-in-base64-out'];
      await output(server, ['iot-data', 'publish', '--topic', topic, '--qos', 1, '--retain', '--payload', 'hello',
        ...raw]);
      const got = await output(server, ['iot-data', 'get-retained-message', '--topic', topic]);
      assert.deepEqual([got.topic, got.payload, got.qos], [topic, 'aGVsbG8=', 1]);
      const { retainedTopics } = await output(server, ['iot-data', 'list-retained-messages', '--max-results', 200]);
      const { lastModifiedTime } = got;
      assert.deepEqual(retainedTopics.find((one) => one.topic === topic),
        { topic, payloadSize: 5, qos: 1, lastModifiedTime });
      const { code, stderr } = await aws(server, ['iot-data', 'get-retained-message', '--topic', 'nothing/here']);
      assert.equal(code, 254);
      assert.match(stderr, /\(ResourceNotFoundException\) when calling the GetRetainedMessage operation: /);
    });

    test('errors are told in its own words', async ({ server }) => {
      for (const [args, words] of [
        [['iot', 'describe-thing', '--thing-name', 'nobody'],
          /\(ResourceNotFoundException\) when calling the DescribeThing operation: /],
        [['iot', 'create-thing', '--thing-name', 'a b'],
          /\(InvalidRequestException\) when calling the CreateThing operation: /],
        [['iam', 'get-user', '--user-name', 'nobody'],
          /\(NoSuchEntity\) when calling the GetUser operation: /],
        [['iot', 'create-job', '--job-id', 'j', '--targets', 'a', '--document', '{}'],
          /\(NotImplementedException\) when calling the CreateJob operation: .*iot:CreateJob/],
      ]) {
        const { code, stderr } = await aws(server, args);
        assert.equal(code, 254, stderr);
        assert.match(stderr, words);
      }
      const { code, stderr } = await aws(server, ['iot', 'list-things'],
        { key: { ...keyOf(server), SecretAccessKey: 'x'.repeat(40) } });
      assert.equal(code, 254);
      assert.match(stderr, /\((SignatureDoesNotMatch|InvalidSignatureException|UnrecognizedClientException)\)/);
    });
  }, { listeners: true, env: { GNOMON_COMPAT: compat }, shards: [2], concurrency: 2 });
}
