import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { canMakeHostRoot, namedSh, shells, startHostRoot, type HostRoot } from '../../test/support/shells.ts';
import { createHost, type ApplyResult, type Host } from '../hosts/host.ts';
import type { Action, FetchAction } from './action.ts';
import { statFormat } from './compile-query.ts';
import { hostPaths } from './host-paths.ts';
import { fileEntryId } from './record.ts';
import { artifactQuery, type ArtifactSeen, type Seen } from './query.ts';

describe.skipIf(!canMakeHostRoot).each(shells)(
  'a fetch under $name (needs root and mount namespaces)',
  ({ binary }) => {
    let root: HostRoot;
    let host: Host;
    let server: Server;
    let folder: string;
    let url: string;
    let count = 0;
    const served = new Map<string, Buffer | string>();

    beforeAll(async () => {
      root = await startHostRoot();
      host = createHost('n1', root.transport(namedSh(binary, root.folder)));
      server = createServer((request, response) => {
        const body = served.get(request.url ?? '');
        response.writeHead(body === undefined ? 404 : 200).end(body);
      });
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      served.set('/archive.tar.gz', archive({ 'bin/one': '1', 'bin/two': '22', README: 'no' }));
      served.set('/flat.tar.gz', archive({ bridge: 'b', 'it is-a "plugin"': 'p' }));
      served.set('/tool', '#!/bin/sh\necho tool\n');
    });

    afterAll(() => {
      server.close();
      root.stop();
    });

    beforeEach(() => {
      count += 1;
      folder = join(root.folder, `case${count}`);
    });

    function archive(files: Record<string, string>): Buffer {
      const source = join(root.folder, `archive${served.size}`);
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(source, name)), { recursive: true });
        writeFileSync(join(source, name), content);
      }
      spawnSync('tar', ['-czf', '../archive.tar.gz', '.'], { cwd: source });
      return readFileSync(join(root.folder, 'archive.tar.gz'));
    }

    function digestOf(path: string): string {
      return createHash('sha256')
        .update(served.get(path) ?? '')
        .digest('hex');
    }

    function fetchAction(path: string, install: FetchAction['install'], more: Partial<FetchAction> = {}): FetchAction {
      const base = { kind: 'fetch', name: 'thing', version: 'v1.2.3', url: `${url}${path}`, install } as const;
      return { ...base, sha256: digestOf(path), checksumUrl: `${url}${path}.sha256`, ...more };
    }

    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

    const record = (name = ''): string => root.outside(`/var/lib/installer/artifacts/thing/${name}`);

    const toolAt = (path: string): FetchAction['install'] => ({ as: 'file', path, mode: '755' });

    async function apply(...actions: readonly Action[]): Promise<ApplyResult> {
      host.forget();
      await host.observe([artifactQuery('thing', false)]);
      const rest = { secrets: new Map<string, string>(), holder: 'a test', lockTimeoutSeconds: 2, timeoutMs: 20_000 };
      return host.apply({ actions, look: [], ...rest });
    }

    async function look(verifyContent = false): Promise<Seen<ArtifactSeen>> {
      const query = artifactQuery('thing', verifyContent);
      return (await host.observeOnce([query]))(query);
    }

    it('lays a single file down with its mode, and leaves a record', async () => {
      const path = join(folder, 'bin/tool');

      expect(await apply(fetchAction('/tool', toolAt(path)))).toMatchObject({ status: 'applied' });

      expect(readFileSync(path, 'utf8')).toBe('#!/bin/sh\necho tool\n');
      expect(statSync(path).mode & 0o777).toBe(0o755);
      expect(await look()).toEqual({
        state: 'present',
        value: { sourceSha256: digestOf('/tool'), version: 'v1.2.3', files: [path], altered: [] },
      });
      expect(readdirSync(record())).toEqual(expect.arrayContaining(['source', 'stat', 'sums']));
      expect(readdirSync(record())).not.toEqual(expect.arrayContaining(['download']));
    });

    it('lays the named members of an archive down and leaves the others out', async () => {
      const install = { as: 'members', directory: folder, members: [{ from: 'bin/two', to: 'second' }] } as const;

      await apply(fetchAction('/archive.tar.gz', install));

      expect(readdirSync(folder)).toEqual(['second']);
      expect(readFileSync(join(folder, 'second'), 'utf8')).toBe('22');
      expect(await look()).toMatchObject({ value: { files: [join(folder, 'second')], altered: [] } });
    });

    it('lays all files at the top of an archive down', async () => {
      await apply(fetchAction('/flat.tar.gz', { as: 'all', directory: folder }));

      expect(readdirSync(folder, { recursive: true }).sort()).toEqual(['bridge', 'it is-a "plugin"']);
      expect(await look()).toMatchObject({
        value: { files: ['bridge', 'it is-a "plugin"'].map((name) => expect.stringContaining(`/${name}`) as string) },
      });
    });

    it('keeps what stood there, by another name for it, and says what it laid down where nothing was', async () => {
      mkdirSync(folder);
      const [bridge, later] = [join(folder, 'bridge'), join(folder, 'later')];
      writeFileSync(bridge, 'own', { mode: 0o640 });
      writeFileSync(later, 'own');
      symlinkSync('later', join(folder, 'it is-a "plugin"'));
      const action = fetchAction(
        '/flat.tar.gz',
        { as: 'all', directory: folder },
        { name: 'plugins', alsoKeeps: [later] },
      );
      const other = fetchAction('/tool', toolAt(join(folder, 'new')), { name: 'other' });

      expect(await apply(action)).toMatchObject({ status: 'applied' });
      expect(await apply(action)).toMatchObject({ status: 'applied' });
      expect(await apply(other)).toMatchObject({ status: 'applied' });

      const entry = (path: string, file: string): string =>
        root.outside(`${hostPaths.before}/${fileEntryId(path)}/${file}`);
      expect(statSync(entry(bridge, 'content'))).toMatchObject({ mode: 0o100640 });
      expect(readFileSync(entry(bridge, 'written'), 'utf8')).toBe(`${sha256('b')}\n`);
      expect(readFileSync(entry(join(folder, 'it is-a "plugin"'), 'entry'), 'utf8')).toContain('\nwas=link later\n');
      expect(readFileSync(entry(later, 'entry'), 'utf8')).toContain('\nwas=file ');
      expect(readFileSync(record('../plugins/kept'), 'utf8').split('\n').toSorted()).toEqual(
        ['', bridge, join(folder, 'it is-a "plugin"'), later].toSorted(),
      );
      expect(readFileSync(record('../plugins/laid'), 'utf8')).toBe('');
      expect(readFileSync(record('../other/laid'), 'utf8')).toBe(`${join(folder, 'new')}\n`);
      expect(existsSync(entry(join(folder, 'new'), 'entry'))).toBe(false);
      await apply(
        { kind: 'restore-file', entry: fileEntryId(bridge), path: bridge },
        { kind: 'forget', entry: fileEntryId(bridge) },
      );
      expect([readFileSync(bridge, 'utf8'), statSync(bridge).mode & 0o777]).toEqual(['own', 0o640]);
    });

    it('needs no space for what stood there on the file system of the record', async () => {
      const path = '/var/lib/tool';
      writeFileSync(root.outside(path), 'own');
      const { ino } = statSync(root.outside(path));

      await apply(fetchAction('/tool', toolAt(path)));

      const entry = root.outside(`${hostPaths.before}/${fileEntryId(path)}/content`);
      expect(statSync(entry).ino).toBe(ino);
      expect(readFileSync(entry, 'utf8')).toBe('own');
    });

    it('replaces a file that runs, whose process keeps the old one', async () => {
      const path = join(folder, 'tool');
      mkdirSync(folder);
      writeFileSync(path, 'old');
      const before = statSync(path).ino;

      await apply(fetchAction('/tool', toolAt(path)));

      expect(statSync(path).ino).not.toBe(before);
    });

    it('installs nothing, and leaves no record, where the checksum is wrong', async () => {
      const path = join(folder, 'tool');
      const wrong = 'f'.repeat(64);

      expect(await apply(fetchAction('/tool', toolAt(path), { sha256: wrong }))).toMatchObject({
        status: 'failed',
        failed: { exitCode: 65, output: expect.stringContaining(`expected sha256 ${wrong}, got `) as string },
      });
      expect(existsSync(path)).toBe(false);
      expect(await look()).toEqual({ state: 'absent' });
    });

    it.each<[string, (digest: string) => string]>([
      ['the bare digest', (digest) => digest],
      ['the bare digest and a newline', (digest) => `${digest}\n`],
      ['digest and name', (digest) => `${digest}  tool\n`],
      ['lines for many files', (digest) => `${'0'.repeat(64)}  other\n${digest}  tool\n${'1'.repeat(64)}  more\n`],
      [
        'names that hold the wanted one',
        (digest) => `${'0'.repeat(64)}  cri-tool\n${'1'.repeat(64)}  tool.asc\n${digest}  tool\n`,
      ],
      ['names with a star and a folder', (digest) => `${'0'.repeat(64)} *dist/tool.asc\n${digest} *dist/tool\n`],
    ])('takes the published checksum in the form: %s', async (_name, render) => {
      const path = join(folder, 'tool');
      served.set('/tool.sha256', render(digestOf('/tool')));

      expect(await apply(fetchAction('/tool', toolAt(path), { sha256: undefined }))).toMatchObject({
        status: 'applied',
      });
      expect(existsSync(path)).toBe(true);
    });

    it.each([
      ['wrong', `${'0'.repeat(64)}\n`, 65],
      ['empty', '', 65],
      ['missing', undefined, 22],
    ])('refuses a file whose published checksum is %s', async (_name, text, exitCode) => {
      const path = join(folder, 'tool');
      if (text === undefined) served.delete('/tool.sha256');
      else served.set('/tool.sha256', text);

      expect(await apply(fetchAction('/tool', toolAt(path), { sha256: undefined }))).toMatchObject({
        status: 'failed',
        failed: { exitCode },
      });
      expect(existsSync(path)).toBe(false);
    });

    it('says what the server said where there is no such file', async () => {
      const result = await apply(fetchAction('/none', toolAt(join(folder, 'tool'))));

      expect(result).toMatchObject({ status: 'failed', failed: { output: expect.stringContaining('404') as string } });
    });

    describe('the record', () => {
      const install = { as: 'members', members: ['one', 'two'].map((to) => ({ from: `bin/${to}`, to })) } as const;

      beforeEach(async () => {
        await apply(fetchAction('/archive.tar.gz', { ...install, directory: folder }));
      });

      it('finds a file that was altered', async () => {
        writeFileSync(join(folder, 'one'), 'X');

        expect(await look()).toMatchObject({ value: { altered: [join(folder, 'one')] } });
        expect(await look(true)).toMatchObject({ value: { altered: [join(folder, 'one')] } });
      });

      it('finds a file that is gone', async () => {
        spawnSync('rm', [join(folder, 'two')]);

        expect(await look()).toMatchObject({ value: { altered: [join(folder, 'two')] } });
      });

      it('counts within the boot that wrote it, and later only once it was brought to the disk', async () => {
        const path = join(folder, 'one');
        await vi.waitFor(() => expect(existsSync(record('synced'))).toBe(true), { timeout: 5000 });
        writeFileSync(path, '');
        const lines = spawnSync('stat', ['-c', statFormat, path, join(folder, 'two')], { env: { LC_ALL: 'C' } }).stdout;
        writeFileSync(record('stat'), lines);
        expect(await look()).toMatchObject({ value: { altered: [] } });
        rmSync(record('synced'));
        expect(await look()).toMatchObject({ value: { altered: [] } });
        writeFileSync(record('boot'), 'an earlier one\n');
        expect(await look()).toMatchObject({ value: { altered: [path] } });
        writeFileSync(record('synced'), '');
        expect(await look()).toMatchObject({ value: { altered: [] } });
      });

      it('takes other dates alone for no alteration', async () => {
        utimesSync(join(folder, 'one'), 1, 1);

        expect(await look()).toMatchObject({ value: { altered: [] } });
      });

      it('is gone where the fetch that was to replace it failed', async () => {
        await apply(fetchAction('/none', { ...install, directory: folder }));

        expect(await look()).toEqual({ state: 'absent' });
        expect(readFileSync(join(folder, 'one'), 'utf8')).toBe('1');
      });

      it('names the version that is there after another was fetched', async () => {
        await apply(fetchAction('/archive.tar.gz', { ...install, directory: folder }, { version: 'v2.0.0' }));

        expect(await look()).toMatchObject({ value: { version: 'v2.0.0', altered: [] } });
      });
    });
  },
);
