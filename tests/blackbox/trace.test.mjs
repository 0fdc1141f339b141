// gnomon trace: the packets of a client as they come and go.

import assert from 'node:assert/strict';
import { deadline, within } from '../harness/raw.mjs';
import { run, start } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

// Starts `gnomon trace`, and returns it when the server watches.
async function watching(w, id, ...args) {
  const trace = start(['trace', id, '--admin', w.server.ready.admin, ...args]);
  w.opened.push(() => trace.process.kill('SIGKILL'));
  await within(deadline, () => `watching\n${trace.stderr()}`, new Promise((resolve) => {
    trace.process.stderr.on('data', () => { if (/watching.*\n/.test(trace.stderr())) resolve(); });
  }));
  return trace;
}
const lines = async (trace) => {
  const { code, stdout } = await within(deadline, () => `the end\n${trace.stderr()}`, trace.ended);
  assert.equal(code, 0, trace.stderr());
  return stdout.trim().split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3} /, ''));
};

suite('gnomon trace', (test) => {
  test.each([4, 5], 'from CONNECT to the end', async (w, v) => {
    const id = w.topic('me');
    const trace = await watching(w, id, '-C', '13');
    assert.match(trace.stderr(), /not connected/);
    const raw = await w.raw(v, { id });
    await raw.subscribe({ filter: 'x', qos: 1 });
    await raw.published('x', 'hello', { packetId: 7 });
    await raw.message();
    await raw.fence();
    const other = await w.raw(v);
    await other.published('x', 'from another');
    await raw.message();
    await raw.goodbye();
    const told = await lines(trace);
    assert.match(told[0], new RegExp(`^> CONNECT ${id} version ${v} clean keep-alive 60$`));
    assert.deepEqual(told.slice(1, 4), ['< CONNACK', '> SUBSCRIBE 1 x (QoS 1)', '< SUBACK 1 1']);
    assert.deepEqual(told.slice(4, 9).sort(), ['< PINGRESP', '< PUBACK 7',
      '< PUBLISH x QoS 1 id 1, 5 bytes', '> PINGREQ', '> PUBACK 1', '> PUBLISH x QoS 1 id 7, 5 bytes',
    ].filter((line) => told.slice(4, 9).includes(line)).sort());
    assert.ok(told.includes('< PUBLISH x QoS 1 id 2, 12 bytes'));
    assert.equal(told.at(-1), '> DISCONNECT');
  });

  test('of a client that is connected, and not of others', async (w) => {
    for (const staying of [{}, { clean: false, props: { sessionExpiry: 100 } }]) {
      const id = w.topic(`here ${JSON.stringify(staying)}`);
      const raw = await w.raw(5, { id, ...staying });
      const other = await w.raw(5);
      await raw.subscribe({ filter: w.topic('#'), qos: 2 });
      const trace = await watching(w, id, '--json', '-C', '6');
      await other.published(w.topic('other'), 'xyz', { qos: 2 });
      await raw.message();
      await raw.fence();
      const told = (await lines(trace)).map((line) => JSON.parse(line));
      assert.deepEqual(told.map(({ from, packet }) => `${from} ${packet.split(' ')[0]}`),
        ['server PUBLISH', 'client PUBREC', 'server PUBREL', 'client PUBCOMP', 'client PINGREQ',
          'server PINGRESP']);
      assert.ok(Math.abs(told[0].at_ms - Date.now()) < 60_000);
    }
  });

  test('too many packets: the newest are kept, the others counted', async (w) => {
    const id = w.topic('busy');
    const raw = await w.raw(5, { id });
    const begun = await w.server.get(`/traces?client=${encodeURIComponent(id)}`, { method: 'POST' });
    const { trace, connected } = await begun.json();
    assert.equal(connected, true);
    for (let n = 0; n < 1500; ++n) raw.publish(w.topic(), 'x');
    await raw.fence();
    const { packets, dropped } = await (await w.server.get(`/traces/${trace}`)).json();
    assert.deepEqual([packets.length, dropped], [1000, 502]);
    const again = await w.server.get(`/traces?client=${encodeURIComponent(id)}`, { method: 'POST' });
    assert.equal(again.status, 409);
    assert.equal((await w.server.get(`/traces/${trace}`, { method: 'DELETE' })).status, 200);
    assert.equal((await w.server.get(`/traces/${trace}`)).status, 404);
    await raw.published(w.topic(), 'goes on');
  });

  test('SIGINT ends it well; it may begin again', async (w) => {
    for (let n = 0; n < 2; ++n) {
      const trace = await watching(w, w.topic('nobody'));
      trace.process.kill('SIGINT');
      assert.deepEqual(await lines(trace), ['']);
    }
  });

  test('bad questions', async (w) => {
    for (const [target, method, status] of [['/traces', 'POST', 400], ['/traces?x=y', 'POST', 400],
      ['/traces/1x', 'GET', 404], ['/traces/999', 'DELETE', 404], ['/traces', 'GET', 405]]) {
      assert.equal((await w.server.get(target, { method })).status, status, target);
    }
    const many = [];
    const begun = [];
    for (let n = 0; n < 17; ++n) {
      const answer = await w.server.get(`/traces?client=${n}`, { method: 'POST' });
      many.push(answer.status);
      if (answer.ok) begun.push((await answer.json()).trace);
    }
    for (const trace of begun) await w.server.get(`/traces/${trace}`, { method: 'DELETE' });
    assert.deepEqual(many, [...Array(16).fill(200), 409]);
    assert.equal((await run(['trace'])).code, 2);
  });
}, { concurrency: 1 });
