import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eachOnHostRoot } from '../../test/support/host-root-cases.ts';
import { canMakeHostRoot, shells, type HostRoot } from '../../test/support/shells.ts';
import type { Host } from '../hosts/host.ts';
import { compilePackagesReturn, compileRecordedInstall, compileRecordedRemoval } from './compile-packages.ts';
import { hostPaths } from './host-paths.ts';
import type { RecordQuery } from './query.ts';
import type { RecordEntry, RemovedPackage } from './record.ts';

/** A package manager of files: `db` has lines `ii  NAME VERSION`, `repo` lines `NAME VERSION`, and `needs` what speaks against a removal. */
const tools = {
  list: `sed 's/ [^ ]*$//' db`,
  try: '[ ! -s needs ] || { cat needs; exit 1; }',
  find: 'for n; do grep -F "  $n " db; done; exit 0',
  remove: 'for n; do grep -vF "  $n " db >db.new; mv db.new db; rm -f etc/$n.conf; done',
  files: 'cat "files.$1"',
  edited: 'cat "edited.$1" 2>/dev/null',
  install: `for n; do grep -qxF "$(echo "$n" | tr = ' ')" repo || grep -q "^$n " repo || exit 9; done
for n; do v=$(sed -n "s/^\${n%=*} //p" repo | tail -n 1); case $n in *=*) v=\${n#*=};; esac
grep -qF "  \${n%=*} " db || { echo "ii  \${n%=*} $v" >>db; mkdir -p etc; echo new >"etc/\${n%=*}.conf"; }; done`,
  systemctl: `case $1 in
is-enabled) sed -n "s/^$2 \\([^ ]*\\) .*/\\1/p" units ;;
is-active) sed -n "s/^$2 [^ ]* //p" units ;;
enable) sed -i "s/^$2 [^ ]*/$2 enabled/" units ;;
disable) sed -i "s/^$2 [^ ]*/$2 disabled/" units ;;
start) sed -i "s/^\\($2 [^ ]*\\) .*/\\1 active/" units ;;
stop) sed -i "s/^\\($2 [^ ]*\\) .*/\\1 inactive/" units ;;
esac`,
};

