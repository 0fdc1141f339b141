// What leads AWS's SDKs and the aws command to a server: its ready file, gnomon env, gnomon aws.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { IoTClient, ListThingsCommand } from '@aws-sdk/client-iot';
import { run, Server, temporaryFolder } from '../harness/server.mjs';

const region = 'eu-west-1';

async function withServer(body, { listeners = true, env = {} } = {}) {
  const server = await Server.start({ listeners,
    env: { GNOMON_REGION: region, ...env } });
  try {
    await body(server);
  } finally {
    await server.kill();
  }
}

// A command aws that prints what it was given, and the PATH that has it.
function fakeAws(folder) {
  fs.writeFileSync(path.join(folder, 'aws'), `#!/bin/sh
printf '%s\\n' "$@" "$AWS_ENDPOINT_URL" "$AWS_ACCESS_KEY_ID" "$AWS_REGION" "\${AWS_PROFILE-none}"
exit 7
`, { mode: 0o755 });
  return { PATH: `${folder}:${process.env.PATH}`, AWS_PROFILE: 'other' };
}

const keyOf = (server) => JSON.parse(
  fs.readFileSync(path.join(server.data, 'access-key.json'), 'utf8'));

describe('ready.json', { concurrency: 4 }, () => {
  it('is the ready line while the server runs, for its owner only, and gone afterwards', () =>
    withServer(async (server) => {
      const file = path.join(server.data, 'ready.json');
      assert.deepEqual(JSON.parse(fs.readFileSync(file, 'utf8')), server.ready);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      await server.end();
      assert.ok(!fs.existsSync(file));
      const { code, stdout, stderr } = await run(['env', '--data', server.data]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /no server runs on the data folder .*gnomon serve/);
    }));

  it('one that a killed server left is nobody\'s', () => withServer(async (server) => {
    await server.crash();
    assert.ok(fs.existsSync(path.join(server.data, 'ready.json')));
    assert.equal((await run(['env', '--data', server.data])).code, 1);
    await server.launch();
    assert.equal((await run(['env', '--data', server.data])).code, 0);
  }));
});

describe('gnomon env', { concurrency: 4 }, () => {
  it('what it prints lets an SDK in', () => withServer(async (server) => {
    const { code, stdout } = await run(['env', '--data', server.data, '--format', 'json']);
    assert.equal(code, 0);
    const said = JSON.parse(stdout);
    assert.deepEqual(said, {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${server.ports.http}`,
      AWS_ACCESS_KEY_ID: keyOf(server).AccessKeyId,
      AWS_SECRET_ACCESS_KEY: keyOf(server).SecretAccessKey,
      AWS_REGION: region, AWS_DEFAULT_REGION: region,
      AWS_CA_BUNDLE: path.join(server.data, 'root-ca.pem'),
    });
    const client = new IoTClient({ endpoint: said.AWS_ENDPOINT_URL, region: said.AWS_REGION,
      credentials: { accessKeyId: said.AWS_ACCESS_KEY_ID,
        secretAccessKey: said.AWS_SECRET_ACCESS_KEY } });
    assert.deepEqual((await client.send(new ListThingsCommand({}))).things, []);
    client.destroy();
  }));

  it('a shell takes it, whatever stands in the key, and its aws is led here', () => {
    const secret = 'it\'s$HOME`and`"quoted"\\';
    return withServer(async (server) => {
      const env = { GNOMON_ACCESS_KEY_ID: 'AKIDMINE', GNOMON_SECRET_ACCESS_KEY: secret };
      const { code, stdout, stderr } = await run(['env', '--data', server.data], { env });
      assert.equal(code, 0, stderr);
      const folder = temporaryFolder();
      const shell = spawnSync('sh', ['-c', `${stdout}\nprintf '%s\\n' "$AWS_SECRET_ACCESS_KEY"\n` +
        'aws iot list-things'], { encoding: 'utf8', env: { ...process.env, ...fakeAws(folder) } });
      fs.rmSync(folder, { recursive: true });
      assert.deepEqual(shell.stdout.trimEnd().split('\n'), [secret, '--endpoint-url',
        `http://127.0.0.1:${server.ports.http}`, 'iot', 'list-things',
        `http://127.0.0.1:${server.ports.http}`, 'AKIDMINE', region, 'none']);
    }, { env: { GNOMON_ACCESS_KEY_ID: 'AKIDMINE', GNOMON_SECRET_ACCESS_KEY: secret } });
  });

  it('GNOMON_DATA names the folder; --tls the other listener; env is for docker run', () =>
    withServer(async (server) => {
      const { code, stdout } = await run(['env', '--tls', '--format', 'env'],
        { env: { GNOMON_DATA: server.data } });
      assert.equal(code, 0);
      assert.equal(stdout.split('\n')[0],
        `AWS_ENDPOINT_URL=https://127.0.0.1:${[server.ports.https].flat()[0]}`);
      const { code: wrong, stderr } = await run(['env', '--format', 'csh']);
      assert.equal(wrong, 2);
      assert.match(stderr, /must be one of sh, fish, json, env/);
    }));

  it('neither http nor https: it says so', () => withServer(async (server) => {
    const { code, stderr } = await run(['env', '--data', server.data]);
    assert.equal(code, 1);
    assert.match(stderr, /listen\.http, listen\.https/);
  }, { listeners: false }));
});

describe('gnomon aws', { concurrency: 4 }, () => {
  it('becomes aws, with endpoint and key, and its exit code', () => withServer(async (server) => {
    const folder = temporaryFolder();
    const { code, stdout } = await run(
      ['aws', '--data', server.data, 'iot', 'describe-thing', '--thing-name', 'a b'],
      { env: fakeAws(folder) });
    fs.rmSync(folder, { recursive: true });
    assert.equal(code, 7);
    const url = `http://127.0.0.1:${server.ports.http}`;
    assert.deepEqual(stdout.trimEnd().split('\n'), ['--endpoint-url', url, 'iot', 'describe-thing',
      '--thing-name', 'a b', url, keyOf(server).AccessKeyId, region, 'none']);
  }));

  it('without aws, and with nothing for it to do, it says so', () => withServer(async (server) => {
    const none = await run(['aws', '--data', server.data, 'iot', 'list-things'],
      { env: { PATH: '/nowhere' } });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /there is no command aws on the PATH/);
    assert.equal((await run(['aws', '--data', server.data])).code, 2);
  }));
});
