import { spawn } from 'node:child_process';
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { execa } from 'execa';
import { serverCertificate, type ServerCertificate } from '../../lab/upstream/certificates.ts';

/** Debian's docker-registry, running. */
export interface DockerRegistry {
  readonly host: string;
  /** PEM text of the authority that signed its certificate; undefined where it speaks plain HTTP. */
  readonly ca: string | undefined;
  /** Path of the same file. */
  readonly caFile: string | undefined;
  stop(): Promise<void>;
}

export interface DockerRegistryOptions {
  readonly tls?: boolean;
  /** `basic`, or `token` from a token service that is started with it; both know alice with the password below. */
  readonly auth?: 'basic' | 'token';
}

export const account = { username: 'alice', password: 'correct horse: "battery"' } as const;

/** Starts a registry over an empty folder below `dir`. */
export async function startDockerRegistry(
  binary: string,
  dir: string,
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  await mkdir(dir, { recursive: true });
  const port = await freePort();
  const certificate =
    options.tls === true ? await serverCertificate(join(dir, 'tls'), ['127.0.0.1', 'localhost']) : undefined;
  const tokens = options.auth === 'token' ? await startTokenService(dir) : undefined;
  const auth = tokens ? { auth: { token: tokens.settings } } : options.auth === 'basic' ? await basicAuth(dir) : {};
  const config = join(dir, 'config.yml');
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(dir, 'storage') }, delete: { enabled: true } },
      http: {
        addr: `127.0.0.1:${port}`,
        ...(certificate ? { tls: { certificate: certificate.certificate, key: certificate.key } } : {}),
      },
      ...auth,
    }),
  );
  const child = spawn(binary, ['serve', config], { stdio: 'ignore' });
  await listening(port);
  return {
    host: `127.0.0.1:${port}`,
    ca: certificate && (await readFile(certificate.ca, 'utf8')),
    caFile: certificate?.ca,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
      tokens?.server.close();
    },
  };
}

/** perl's crypt knows bcrypt, the only kind that the registry takes; the password passes through stdin. */
async function basicAuth(dir: string): Promise<object> {
  const program = 'my $p = <STDIN>; print crypt($p, q($2y$05$abcdefghijklmnopqrstuu))';
  const { stdout } = await execa('perl', ['-e', program], { input: account.password });
  const path = join(dir, 'htpasswd');
  await writeFile(path, `${account.username}:${stdout}\n`);
  return { auth: { htpasswd: { realm: 'test', path } } };
}

async function startTokenService(dir: string): Promise<{ server: Server; settings: object }> {
  const { certificate, key, ca }: ServerCertificate = await serverCertificate(join(dir, 'token'), ['issuer.test']);
  const der = new X509Certificate(await readFile(certificate)).raw.toString('base64');
  const privateKey = createPrivateKey(await readFile(key));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const expected = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`;
    if (request.headers.authorization !== expected) {
      response.writeHead(401).end();
      return;
    }
    const access = url.searchParams.getAll('scope').map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'test',
      sub: account.username,
      aud: 'registry',
      iat: now,
      nbf: now - 5,
      exp: now + 60,
      jti: `${now}`,
      access,
    };
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${encode({ typ: 'JWT', alg: 'ES256', x5c: [der] })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    );
    response.end(JSON.stringify({ token: `${text}.${signature}`, expires_in: 60 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    server,
    settings: { realm: `http://127.0.0.1:${port}/token`, service: 'registry', issuer: 'test', rootcertbundle: ca },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await wait(50);
  }
  throw new Error('docker-registry does not listen');
}
