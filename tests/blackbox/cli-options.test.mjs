// gnomon pub and sub: the options that users of mosquitto_pub and mosquitto_sub know.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { deadline, within } from '../harness/raw.mjs';
import { run, start } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

// Starts `gnomon sub`, and returns it when the broker has taken its subscriptions.
async function subscribed(w, args) {
  const filters = args.filter((arg) => arg === '-t').length;
  const sub = start(['sub', '-p', String(w.server.port), '-d', ...args]);
  w.opened.push(() => sub.process.kill('SIGKILL'));
  await within(deadline, () => `SUBACK\n${sub.stderr()}`, new Promise((resolve) => {
    sub.process.stderr.on('data', () => {
      if (sub.stderr().split('SUBACK').length > filters) resolve();
    });
  }));
  return sub;
}
const pub = async (w, args, options) => {
  const result = await run(['pub', '-p', String(w.server.port), ...args], options);
  assert.deepEqual([result.code, result.stderr], [0, ''], args.join(' '));
};
const once = (w, args) => run(['sub', '-p', String(w.server.port), ...args]);
const output = async (sub) => {
  const { code, stdout } = await within(deadline, () => `the end\n${sub.stderr()}`, sub.ended);
  assert.equal(code, 0, sub.stderr());
  return stdout;
};

