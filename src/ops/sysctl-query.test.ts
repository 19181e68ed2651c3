import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { sysctlFilesQuery } from './sysctl-query.ts';

it('reads all folders, and of files with one name the first', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sysctl-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await write('etc/sysctl.conf', '# a=1\n;b=1\nnet.ipv4.ip_forward=0\n');
  await write('etc/sysctl.d/50-a.conf', 'a.b=1\n');
  await write('etc/sysctl.d/readme', 'x.y=1\n');
  await write('run/sysctl.d/60-b.conf', 'a.b=2\n');
  await write('usr/local/lib/sysctl.d/50-a.conf', 'hidden=1\n');
  await write('usr/lib/sysctl.d/70-c.conf', 'hidden=2\n');
  await write('usr/lib/sysctl.d/99-x.conf', 'c.d = 3\n');
  await symlink('/dev/null', join(root, 'etc/sysctl.d/70-c.conf'));
  const [command = '', ...args] = sysctlFilesQuery.argv;
  const script = args.map((arg) => arg.replaceAll(/(?<=[\s"])\/(?=(etc|run|usr|lib)\b)/g, `${root}/`));

  const lines = execFileSync(command, script, { encoding: 'utf8' }).replaceAll(root, '').trim().split('\n');

  expect(lines).toEqual([
    '/etc/sysctl.conf:net.ipv4.ip_forward=0',
    '/etc/sysctl.d/50-a.conf:a.b=1',
    '/run/sysctl.d/60-b.conf:a.b=2',
    '/usr/lib/sysctl.d/99-x.conf:c.d = 3',
  ]);
});
