// The Debian package: what is in it, and that the program runs with the packaged settings.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { deadline, Raw, within } from '../harness/raw.mjs';
import { binary, run, temporaryFolder } from '../harness/server.mjs';

function tool(command, args, options = {}) {
  const { status, stdout, stderr, error } =
    spawnSync(command, args, { encoding: 'utf8', ...options });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`);
  return stdout;
}

describe('the Debian package', { timeout: 300_000 }, () => {
  const folder = temporaryFolder();
  const root = path.join(folder, 'root');
  const inside = (name) => path.join(root, name);
  let deb;

  before(() => {
    const config = path.join(path.dirname(binary), 'CPackConfig.cmake');
    tool('cpack', ['--config', config, '-B', folder]);
    deb = path.join(folder, fs.readdirSync(folder).find((name) => name.endsWith('.deb')));
    tool('dpkg-deb', ['-x', deb, root]);
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  it('says what it is and needs', () => {
    const field = (name) => tool('dpkg-deb', ['-f', deb, name]).trim();
    assert.equal(field('Package'), 'gnomon');
    assert.match(field('Version'), /^\d+\.\d+\.\d+$/);
    for (const library of ['libc6', 'librocksdb', 'libstdc++6', 'libspdlog']) {
      assert.ok(field('Depends').includes(library), `${library} in ${field('Depends')}`);
    }
    assert.ok(tool('dpkg-deb', ['--ctrl-tarfile', deb], { encoding: 'latin1' }).includes('conffiles'));
  });

  it('holds program, unit, settings, manual page and completions', () => {
    for (const name of ['usr/bin/gnomon', 'usr/lib/systemd/system/gnomon.service', 'etc/gnomon/gnomon.toml',
      'usr/share/man/man1/gnomon.1', 'usr/share/bash-completion/completions/gnomon',
      'usr/share/doc/gnomon/copyright']) {
      assert.ok(fs.statSync(inside(name)).size > 0, name);
    }
    const foreign = tool('find', [root, '-type', 'f', '-perm', '/022']);
    assert.equal(foreign, '', 'nothing is writable for others');
  });

  it('the unit waits for READY=1, and has a user of its own and no other rights', () => {
    const unit = fs.readFileSync(inside('usr/lib/systemd/system/gnomon.service'), 'utf8');
    for (const line of ['Type=notify', 'DynamicUser=yes', 'StateDirectory=gnomon',
      'ExecStart=/usr/bin/gnomon serve --config /etc/gnomon/gnomon.toml', 'NoNewPrivileges=yes',
      'ProtectSystem=strict']) {
      assert.ok(unit.split('\n').includes(line), line);
    }
  });

  it('runs with its settings: nobody gets in without an identity', async () => {
    const config = inside('etc/gnomon/gnomon.toml');
    const gnomon = inside('usr/bin/gnomon');
    const checked = tool(gnomon, ['check-config', '--config', config]);
    assert.match(checked, /^local = false +# .*gnomon\.toml:\d+$/m);
    assert.match(checked, /^data = \/var\/lib\/gnomon +#/m);
    const child = spawn(gnomon, ['serve', '--config', config, '--data', path.join(folder, 'data'),
      '--listen-mqtt', '127.0.0.1:0', '--listen-mqtts', '127.0.0.1:0', '--listen-https',
      '127.0.0.1:0', '--listen-http', '127.0.0.1:0', '--listen-admin', 'off'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise((resolve) => { child.once('close', resolve); });
    try {
      const ready = JSON.parse(await within(deadline, 'the ready line', new Promise((resolve) => {
        child.stdout.setEncoding('utf8').once('data', resolve);
      })));
      const raw = await Raw.open(Number(ready.mqtt.split(':').at(-1)), { v: 5 });
      await assert.rejects(raw.connect({ id: 'x' }), /refused/);
    } finally {
      child.kill('SIGTERM');
    }
    assert.equal(await within(deadline, 'the end', ended), 0);
  });

  it('the manual page names every command and every setting', async () => {
    const page = fs.readFileSync(inside('usr/share/man/man1/gnomon.1'), 'utf8')
      .replaceAll('\\-', '-');
    const commands = (await run(['--help'])).stdout.matchAll(/^ {2}([a-z][a-z-]+) /gm);
    const settings = (await run(['check-config'])).stdout.matchAll(/^([a-z._]+) = /gm);
    for (const [, name] of commands) {
      if (name !== 'gnomon') assert.ok(page.includes(`gnomon ${name}`), name);
    }
    for (const [, name] of settings) assert.ok(page.includes(`.BI ${name} `), name);
  });

  it('bash completes commands and options', () => {
    const complete = (...words) => tool('bash', ['-c', `
      source "$1"; shift; PATH=${path.dirname(inside('usr/bin/gnomon'))}:$PATH
      COMP_WORDS=(gnomon "$@"); COMP_CWORD=$#; _gnomon; printf '%s\\n' "\${COMPREPLY[@]}"`,
    'bash', inside('usr/share/bash-completion/completions/gnomon'), ...words]).trim().split('\n');
    assert.deepEqual(complete('subs'), ['subscriptions']);
    assert.deepEqual(complete('pub', '--repeat-'), ['--repeat-delay']);
    assert.ok(complete('sub', '-').includes('-t'));
    assert.deepEqual(complete('serve', '--compa'), ['--compat']);
  });
});