describe.skipIf(!canMakeHostRoot).each(shells)(
  'packages under $name (needs root and mount namespaces)',
  ({ binary }) => {
    let root: HostRoot;
    let host: Host;
    let folder: string;

    eachOnHostRoot(binary, (given) => {
      ({ root, host, folder } = given);
      write('db', 'ii  base 1\nii  runc 1.1+b\nhi  docker.io 20\n');
      write('repo', 'runc 1.1+b\nrunc 1.2\ndocker.io 20\n');
      write('files.runc', '/usr/bin/runc\n');
      write(
        'files.docker.io',
        '/lib/systemd/system/docker.service\n/lib/systemd/system/x@.service\n/lib/systemd/system\n',
      );
      write('units', 'docker.service enabled active\n');
      writeFileSync(root.outside('/usr/local/sbin/systemctl'), `#!/bin/sh\ncd '${folder}'\n${tools.systemctl}\n`, {
        mode: 0o755,
      });
    });

    function write(name: string, text: string): void {
      writeFileSync(join(folder, name), text);
    }

    function read(name: string): string {
      return readFileSync(join(folder, name), 'utf8');
    }

    const tool = (script: string): string[] => ['sh', '-c', `cd '${folder}'\n${script}`, 'sh'];
    const commands = (): RecordQuery['packages'] => ({ list: tool(tools.list), tryRemoval: tool(tools.try) });
    const removal = () => ({
      find: tool(tools.find),
      remove: tool(tools.remove),
      files: tool(tools.files),
      editedConfig: tool(tools.edited),
      hold: tool('echo "$1" >>held'),
      mend: tool('echo mended'),
    });

    async function run(script: string): Promise<{ exitCode: number | undefined; stdout: string }> {
      const options = { root: true, timeoutMs: 20_000, signal: undefined };
      return root.transport(binary).exec(script, options);
    }

    const words = (argv: readonly string[]): string =>
      argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    /** `end` comes behind the removal. */
    const remove = (names: readonly string[], end = '') =>
      run(
        compileRecordedRemoval(
          { names, commands: commands(), removal: removal() },
          `${words([...removal().remove, ...names])}\n${end}`,
        ),
      );
    const install = (...lines: string[]) =>
      run(compileRecordedInstall(commands(), `printf '%s\\n' ${words(lines)} >>'${folder}/db'\n`));
    const back = (packages: readonly RemovedPackage[], refresh = ['true'], last: readonly string[] = ['true']) => {
      const argv = (names: readonly string[]): string[] => [...tool(tools.install), ...names];
      const exact = ({ name, version }: RemovedPackage): string => `${name}=${version}`;
      return run(
        compilePackagesReturn(
          {
            ...{ packages, commands: commands(), removal: removal(), refresh },
            each: packages.map((one) => ({ exact: [argv([exact(one)])], any: [argv([one.name])] })),
          },
          [argv(packages.map(exact)), last],
        ),
      );
    };

    async function entry<Kind extends RecordEntry['kind']>(
      kind: Kind,
    ): Promise<Extract<RecordEntry, { kind: Kind }> | undefined> {
      const query: RecordQuery = { kind: 'record', packages: commands() };
      const answer = (await host.observeOnce([query]))(query);
      const entries = answer.state === 'present' ? answer.value.entries : [];
      return entries.find((one): one is Extract<RecordEntry, { kind: Kind }> => one.kind === kind);
    }

    const text = (): string => readFileSync(root.outside(`${hostPaths.before}/packages-removed/entry`), 'utf8');
    const runc = { name: 'runc', version: '1.1+b' };
    const docker = { name: 'docker.io', version: '20' };
    const gone = { isThere: false, isReturning: false };

    it('are removed when it is written what they were like', async () => {
      expect((await remove(['runc', 'docker.io'])).exitCode).toBe(0);

      expect(read('db')).toBe('ii  base 1\n');
      expect(text()).toBe(
        'order=1\nkind=removed-packages\nremoved=runc 1.1+b\nremoved=docker.io 20 hold\nunit=docker.io docker.service enabled active\n',
      );
      expect((await entry('removed-packages'))?.packages).toEqual([
        { ...runc, ...gone },
        { ...docker, ...gone },
      ]);
    });

    it('stay, without a record, where something needs one', async () => {
      write('needs', 'kit needs runc\n');

      expect(await remove(['runc'])).toMatchObject({
        exitCode: 65,
        stdout: expect.stringContaining('kit needs runc') as string,
      });

      expect(read('db')).toContain('runc');
      expect(existsSync(root.outside(hostPaths.before))).toBe(false);
    });

    it('have the record of the first try where one was cut off', async () => {
      const script = compileRecordedRemoval(
        { names: ['docker.io'], commands: commands(), removal: removal() },
        `echo 'docker.service disabled inactive' >'${folder}/units'\nkill -KILL $$\n`,
      );
      await run(script);
      expect((await entry('removed-packages'))?.packages).toEqual([{ ...docker, isThere: true, isReturning: false }]);

      expect((await remove(['docker.io'])).exitCode).toBe(0);
      expect(text()).toContain('unit=docker.io docker.service enabled active\n');
      // Another version is what somebody else brought since: that is what was there before this removal.
      write('db', 'ii  docker.io 26\n');
      await remove(['docker.io', 'runc']);
      expect(text()).toBe(
        'order=1\nkind=removed-packages\nremoved=docker.io 26\nunit=docker.io docker.service disabled inactive\n',
      );
    });

    it('come back where a removal was cut off that had begun', async () => {
      await remove(['runc']);
      write('db', 'ii  base 1\nrH  runc 1.1+b\n');
      expect((await entry('removed-packages'))?.packages).toEqual([{ ...runc, ...gone }]);

      expect((await remove(['runc'])).exitCode).toBe(0);
      expect(read('db')).toBe('ii  base 1\n');
    });

    it('have not to come back where they came by us, and did not come by us where they were there before', async () => {
      await install('ii  jq 1');
      await remove(['jq', 'runc']);
      expect((await entry('removed-packages'))?.packages).toEqual([{ ...runc, ...gone }]);

      await install('ii  runc 1.2', 'ii  kit 1');
      expect(await entry('packages')).toMatchObject({ added: ['kit'] });
      expect((await entry('removed-packages'))?.packages).toEqual([{ ...runc, isThere: true, isReturning: false }]);
    });

    it('come back as they were, with edited configuration and units', async () => {
      const conf = join(folder, 'etc/docker.io.conf');
      write('edited.docker.io', `${conf}\n`);
      mkdirSync(join(folder, 'etc'));
      writeFileSync(conf, 'edited\n', { mode: 0o640 });
      await remove(['runc', 'docker.io']);
      write('units', 'docker.service disabled inactive\n');
      writeFileSync(`${conf}.rpmsave`, 'edited\n');

      expect(await back([runc, docker])).toMatchObject({
        exitCode: 0,
        stdout: expect.not.stringContaining('installer:') as string,
      });

      expect(read('db')).toBe('ii  base 1\nii  runc 1.1+b\nii  docker.io 20\n');
      expect([read('held'), read('units')]).toEqual(['docker.io\n', 'docker.service enabled active\n']);
      expect(readFileSync(conf, 'utf8')).toBe('edited\n');
      expect(existsSync(`${conf}.rpmsave`)).toBe(false);
    });

    it('have units that are off where they were', async () => {
      write('units', 'docker.service disabled inactive\n');
      await remove(['docker.io']);
      write('units', 'docker.service enabled active\n');

      await back([docker]);

      expect(read('units')).toBe('docker.service disabled inactive\n');
    });

    it.each<[string, string, string, number, string]>([
      [
        'in another version',
        'runc 1.2\ndocker.io 20\n',
        'ii  docker.io 20\nii  runc 1.2\n',
        0,
        'installer: package runc is there again in version 1.2; 1.1+b, which was there before, is not to be had',
      ],
      [
        'without those that are not to be had',
        'docker.io 20\n',
        'ii  docker.io 20\n',
        1,
        'installer: package runc was not put back, which was there in version 1.1+b; ',
      ],
    ])('come back %s, and it is said', async (_name, repo, there, exitCode, said) => {
      await remove(['docker.io', 'runc']);
      write('repo', repo);

      const result = await back([docker, runc], ['false']);

      expect(read('db')).toBe(`ii  base 1\n${there}`);
      expect(result.exitCode).toBe(exitCode);
      expect(result.stdout).toContain(said);
      expect((await entry('removed-packages'))?.packages).toEqual([
        { ...docker, isThere: true, isReturning: false },
        { ...runc, isThere: exitCode === 0, isReturning: false },
      ]);
    });

    it('are told from those that somebody else brought back, where it was cut off', async () => {
      await remove(['docker.io']);
      write('units', 'docker.service disabled inactive\n');

      await back([docker], ['true'], ['sh', '-c', 'kill -KILL $PPID']);

      expect((await entry('removed-packages'))?.packages).toEqual([{ ...docker, isThere: true, isReturning: true }]);
      // The next removal ends it.
      await remove(['runc']);
      expect((await entry('removed-packages'))?.packages[0]).toMatchObject({ name: 'docker.io', isReturning: false });
      await back([docker], ['true'], ['sh', '-c', 'kill -KILL $PPID']);
      expect((await back([runc, docker])).exitCode).toBe(0);
      expect([read('db'), read('units')]).toEqual([
        'ii  base 1\nii  docker.io 20\nii  runc 1.1+b\n',
        'docker.service enabled active\n',
      ]);
    });
  },
);
