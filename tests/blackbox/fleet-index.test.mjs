// The fleet index, through AWS's SDK: switched on and off, searched, summed up; it tells what was
// acknowledged, also after a crash.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as iot from '@aws-sdk/client-iot';
import * as data from '@aws-sdk/client-iot-data-plane';
import { dataClient, iotClient } from '../harness/aws.mjs';
import { Raw } from '../harness/raw.mjs';
import { Server } from '../harness/server.mjs';

const everything = {
  thingIndexingMode: 'REGISTRY_AND_SHADOW',
  thingConnectivityIndexingMode: 'STATUS',
  namedShadowIndexingMode: 'ON',
  filter: { namedShadowNames: ['pos'] },
};

describe('fleet index', { timeout: 180_000 }, () => {
  let server, aws, shadows;
  const use = (started) => {
    server = started;
    aws = iotClient(server);
    shadows = dataClient(server);
  };
  before(async () => { use(await Server.start({ listeners: true, shards: 3 })); });
  after(async () => { await server?.stop(); });

  const call = (Command, input) => aws.send(new iot[`${Command}Command`](input ?? {}));
  const fails = (name, promise) => assert.rejects(promise, { name });
  async function search(queryString, more) {
    const found = [];
    let nextToken;
    do {
      const page = await call('SearchIndex', { queryString, nextToken, ...more });
      found.push(...page.things.map((thing) => thing.thingName));
      nextToken = page.nextToken;
    } while (nextToken);
    return found;
  }
  const update = (thingName, state, shadowName) => shadows.send(new data.UpdateThingShadowCommand({
    thingName, shadowName, payload: Buffer.from(JSON.stringify({ state })) }));
  // What was asked for is there: DescribeIndex says ACTIVE.
  async function active() {
    for (;;) {
      const { indexStatus } = await call('DescribeIndex', { indexName: 'AWS_Things' });
      if (indexStatus === 'ACTIVE') return;
    }
  }
  async function index(configuration) {
    await call('UpdateIndexingConfiguration', { thingIndexingConfiguration: configuration });
    if (configuration.thingIndexingMode !== 'OFF') await active();
  }

  it('is off at first; what was there before is indexed when it is switched on', async () => {
    for (let i = 0; i < 250; ++i) {
      const thingName = `old-${String(i).padStart(3, '0')}`;
      await call('CreateThing', { thingName, attributePayload: { attributes: { n: `${i}` } } });
      if (i % 10 === 0) await update(thingName, { reported: { tens: i / 10 } });
      if (i % 50 === 0) await update(thingName, { reported: { at: [i, 1] } }, 'pos');
    }
    await fails('ResourceNotFoundException', call('SearchIndex', { queryString: '*' }));
    await index(everything);
    assert.equal((await search('thingName:old-*')).length, 250);
    assert.deepEqual(await search('attributes.n:[248 TO *]'), ['old-248', 'old-249']);
    assert.deepEqual(await search('shadow.reported.tens>23'), ['old-240']);
    assert.deepEqual(await search('shadow.name.pos.reported.at:150'), ['old-150']);
    assert.deepEqual(await search('attributes.n:7 OR shadow.reported.tens:2'), ['old-007', 'old-020']);
  });

  it('sees what was acknowledged, at once', async () => {
    await call('CreateThing', { thingName: 'live' });
    for (let i = 0; i < 30; ++i) {
      await update('live', { desired: { step: i }, reported: { step: i - 1 } });
      assert.deepEqual(await search(`shadow.desired.step:${i} AND shadow.hasDelta:true`), ['live']);
      assert.deepEqual(await search(`shadow.reported.step:${i}`), []);
    }
    await update('live', { reported: { step: 29 } });
    assert.deepEqual(await search('shadow.hasDelta:true AND thingName:live'), []);
    await call('UpdateThing', { thingName: 'live', attributePayload: { attributes: { color: 'Red' } } });
    assert.deepEqual(await search('attributes.color:red'), ['live']);
    const { things: [live] } = await call('SearchIndex', { queryString: 'thingName:live' });
    assert.deepEqual(live.attributes, { color: 'Red' });
    const { desired, reported, version, hasDelta, metadata } = JSON.parse(live.shadow);
    assert.deepEqual([desired, reported, version, hasDelta], [{ step: 29 }, { step: 29 }, 31, false]);
    assert.ok(metadata.desired.step.timestamp > 1.7e9);
    await shadows.send(new data.DeleteThingShadowCommand({ thingName: 'live' }));
    assert.deepEqual(await search('shadow.desired.step:*'), []);
    await call('DeleteThing', { thingName: 'live' });
    assert.deepEqual(await search('attributes.color:red'), []);
  });

  it('an update over MQTT is found when it is accepted', async () => {
    await call('CreateThing', { thingName: 'mqtt' });
    const device = await (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id: 'index-device' });
    await device.subscribe({ filter: '$aws/things/mqtt/shadow/update/accepted', qos: 1 });
    for (let i = 0; i < 10; ++i) {
      await device.published('$aws/things/mqtt/shadow/update', JSON.stringify({ state: { reported: { i } } }));
      await device.messages(1);
      assert.deepEqual(await search(`shadow.reported.i:${i} AND thingName:mqtt`), ['mqtt']);
    }
    device.destroy();
  });

  it('queries that cannot be are refused, with the reason', async () => {
    await fails('InvalidQueryException', search('thingName:'));
    await fails('InvalidQueryException', search('unknown:1'));
    await fails('InvalidQueryException', search('shadow.name.other.reported.x:1'));
    await fails('InvalidRequestException', search('*', { maxResults: 501 }));
    await fails('ResourceNotFoundException', search('*', { indexName: 'Other' }));
    await fails('InvalidAggregationException',
      call('GetStatistics', { queryString: '*', aggregationField: 'unknown' }));
  });

  it('sums', async () => {
    const field = { queryString: 'thingName:old-*', aggregationField: 'shadow.reported.tens' };
    const { statistics } = await call('GetStatistics', field);
    assert.deepEqual([statistics.count, statistics.minimum, statistics.maximum, statistics.average],
      [25, 0, 24, 12]);
    const { percentiles } = await call('GetPercentiles', { ...field, percents: [50] });
    assert.deepEqual(percentiles, [{ percent: 50, value: 12 }]);
    assert.equal((await call('GetCardinality', field)).cardinality, 25);
    const { totalCount, buckets } = await call('GetBucketsAggregation', { ...field,
      bucketsAggregationType: { termsAggregation: { maxBuckets: 3 } } });
    assert.equal(totalCount, 250);
    assert.deepEqual(buckets.map((bucket) => bucket.count), [1, 1, 1]);
  });

  it('dynamic groups follow what things become', async () => {
    await call('CreateDynamicThingGroup', { thingGroupName: 'hot', queryString: 'shadow.reported.temp>50' });
    const members = async () => (await call('ListThingsInThingGroup', { thingGroupName: 'hot' })).things;
    assert.deepEqual(await members(), []);
    await update('old-001', { reported: { temp: 60 } });
    assert.deepEqual(await members(), ['old-001']);
    assert.deepEqual(await search('thingGroupNames:hot'), ['old-001']);
    const { thingGroups } = await call('ListThingGroupsForThing', { thingName: 'old-001' });
    assert.deepEqual(thingGroups.map((group) => group.groupName), ['hot']);
    await update('old-001', { reported: { temp: 40 } });
    assert.deepEqual(await members(), []);
    await call('DeleteDynamicThingGroup', { thingGroupName: 'hot' });
  });

  // What is told of connections comes a moment after the CONNACK.
  async function until(queryString, wanted) {
    for (;;) {
      const found = await search(queryString);
      if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    }
  }
  const connect = async (id) => (await Raw.open(server.port, { v: 5 })).connect({ v: 5, id });

  it('who is connected: from when, and why not any more', async () => {
    await call('CreateThing', { thingName: 'device' });
    const data = () => call('GetThingConnectivityData', { thingName: 'device' });
    assert.equal((await data()).connected, false);
    const began = Date.now();
    const device = await connect('device');
    const stranger = await connect('stranger');
    await until('connectivity.connected:true', ['device']);
    const is = await data();
    assert.deepEqual([is.connected, is.disconnectReason], [true, 'NONE']);
    assert.ok(Math.abs(is.timestamp.getTime() - began) < 60_000);
    device.destroy();
    stranger.destroy();
    await until('connectivity.disconnectReason:CONNECTION_LOST', ['device']);
    const { things: [thing] } = await call('SearchIndex', { queryString: 'thingName:device' });
    assert.equal(thing.connectivity.connected, false);
    assert.equal(thing.connectivity.disconnectReason, 'CONNECTION_LOST');
    const again = await connect('device');
    await until('connectivity.connected:true', ['device']);
    // Switched off and on: whoever is connected is known again.
    await index({ thingIndexingMode: 'REGISTRY' });
    await fails('InvalidQueryException', search('connectivity.connected:true'));
    await fails('IndexNotReadyException', data());
    await index(everything);
    assert.deepEqual(await search('connectivity.connected:true'), ['device']);
    again.destroy();
    await until('connectivity.connected:true', []);
    // A server that is killed finds nobody connected.
    const last = await connect('device');
    await until('connectivity.connected:true', ['device']);
    await server.restart('SIGKILL');
    last.destroy();
    use(server);
    assert.deepEqual(await search('connectivity.connected:true'), []);
    assert.equal((await data()).disconnectReason, 'SERVER_ERROR');
  });

  it('a crash loses nothing that was acknowledged, and building goes on', async () => {
    await index({ thingIndexingMode: 'OFF' });
    await call('UpdateIndexingConfiguration', { thingIndexingConfiguration: everything });
    await update('old-002', { reported: { last: 'word' } });
    await call('UpdateThing', { thingName: 'old-003', attributePayload: { attributes: { last: 'word' } } });
    await server.restart('SIGKILL');
    use(server);
    await active();
    assert.deepEqual(await search('shadow.reported.last:word'), ['old-002']);
    assert.deepEqual(await search('attributes.last:word'), ['old-003']);
    assert.equal((await search('thingName:old-*')).length, 250);
    assert.deepEqual(await search('shadow.reported.tens>23'), ['old-240']);
  });

  it('what is switched off is not found, and says so', async () => {
    await index({ thingIndexingMode: 'REGISTRY' });
    await fails('InvalidQueryException', search('shadow.reported.tens>23'));
    assert.equal((await search('attributes.n:7')).length, 1);
    await index({ thingIndexingMode: 'OFF' });
    await fails('ResourceNotFoundException', search('*'));
    const { thingIndexingConfiguration } = await call('GetIndexingConfiguration');
    assert.equal(thingIndexingConfiguration.thingIndexingMode, 'OFF');
  });
});
