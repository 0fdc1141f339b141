// gnomon shadow: a device shadow from the command line, and its history.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iam from '@aws-sdk/client-iam';
import { iamClient, policyOf } from '../harness/aws.mjs';
import { Raw } from '../harness/raw.mjs';
import { run, Server } from '../harness/server.mjs';
import { unique } from '../harness/suite.mjs';

describe('gnomon shadow', { timeout: 120_000 }, () => {
  let server;
  before(async () => { server = await Server.start({ listeners: true, shards: 3 }); });
  after(async () => { await server?.stop(); });

  const shadow = (...words) => run(['shadow', ...words, '--data', server.data]);
  async function done(...words) {
    const { code, stdout, stderr } = await shadow(...words);
    assert.equal(code, 0, stderr);
    return stdout;
  }
  async function fails(pattern, ...words) {
    const { code, stderr } = await shadow(...words);
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
  }

  it('reads and changes', async () => {
    const thing = unique('lamp');
    await fails(/No shadow exists with name/, 'get', thing);
    const accepted = JSON.parse(await done('update', thing, '--desired', '{"on":true}',
      '--reported', '{"on":false,"level":3}'));
    assert.deepEqual([accepted.version, accepted.state],
      [1, { desired: { on: true }, reported: { on: false, level: 3 } }]);
    assert.deepEqual(JSON.parse(await done('get', thing)).state,
      { desired: { on: true }, reported: { on: false, level: 3 }, delta: { on: true } });
    await done('update', thing, '--reported', 'null', '--version', 1);
    await fails(/Version conflict/, 'update', thing, '--desired', 'null', '--version', 1);
    await done('update', thing, '--name', 'night', '--desired', '{"on":null}');
    assert.deepEqual(JSON.parse(await done('get', thing, '--name', 'night')).state, {});
  });

  it('history, diff and restore', async () => {
    const thing = unique('lamp');
    const device = await (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: `${thing}-device` });
    await device.published(`$aws/things/${thing}/shadow/update`,
      '{"state":{"desired":{"on":true,"o":{"a":1,"b":2}}}}');
    await done('update', thing, '--desired', '{"on":false,"o":{"b":null,"c":[3]}}');
    await device.published(`$aws/things/${thing}/shadow/update`, '{"state":{"reported":{"on":false}}}');
    device.destroy();

    const lines = (await done('history', thing)).trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[0], new RegExp(`^3  \\S+  update by local as ${thing}-device over mqtt  ` +
      '\\{"reported":\\{"on":false\\}\\}$'));
    assert.match(lines[1], /^2 {2}\S+ {2}update by arn:aws:iam::123456789012:root over http {2}\{"desired"/);
    const objects = (await done('history', thing, '--json')).trimEnd().split('\n').map(JSON.parse);
    assert.deepEqual(objects.map(({ version, kind, source }) => [version, kind, source]),
      [[3, 'update', 'mqtt'], [2, 'update', 'http'], [1, 'update', 'mqtt']]);
    assert.deepEqual(JSON.parse(objects[2].state), { desired: { on: true, o: { a: 1, b: 2 } } });

    assert.equal(await done('diff', thing, '--from', 1), '- desired.o.b 2\n+ desired.o.c [3]\n' +
      '- desired.on true\n+ desired.on false\n+ reported.on false\n');
    assert.equal(await done('diff', thing, '--from', 2, '--to', 3), '+ reported.on false\n');
    assert.equal(await done('diff', thing, '--from', 3), '');
    await fails(/version 9 is not kept: there are 1 to 3/, 'diff', thing, '--from', 9);

    assert.equal(await done('restore', thing, '--version', 1), `${thing}: version 4 is as version 1 was\n`);
    assert.deepEqual(JSON.parse(await done('get', thing)).state,
      { desired: { on: true, o: { a: 1, b: 2 } }, delta: { on: true, o: { a: 1, b: 2 } } });
    assert.match((await done('history', thing)).split('\n')[0], /^4 {2}\S+ {2}restore by .* over http$/);
    await fails(/Version 9 is not kept: there are 1 to 4/, 'restore', thing, '--version', 9);
  });

  it('twenty versions are kept, also over a restart', async () => {
    const thing = unique('lamp');
    const device = await (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: unique('device') });
    for (let n = 1; n <= 25; ++n)
      await device.published(`$aws/things/${thing}/shadow/update`, `{"state":{"reported":{"n":${n}}}}`);
    await server.restart();
    const versions = (await done('history', thing)).trimEnd().split('\n').map((line) => Number.parseInt(line, 10));
    assert.deepEqual(versions, Array.from({ length: 20 }, (_, n) => 25 - n));
    await done('restore', thing, '--version', 6);
    await fails(/Version 6 is not kept: there are 7 to 26/, 'restore', thing, '--version', 6);
  });

  it('who may read a history, and restore', async () => {
    const thing = unique('lamp');
    await done('update', thing, '--desired', '{"on":true}');
    const users = iamClient(server);
    try {
      const UserName = unique('anna');
      await users.send(new iam.CreateUserCommand({ UserName }));
      await users.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument: policyOf(
        ['Allow', 'gnomon:ListShadowVersions', `arn:aws:gnomon:us-east-1:123456789012:thing/${thing}`]) }));
      const { AccessKey } = await users.send(new iam.CreateAccessKeyCommand({ UserName }));
      const as = (...words) => run(['shadow', ...words, '--endpoint', `http://127.0.0.1:${server.ports.http}`],
        { env: { AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId, AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey,
          AWS_REGION: 'us-east-1' } });
      assert.equal((await as('history', thing)).code, 0);
      for (const words of [['history', thing, '--name', 'night'], ['restore', thing, '--version', 1],
        ['get', thing]]) {
        const { code, stderr } = await as(...words);
        assert.equal(code, 1);
        assert.match(stderr, /not authorized/);
      }
    } finally {
      users.destroy();
    }
  });

  it('misuse', async () => {
    for (const [pattern, ...words] of [[/what to do is missing/], [/THING is missing/, 'get'],
      [/--desired or --reported/, 'update', 'lamp'], [/must be a JSON object/, 'update', 'lamp', '--desired', '5'],
      [/--from is missing/, 'diff', 'lamp'], [/--version is missing/, 'restore', 'lamp']]) {
      const { code, stderr } = await run(['shadow', ...words]);
      assert.equal(code, 2, `${words}`);
      assert.match(stderr, pattern);
    }
  });
});
