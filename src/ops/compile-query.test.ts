import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { namedSh, runScript, shells } from '../../test/support/shells.ts';
import { compileScript } from './compile.ts';
import { parseFrames, type ScriptOutput } from './frames.ts';
import { parseAnswer } from './parse-answer.ts';
import { commandQuery, fileQuery, serviceQuery, type AnswerOf, type Query, type Seen } from './query.ts';
import { toolsQuery } from './tools-query.ts';

const nonce = 'i0123456789abcdef';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'installer-query-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

describe.each(shells)('a script of queries under $name', ({ binary }) => {
  async function run(queries: readonly Query[], noise = ''): Promise<ScriptOutput> {
    const script = `${noise}${compileScript({ nonce, queries })}`;
    const result = await runScript([namedSh(binary, folder)], script);
    expect(result.exitCode).toBe(0);
    return parseFrames(result.stdout, result.stderr, nonce);
  }

  async function ask<Q extends Query>(query: Q): Promise<Seen<AnswerOf<Q>>> {
    const output = await run([query]);
    return parseAnswer(query, output.queries.get(0)) as Seen<AnswerOf<Q>>;
  }

  it('answers each query in its own frame, in any order of outcomes', async () => {
    const queries = ['exit 3', 'echo two; echo err >&2', ':'].map((text) => commandQuery(['sh', '-c', text]));

    const output = await run(queries);

    expect(output.complete).toBe(true);
    expect(output.generation).toMatch(/^\d+$/);
    expect(output.queries.get(0)).toMatchObject({ exitCode: 3, stdout: '', stderr: '' });
    expect(output.queries.get(1)).toMatchObject({ exitCode: 0, stdout: 'two\n', stderr: 'err\n' });
    expect(output.queries.get(2)).toMatchObject({ exitCode: 0, stdout: '' });
  });

  it('drops what a login shell prints before the first frame', async () => {
    const output = await run([commandQuery(['echo', 'hello'])], 'echo Welcome; echo careless >&2\n');

    expect(output.queries.get(0)).toMatchObject({ exitCode: 0, stdout: 'hello\n', stderr: '' });
  });

  it.each([
    ['without a newline at the end', 'no newline'],
    ['of nothing', ''],
    ['with newlines at both ends', '\n\nx\n\n'],
    ['that looks like a frame of another run', '\ni00 Q 0\n'],
    ['with quotes, dollars and backslashes', `'a' "b" $HOME \`id\` \\n %s`],
  ])('keeps output %s as it is', async (_name, text) => {
    const seen = await ask(commandQuery(['printf', '%s', text]));

    expect(seen).toMatchObject({ state: 'present', value: { exitCode: 0, stdout: text, stderr: '' } });
  });

  it('survives output that is no text', async () => {
    const output = await run([commandQuery(['head', '-c', '4096', '/dev/urandom']), commandQuery(['echo', 'after'])]);

    expect(output.queries.get(0)?.exitCode).toBe(0);
    expect(output.queries.get(1)).toMatchObject({ exitCode: 0, stdout: 'after\n' });
  });

  it('keeps bytes of zero and text beyond ASCII', async () => {
    const seen = await ask(commandQuery(['printf', 'a\\000\\303\\251']));

    expect(seen).toMatchObject({ value: { stdout: 'a\0é' } });
  });

  it('says absent for a command that does not exist', async () => {
    expect(await ask(commandQuery(['no-such-command-here', 'x']))).toEqual({ state: 'absent' });
  });

  it('says unknown for a command that does not end in time, and goes on with the next', async () => {
    const slow = commandQuery(['sleep', '20'], { timeoutSeconds: 1 });
    const quick = commandQuery(['echo', 'next']);

    const output = await run([slow, quick]);

    expect(parseAnswer(slow, output.queries.get(0))).toEqual({
      state: 'unknown',
      reason: 'sleep did not answer in time',
    });
    expect(output.queries.get(1)?.stdout).toBe('next\n');
  });

  it('gives a command its input and environment, and no input where none is given', async () => {
    const fed = await ask(commandQuery(['sh', '-c', 'cat; echo "$X"'], { stdin: "it's $5\n", env: { X: "o'k" } }));
    const starved = await ask(commandQuery(['cat']));

    expect(fed).toMatchObject({ value: { stdout: "it's $5\no'k\n" } });
    expect(starved).toMatchObject({ value: { exitCode: 0, stdout: '' } });
  });

  it('fixes path, locale, umask and folder, whatever the login shell set', async () => {
    const query = commandQuery(['sh', '-c', 'echo "$PATH|$LC_ALL|$(umask)|$PWD"']);

    const output = await run([query], 'export PATH="$PATH:/opt/evil" LC_ALL=de_DE.UTF-8; umask 077; cd /tmp\n');

    expect(output.queries.get(0)?.stdout).toBe(
      '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|C|0022|/\n',
    );
  });

  it('measures how long a command took', async () => {
    const seen = await ask(commandQuery(['sleep', '0.3']));

    if (seen.state !== 'present') throw new Error(seen.state);
    expect(seen.value.durationMs).toBeGreaterThanOrEqual(280);
    expect(seen.value.durationMs).toBeLessThan(5000);
  });

  it('lists the tools that are there', async () => {
    const seen = await ask(toolsQuery(['sh', 'no-such-tool', 'cat']));

    if (seen.state !== 'present') throw new Error(seen.state);
    expect(seen.value.stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/\/sh$/) as string,
      expect.stringMatching(/\/cat$/) as string,
    ]);
  });

  describe('of files', () => {
    it.each([
      ['text', 'a\nb\n'],
      ['no newline at the end', 'abc'],
      ['newlines only', '\n\n'],
      ['nothing', ''],
      ['quotes and dollars', `'"$x\`\\`],
    ])('sees a regular file with %s', async (_name, content) => {
      const path = join(folder, "it's a file");
      writeFileSync(path, content);
      chmodSync(path, 0o640);

      expect(await ask(fileQuery(path))).toMatchObject({
        state: 'present',
        value: { type: 'file', mode: '640', sizeBytes: content.length, sha256: sha256(content), content },
      });
    });

    it('leaves the content out where it is not asked for', async () => {
      const path = join(folder, 'secret');
      writeFileSync(path, 'hush');

      const seen = await ask(fileQuery(path, { content: false }));

      if (seen.state !== 'present') throw new Error(seen.state);
      expect(seen.value.sha256).toBe(sha256('hush'));
      expect(seen.value).not.toHaveProperty('content');
    });

    it('knows the digest of a file that is no text', async () => {
      const path = join(folder, 'binary');
      const bytes = Buffer.from([0, 255, 254, 10, 0]);
      writeFileSync(path, bytes);

      expect(await ask(fileQuery(path))).toMatchObject({ value: { sha256: sha256(bytes), sizeBytes: 5 } });
    });

    it('says absent for a path that is not there, also below a file', async () => {
      writeFileSync(join(folder, 'file'), '');

      expect(await ask(fileQuery(join(folder, 'none')))).toEqual({ state: 'absent' });
      expect(await ask(fileQuery(join(folder, 'file/below')))).toEqual({ state: 'absent' });
    });

    it('sees a folder as a folder', async () => {
      mkdirSync(join(folder, 'dir'), { mode: 0o755 });

      expect(await ask(fileQuery(join(folder, 'dir')))).toMatchObject({ value: { type: 'directory', sha256: '' } });
    });

    it('follows a link to the file that it names', async () => {
      writeFileSync(join(folder, 'target'), 'text');
      symlinkSync('target', join(folder, 'link'));

      expect(await ask(fileQuery(join(folder, 'link')))).toMatchObject({ value: { type: 'file', content: 'text' } });
    });

    it('sees a link that leads nowhere as a link', async () => {
      symlinkSync('/nowhere/at/all', join(folder, 'dangling'));

      expect(await ask(fileQuery(join(folder, 'dangling')))).toMatchObject({
        state: 'present',
        value: { type: 'symlink' },
      });
    });

    it('reads files of /proc, whose size is nought', async () => {
      expect(await ask(fileQuery('/proc/sys/kernel/ostype'))).toMatchObject({
        value: { type: 'file', content: 'Linux\n' },
      });
    });

    it('reads a large file whole', async () => {
      const path = join(folder, 'large');
      writeFileSync(path, '');
      truncateSync(path, 3_000_000);

      const seen = await ask(fileQuery(path));

      if (seen.state !== 'present') throw new Error(seen.state);
      expect(seen.value.content).toHaveLength(3_000_000);
    });
  });
});