suite('options of gnomon pub and sub', (test) => {
  test('a file, and nothing', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic(), '-C', '2', '-F', '%l %p']);
    const file = path.join(w.server.folder, 'payload');
    fs.writeFileSync(file, 'from a file');
    await pub(w, ['-t', w.topic(), '-f', file]);
    await pub(w, ['-t', w.topic(), '-n']);
    assert.equal(await output(sub), '11 from a file\n0 \n');
    const { code, stderr } = await run(['pub', '-t', 'x', '-f', `${file}-not`]);
    assert.deepEqual([code, /cannot be read/.test(stderr)], [1, true]);
  });

  test('--repeat, at once and with a delay', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic(), '-C', '103', '-q', '1', '-N']);
    await pub(w, ['-t', w.topic(), '-m', 'x', '--repeat', '100', '-q', '1']);
    const begin = performance.now();
    await pub(w, ['-t', w.topic(), '-m', 'y', '--repeat', '3', '--repeat-delay', '0.1']);
    assert.ok(performance.now() - begin >= 200);
    assert.equal(await output(sub), 'x'.repeat(100) + 'yyy');
  });

  test('a URL says all at once', async (w) => {
    const topic = w.topic('a b');
    const url = `mqtt://127.0.0.1:${w.server.port}/${encodeURIComponent(topic)}`;
    const sub = await subscribed(w, ['-L', url, '-C', '1', '-t', w.topic('other')]);
    await run(['pub', '-L', url, '-m', 'hi']);
    assert.equal(await output(sub), 'hi\n');
    for (const wrong of ['mqttx://h/t', 'http://h/t', 'mqtt://h:x/t']) {
      assert.equal((await run(['pub', '-L', wrong, '-m', 'x'])).code, 2, wrong);
    }
  });

  test('properties travel, and formats print them', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic('#'), '-C', '1', '-V', '5', '-q', '1',
      '-D', 'subscribe', 'subscription-identifier', '7',
      '-F', '%C|%D|%E|%F|%P|%R|%S|%t|%q|%r|%x|%-5l|']);
    await pub(w, ['-t', w.topic('a'), '-m', 'hi', '-q', '1',
      '-D', 'publish', 'content-type', 'text/plain', '-D', 'publish', 'user-property', 'k', 'v',
      '--property', 'publish', 'correlation-data', '-c', '-D', 'publish', 'response-topic', 're',
      '-D', 'publish', 'payload-format-indicator', '1',
      '-D', 'publish', 'message-expiry-interval', '60']);
    // Of the expiry what is left, in whole seconds.
    assert.equal((await output(sub)).replace('|59|', '|60|'),
      `text/plain|-c|60|1|k:v|re|7|${w.topic('a')}|1|0|6869|2    |\n`);
  });

  test('JSON', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic(), '-C', '2', '-F', '%J']);
    await pub(w, ['-t', w.topic(), '-m', '{"on": true}']);
    await pub(w, ['-t', w.topic(), '-m', 'say "hi"']);
    const [first, second] = (await output(sub)).trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual([first.payload, first.topic, first.payloadlen], [{ on: true }, w.topic(), 12]);
    assert.equal(second.payload, 'say "hi"');
    assert.ok(Math.abs(Date.parse(first.tst) - Date.now()) < 60_000, first.tst);
  });

  test('a session that is kept: -c with -E, -U and -i', async (w) => {
    for (const version of ['311', '5']) {
      const me = ['-i', w.topic(`me${version}`), '-c', '-q', '2', '-V', version];
      const topics = ['-t', w.topic('a'), '-t', w.topic('b')];
      assert.equal((await once(w, [...me, ...topics, '-E'])).code, 0);
      await pub(w, ['-t', w.topic('a'), '-m', 'one', '-q', '1']);
      await pub(w, ['-t', w.topic('b'), '-m', 'two', '-q', '2']);
      const kept = await once(w, [...me, ...topics, '-C', '2', '-W', '10']);
      assert.deepEqual([kept.code, kept.stdout], [0, 'one\ntwo\n']);
      // What was printed was acknowledged, the last one too.
      const left = await once(w, [...me, '-U', w.topic('a'), '-E']);
      assert.deepEqual([left.code, left.stdout], [0, '']);
      await pub(w, ['-t', w.topic('a'), '-m', 'three', '-q', '1']);
      await pub(w, ['-t', w.topic('b'), '-m', 'four', '-q', '1']);
      const rest = await once(w, [...me, '-t', w.topic('b'), '-C', '1', '-W', '10']);
      assert.equal(rest.stdout, 'four\n');
    }
  });

  test('-x says for how long', async (w) => {
    const me = ['-i', w.topic('me'), '-t', w.topic('a'), '-q', '1'];
    assert.equal((await once(w, [...me, '-x', '100', '-E'])).code, 0);
    await pub(w, ['-t', w.topic('a'), '-m', 'kept', '-q', '1']);
    assert.equal((await once(w, [...me, '-c', '-x', '0', '-C', '1', '-W', '10'])).stdout, 'kept\n');
    await pub(w, ['-t', w.topic('a'), '-m', 'lost', '-q', '1']);
    assert.equal((await once(w, [...me, '-c', '-x', '0', '-C', '1', '-W', '1'])).code, 1);
  });

  test('QoS 2 into a session with packet ids that were left open', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic(), '-C', '2', '-q', '2']);
    const id = w.topic('me');
    const raw = await w.raw(5, { id, clean: false, props: { sessionExpiry: 100 } });
    const packetId = raw.publish(w.topic(), 'left open', { qos: 2, packetId: 1 });
    await raw.answer('pubrec', { packetId: packetId ?? 1 });
    raw.destroy();
    await pub(w, ['-i', id, '-c', '-V', '5', '-q', '2', '-t', w.topic(), '-m', 'not lost']);
    assert.equal(await output(sub), 'left open\nnot lost\n');
  });

  test('what is retained: -R, --retained-only, --remove-retained, -T', async (w) => {
    for (const name of ['a', 'b', 'c']) await pub(w, ['-t', w.topic(name), '-m', name, '-r']);
    const fresh = await subscribed(w, ['-t', w.topic('#'), '-R', '-C', '1']);
    const only = await subscribed(w, ['-t', w.topic('#'), '--retained-only', '-v']);
    await pub(w, ['-t', w.topic('d'), '-m', 'live']);
    assert.equal(await output(fresh), 'live\n');
    assert.deepEqual((await output(only)).trim().split('\n').sort(),
      ['a', 'b', 'c'].map((name) => `${w.topic(name)} ${name}`));
    for (const version of ['311', '5']) {
      const removed = await once(w, ['-t', w.topic('#'), '-T', w.topic('c'), '--remove-retained',
        '-W', '2', '-V', version]);
      assert.deepEqual([removed.code, removed.stdout.split('\n').sort().join('')],
        [0, version === '311' ? 'ab' : '']);
    }
    assert.equal((await once(w, ['-t', w.topic('#'), '-C', '1', '-W', '5'])).stdout, 'c\n');
  });

  test('-d tells the packets, --quiet tells no errors', async (w) => {
    const told = await run(['pub', '-p', String(w.server.port), '-t', w.topic(), '-m', 'x', '-q',
      '2', '-d', '-I', 'tool-']);
    assert.equal(told.code, 0);
    for (const word of ['CONNECT', 'CONNACK', 'tool-', 'PUBLISH', 'PUBCOMP', 'DISCONNECT']) {
      assert.ok(told.stderr.includes(word), word);
    }
    const quiet = await run(['pub', '-p', '1', '-t', 'x', '-m', 'x', '--quiet']);
    assert.deepEqual([quiet.code, quiet.stderr], [1, '']);
  });

  test('misuse: 2, and why', async () => {
    const cases = [
      ['pub', '-t', 'a/#', '-m', 'x'], ['pub', '-t', 'x', '-m', 'x', '-n'],
      ['pub', '-t', 'x', '-l', '--repeat', '2'], ['pub', '-t', 'x', '-m', 'x', '--repeat', '0'],
      ['pub', '-t', 'x', '-m', 'x', '--repeat-delay', 'soon'], ['pub', '-t', 'x', '-m', 'x', '-c'],
      ['pub', '-t', 'x', '-m', 'x', '-i', 'a', '-I', 'b'], ['pub', '-t', 'x', '-m', 'x', '-V', '311',
        '-x', '5'], ['pub', '-t', 'x', '-m', 'x', '-D', 'publish', 'colour', 'red'],
      ['pub', '-t', 'x', '-m', 'x', '-D', 'publish', 'user-property', 'k'],
      ['pub', '-t', 'x', '-m', 'x', '-D', 'subscribe', 'user-property', 'k', 'v'],
      ['pub', '-t', 'x', '-m', 'x', '-D', 'will', 'will-delay-interval', '5'],
      ['pub', '-t', 'x', '-m', 'x', '--will-topic', 'a/+'],
      ['sub', '-t', 'a#'], ['sub', '-t', 'x', '-F', '%z'], ['sub', '-t', 'x', '-F', '%'],
      ['sub', '-t', 'x', '-R', '--retained-only'], ['sub', '-U', 'x'], ['sub', '-t', 'x', '-c'],
      ['sub', '-t', 'x', '--retain-handling', 'new'], ['sub', '-t', 'x', '-v', '-F', '%p'],
    ];
    for (const args of cases) {
      const { code, stderr } = await run(args);
      assert.equal(code, 2, `gnomon ${args.join(' ')}: ${stderr}`);
      assert.match(stderr, /^gnomon (pub|sub): .+\nTry: gnomon/);
    }
  });
}, { concurrency: 1 });
