// gnomon search: the fleet index from the command line.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iot from '@aws-sdk/client-iot';
import { iotClient } from '../harness/aws.mjs';
import { run, Server } from '../harness/server.mjs';

describe('gnomon search', { timeout: 120_000 }, () => {
  let server, aws;
  before(async () => {
    server = await Server.start({ listeners: true, shards: 2 });
    aws = iotClient(server);
  });
  after(async () => { await server?.stop(); });

  const search = (...words) => run(['search', ...words, '--data', server.data]);
  const call = (Command, input) => aws.send(new iot[`${Command}Command`](input));

  it('says how the index is switched on', async () => {
    const { code, stderr } = await search('*');
    assert.equal(code, 1);
    assert.match(stderr, /^gnomon search: SearchIndex: .*not indexed.*UpdateIndexingConfiguration/);
  });

  it('lists what a query matches', async () => {
    await call('CreateThingType', { thingTypeName: 'bulb' });
    for (let i = 1; i <= 3; ++i) {
      await call('CreateThing', { thingName: `lamp-${i}`, thingTypeName: 'bulb',
        attributePayload: { attributes: { size: `${i}` } } });
    }
    await call('CreateThingGroup', { thingGroupName: 'home' });
    await call('AddThingToThingGroup', { thingName: 'lamp-2', thingGroupName: 'home' });
    await call('UpdateIndexingConfiguration', {
      thingIndexingConfiguration: { thingIndexingMode: 'REGISTRY' },
      thingGroupIndexingConfiguration: { thingGroupIndexingMode: 'ON' } });
    for (let status; status !== 'ACTIVE';)
      status = (await call('DescribeIndex', { indexName: 'AWS_Things' })).indexStatus;

    const table = await search('attributes.size>1');
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^THING +TYPE +CONNECTED +GROUPS +ATTRIBUTES\nlamp-2 +bulb +- +home +size=2 *\nlamp-3 +bulb +- +size=3 *\n$/);
    const lines = (await search('thingName:lamp-*', '--json', '--limit', '2')).stdout.trimEnd().split('\n');
    assert.deepEqual(lines.map((line) => JSON.parse(line).thingName), ['lamp-1', 'lamp-2']);
    assert.equal((await search('*', '--count')).stdout, '3\n');
    assert.match((await search('*', '--groups')).stdout, /^GROUP +PARENTS +ATTRIBUTES\nhome/);
    const wrong = await search('thingName:');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /a value is missing \(at character 11\)/);
    assert.equal((await search()).code, 2);
  });
});
