import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serverCertificate } from '../../test/lab/upstream/certificates.ts';
import { canMakeHostRoot, namedSh, shells, startHostRoot, type HostRoot } from '../../test/support/shells.ts';
import { createHost, type ApplyResult, type Host } from '../hosts/host.ts';
import { curlConfig } from '../kubernetes/host-servers.ts';
import type { FetchServer } from './action.ts';
import { artifactQuery } from './query.ts';

const login = { username: 'reader', password: `a "quoted" \\ $HOME 'word' #1` };
const basic = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
const content = 'a release';
const sha256 = createHash('sha256').update(content).digest('hex');

describe.skipIf(!canMakeHostRoot).each(shells)(
  'a host under $name fetches from a server with a login',
  ({ binary }) => {
    let root: HostRoot;
    let host: Host;
    let dir: string;
    let ca: string;
    const servers: Server[] = [];
    /** Host and port. */
    let plain: string;
    let secure: string;
    let other: string;
    let seen: string[];

    beforeAll(async () => {
      root = await startHostRoot();
      host = createHost('n1', root.transport(namedSh(binary, root.folder)));
      dir = await mkdtemp(join(tmpdir(), 'fetch-let-in-'));
      const files = await serverCertificate(dir, ['127.0.0.1']);
      ca = await readFile(files.ca, 'utf8');
      const tls = { cert: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
      const answer =
        (name: string): RequestListener =>
        ({ url = '', headers }, response) => {
          seen.push(`${name} ${url} ${headers.authorization ?? '-'}`);
          if (url === '/moved') response.writeHead(302, { location: `http://${other}/tool` }).end();
          else if (url === '/tool.sha256') response.writeHead(200).end(sha256);
          else response.writeHead(url === '/tool' ? 200 : 404).end(content);
        };
      const listen = async (server: Server): Promise<string> => {
        servers.push(server);
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return `127.0.0.1:${(server.address() as AddressInfo).port}`;
      };
      plain = await listen(createServer(answer('plain')));
      secure = await listen(createTlsServer(tls, answer('secure')));
      other = await listen(createServer(answer('other')));
    });

    afterAll(async () => {
      for (const server of servers) server.close();
      root.stop();
      await rm(dir, { recursive: true, force: true });
    });

    beforeEach(() => {
      seen = [];
    });

    async function fetchFrom(
      url: string,
      known: Readonly<Record<string, FetchServer>>,
      secrets: ReadonlyMap<string, string>,
      pin: 'pinned' | 'published' = 'pinned',
    ): Promise<ApplyResult> {
      host.forget();
      await host.observe([artifactQuery('thing', false)]);
      const install = { as: 'file', path: join(root.folder, 'tool'), mode: '755' } as const;
      const fetched = {
        kind: 'fetch',
        name: 'thing',
        version: 'v1',
        url,
        sha256: pin === 'pinned' ? sha256 : undefined,
        install,
        servers: known,
      } as const;
      const actions = [{ ...fetched, checksumUrl: `${url}.sha256` }];
      return host.apply({ actions, look: [], secrets, holder: 'a test', lockTimeoutSeconds: 2, timeoutMs: 20_000 });
    }

    const curl = { curlConfig: '{{secret:curl}}' };
    const ofLogin = new Map([['curl', curlConfig(login)]]);

    it('shows user and password, for the file and for its checksum', async () => {
      expect(await fetchFrom(`http://${plain}/tool`, { [plain]: curl }, ofLogin, 'published')).toMatchObject({
        status: 'applied',
      });
      expect(seen).toEqual([`plain /tool ${basic}`, `plain /tool.sha256 ${basic}`]);
    });

    it('shows a token', async () => {
      const secrets = new Map([['curl', curlConfig({ token: 'a-"token"' })]]);

      expect(await fetchFrom(`http://${plain}/tool`, { [plain]: curl }, secrets)).toMatchObject({ status: 'applied' });
      expect(seen).toEqual(['plain /tool Bearer a-"token"']);
    });

    it.each([
      ['user and password', curlConfig(login)],
      ['a token', curlConfig({ token: 'abcdef' })],
    ])('shows %s to no host that it is led to', async (_name, config) => {
      const secrets = new Map([['curl', config]]);

      expect(await fetchFrom(`http://${plain}/moved`, { [plain]: curl, [other]: curl }, secrets)).toMatchObject({
        status: 'applied',
      });
      expect(seen.map((line) => line.replace(/(Basic|Bearer) .*/, '$1'))).toEqual([
        expect.stringMatching(/^plain \/moved B(asic|earer)$/) as string,
        'other /tool -',
      ]);
    });

    it('shows nothing to a server of another port', async () => {
      await fetchFrom(`http://${other}/tool`, { [plain]: curl }, ofLogin);

      expect(seen).toEqual(['other /tool -']);
    });

    it('trusts the authority of the server, and leaves nothing of it behind', async () => {
      expect(await fetchFrom(`https://${secure}/tool`, { [secure]: { ca, ...curl } }, ofLogin)).toMatchObject({
        status: 'applied',
      });
      expect(seen).toEqual([`secure /tool ${basic}`]);
      expect(readdirSync(root.outside('/var/lib/installer/artifacts/thing')).toSorted()).not.toContain('ca');
    });

    it('does not trust it otherwise', async () => {
      expect(await fetchFrom(`https://${secure}/tool`, { [secure]: curl }, ofLogin)).toMatchObject({
        status: 'failed',
        failed: { exitCode: 60, output: expect.stringContaining('certificate') as string },
      });
      expect(seen).toEqual([]);
      expect(existsSync(root.outside('/var/lib/installer/artifacts/thing/source'))).toBe(false);
    });
  },
);