describe('a query of a service', () => {
  const query = serviceQuery('kubelet.service');
  const frame = (stdout: string, exitCode: number, stderr = ''): NonNullable<Parameters<typeof parseAnswer>[1]> => ({
    stdout,
    stderr,
    exitCode,
    durationMs: undefined,
  });

  it('reads what systemctl show prints, and the digest of the environment', () => {
    const text =
      'MainPID=812\nResult=success\nExecMainStatus=0\nLoadState=loaded\nActiveState=active\nSubState=running\n' +
      'FragmentPath=/etc/systemd/system/kubelet.service\nUnitFileState=enabled\nNeedDaemonReload=yes\n' +
      'ActiveEnterTimestamp=Mon 2030-01-07 10:00:00 UTC\nINSTALLER_DIGEST=abc=d\n';

    expect(parseAnswer(query, frame(text, 0))).toEqual({
      state: 'present',
      value: {
        loadState: 'loaded',
        activeState: 'active',
        subState: 'running',
        result: 'success',
        unitFileState: 'enabled',
        mainPid: 812,
        execMainStatus: 0,
        activeEnterTimestamp: 'Mon 2030-01-07 10:00:00 UTC',
        needDaemonReload: true,
        fragmentPath: '/etc/systemd/system/kubelet.service',
        startedWithDigest: 'abc=d',
      },
    });
  });

  it.each([
    ['absent where there is no such unit', frame('', 44), { state: 'absent' }],
    ['unknown where systemd does not answer', frame('', 1, 'no bus\n'), { state: 'unknown', reason: 'no bus' }],
    ['unknown where the script did not come to it', undefined, { state: 'unknown', reason: 'the host did not answer' }],
  ])('is %s', (_name, given, expected) => {
    expect(parseAnswer(query, given)).toEqual(expected);
  });
});

describe('a look that many hosts are given', () => {
  it('is one text, each time with the nonce of its host', () => {
    const queries = [commandQuery(['uname', '-r']), fileQuery('/etc/hosts')];
    const others = [commandQuery(['uname', '-m'])];
    const [first, second] = ['i1', 'i2'].map((one) => compileScript({ nonce: one, queries }));

    expect(first).toContain('N=i1\n');
    expect(second).toBe(first?.replace('N=i1\n', 'N=i2\n'));
    expect(compileScript({ nonce: 'i1', queries: others })).not.toBe(first);
  });
});
