// The command line: help, exit codes, and gnomon pub and sub against a server.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deadline, within } from '../harness/raw.mjs';
import { run, start } from '../harness/server.mjs';
import { suite } from '../harness/suite.mjs';

const commands = ['serve', 'check-config', 'backup', 'restore', 'env', 'aws', 'device', 'ca',
  'rehearse', 'passwd', 'clients', 'client', 'kick', 'subscriptions', 'retained', 'trace', 'pub', 'sub', 'bench', 'completions', 'manual'];

describe('the command line', { concurrency: 4 }, () => {
  it('--help names every command', async () => {
    for (const flag of ['--help', '-h']) {
      const { code, stdout, stderr } = await run([flag]);
      assert.deepEqual([code, stderr], [0, '']);
      for (const command of commands) assert.match(stdout, new RegExp(`^ +${command} `, 'm'));
    }
  });

  it('--version', async () => {
    const { code, stdout } = await run(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^gnomon \d+\.\d+\.\d+\n$/);
  });

  for (const command of commands) {
    it(`${command} --help has an example`, async () => {
      const { code, stdout, stderr } = await run([command, '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /Examples?:/);
      assert.match(stdout, new RegExp(`gnomon ${command}`));
    });

    // What aws is given is for aws.
    if (command === 'aws') continue;
    it(`${command}: an unknown flag is misuse`, async () => {
      const { code, stdout, stderr } = await run([command, '--no-such-flag']);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /no-such-flag/);
    });
  }

  it('misuse: 2', async () => {
    const cases = [[], ['--no-such-flag'], ['no-such-command'], ['serve', '--listen-mqtt'],
      ['serve', 'operand'], ['pub'], ['pub', '-t', 'x'], ['sub'], ['pub', '-m', 'x'],
      ['sub', '-t', 'x', '-C', 'many'], ['sub', '-t', 'x', '-p', '99999'],
      ['sub', '-t', 'x', '-V', '7'], ['bench', 'no-such-load']];
    for (const args of cases) {
      const { code, stderr } = await run(args);
      assert.equal(code, 2, `gnomon ${args.join(' ')}: ${stderr}`);
      assert.ok(stderr.length > 0, 'says why');
    }
  });

  it('nobody listens: 1, and why', async () => {
    for (const args of [['pub', '-t', 'x', '-m', 'x'], ['sub', '-t', 'x']]) {
      const { code, stderr } = await run([...args, '-p', '1']);
      assert.equal(code, 1);
      assert.match(stderr, /127\.0\.0\.1:1|refused/i);
    }
  });
});

// Starts `gnomon sub` and returns it when it is subscribed, which another client's view of the
// server's gauge tells.
async function subscribed(w, args) {
  const before = (await w.server.metrics()).gnomon_subscriptions;
  const filters = args.filter((arg) => arg === '-t').length;
  const sub = start(['sub', '-p', String(w.server.port), ...args]);
  w.opened.push(() => sub.process.kill('SIGKILL'));
  await w.server.untilMetrics((m) => m.gnomon_subscriptions === before + filters, 'subscribed');
  return sub;
}
const pub = (w, args, options) => run(['pub', '-p', String(w.server.port), ...args], options);
const ended = (sub) => within(deadline, () => `the end of gnomon sub\n${sub.stderr()}`, sub.ended);

suite('gnomon pub and sub', (test) => {
  for (const version of ['31', '311', '5']) {
    for (const qos of ['0', '1']) {
      test(`round trip, version ${version}, QoS ${qos}`, async (w) => {
        const sub = await subscribed(w,
          ['-t', w.topic('+'), '-C', '2', '-q', qos, '-V', version, '-v']);
        for (const text of ['hello', 'wörld']) {
          const { code, stderr } = await pub(w,
            ['-t', w.topic('a'), '-m', text, '-q', qos, '-V', version]);
          assert.deepEqual([code, stderr], [0, '']);
        }
        const { code, stdout } = await ended(sub);
        assert.equal(code, 0);
        assert.equal(stdout, `${w.topic('a')} hello\n${w.topic('a')} wörld\n`);
      });
    }
  }

  test('lines of standard input, in order', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic('#'), '-C', '1000', '-q', '1']);
    const input = Array.from({ length: 1000 }, (_, n) => `line ${n}\n`).join('');
    assert.equal((await pub(w, ['-t', w.topic(), '-l', '-q', '1'], { input })).code, 0);
    const { code, stdout } = await ended(sub);
    assert.deepEqual([code, stdout], [0, input]);
  });

  test('all of standard input as one message', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic(), '-C', '1']);
    const input = 'x'.repeat(100_000);
    assert.equal((await pub(w, ['-t', w.topic(), '-s'], { input })).code, 0);
    assert.equal((await ended(sub)).stdout, `${input}\n`);
  });

  test('an empty message, several filters', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic('a'), '-t', w.topic('b'), '-C', '2', '-v']);
    await pub(w, ['-t', w.topic('b'), '-n']);
    await pub(w, ['-t', w.topic('a'), '-m', '']);
    assert.equal((await ended(sub)).stdout.replaceAll(/ *\n/g, '\n'),
      `${w.topic('b')}\n${w.topic('a')}\n`);
  });

  test('with clients of other makes', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic('x'), '-C', '1', '-V', '5']);
    const raw = await w.raw(4);
    await raw.subscribe({ filter: w.topic('y'), qos: 1 });
    await raw.published(w.topic('x'), 'from raw');
    assert.equal((await ended(sub)).stdout, 'from raw\n');
    await pub(w, ['-t', w.topic('y'), '-m', 'from pub', '-q', '1', '-V', '5']);
    assert.equal((await raw.message()).text, 'from pub');
  });

  test('what the server refuses: 1, and why', async (w) => {
    const cases = [['-t', '$SYS/x', '-q', '1', '-V', '5'], ['-t', '$SYS/x', '-q', '2', '-V', '5'],
      ['-t', '$SYS/x', '-q', '1'], ['-t', 'a/#']];
    for (const args of cases) {
      const { code, stderr } = await pub(w, [...args, '-m', 'x']);
      assert.ok(code === 1 || code === 2, `${args.join(' ')}: exit ${code}`);
      assert.ok(stderr.length > 0, `${args.join(' ')} says why`);
    }
    const port = String(w.server.port);
    const bad = await run(['sub', '-p', port, '-t', '$share/g', '-V', '5', '-C', '1', '-W', '5']);
    assert.ok(bad.code === 1 || bad.code === 2, `exit ${bad.code}`);
    assert.ok(bad.stderr.length > 0);
  });

  test('a timeout with a count that is not reached: 1', async (w) => {
    const port = String(w.server.port);
    const { code } = await run(['sub', '-p', port, '-t', w.topic(), '-C', '1', '-W', '1']);
    assert.equal(code, 1);
  });

  test('a will, when sub is killed', async (w) => {
    const raw = await w.raw(5);
    await raw.subscribe(w.topic('will'));
    const sub = await subscribed(w, ['-t', w.topic(), '--will-topic', w.topic('will'),
      '--will-payload', 'gone']);
    sub.process.kill('SIGKILL');
    assert.equal((await raw.message()).text, 'gone');
  });

  test('sub ends when its connection is taken over: 1', async (w) => {
    const sub = await subscribed(w, ['-t', w.topic(), '-i', w.topic('id'), '-V', '5']);
    await w.raw(5, { id: w.topic('id') });
    const { code, stderr } = await ended(sub);
    assert.equal(code, 1);
    assert.match(stderr, /taken over/i);
  });
}, { concurrency: 1 });
