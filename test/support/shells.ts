import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecOptions, ExecResult, Transport } from '../../src/transport/transport.ts';

/** The shells that stand behind /bin/sh on the supported distributions, where this machine has them. */
export const shells = [
  { name: 'dash', binary: '/bin/dash' },
  { name: 'bash', binary: '/bin/bash' },
].filter(({ binary }) => existsSync(binary));

/** True where this user may make a mount namespace; without one, scripts that apply would write into /run and /var/lib here. */
export const canMakeHostRoot = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

/** A machine of its own as far as scripts are concerned: other /run, /var/lib, /usr/local/sbin and /sys/module. The rest is this machine's. */
export interface HostRoot {
  /** Temporary folder, the same inside and outside. */
  readonly folder: string;
  /** Where a path of /run, /var/lib, /usr/local/sbin or /sys/module inside lies outside. */
  outside(path: string): string;
  /** Runs scripts inside, as `shell` called by the name sh. */
  transport(shell?: string): Transport;
  /** An executable that runs `sh` inside with the arguments given: a login shell. */
  readonly command: readonly string[];
  stop(): void;
}

const binds = { '/run': 'run', '/var/lib': 'var-lib', '/usr/local/sbin': 'sbin', '/sys/module': 'module' } as const;

/** Needs canMakeHostRoot. */
export async function startHostRoot(): Promise<HostRoot> {
  const folder = mkdtempSync(join(tmpdir(), 'installer-root-'));
  for (const name of Object.values(binds)) mkdirSync(join(folder, name));
  const mounts = Object.entries(binds).map(([path, name]) => `mount --bind ${folder}/${name} ${path}`);
  const script = [...mounts, 'echo ready', 'exec sleep infinity'].join(' && ');
  const keeper = spawn('unshare', ['-m', '--propagation', 'private', '/bin/sh', '-c', script], { stdio: 'pipe' });
  await new Promise<void>((resolve, reject) => {
    let errors = '';
    keeper.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    keeper.stdout.once('data', () => resolve());
    keeper.once('exit', () => reject(new Error(`no mount namespace: ${errors}`)));
  });
  const enter = ['nsenter', '-t', String(keeper.pid), '-m'];
  return {
    folder,
    command: enter,
    outside(path) {
      const found = Object.entries(binds).find(([inside]) => path === inside || path.startsWith(`${inside}/`));
      if (found === undefined) throw new Error(`${path} is the same inside and outside`);
      return join(folder, found[1], path.slice(found[0].length));
    },
    transport: (shell = '/bin/sh') => createShellTransport([...enter, namedSh(shell, folder)]),
    stop() {
      keeper.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** bash is another shell when it is called sh. */
export function namedSh(binary: string, folder: string): string {
  const bin = join(folder, `as${binary.replaceAll('/', '-')}`);
  if (!existsSync(bin)) {
    mkdirSync(bin);
    symlinkSync(binary, join(bin, 'sh'));
  }
  return join(bin, 'sh');
}

/** Scripts on the standard input of a shell on this machine; `argv` starts it. */
export function createShellTransport(argv: readonly string[]): Transport {
  let trips = 0;
  return {
    description: argv.join(' '),
    privilege: 'root',
    get trips() {
      return trips;
    },
    exec(script, options) {
      trips += 1;
      return runScript(argv, script, options);
    },
    close: () => Promise.resolve(),
  };
}

/** Runs `argv -s` with a script on its standard input and an almost empty environment. */
export function runScript(
  argv: readonly string[],
  script: string,
  options: Partial<ExecOptions> = {},
): Promise<ExecResult> {
  const startedAt = performance.now();
  const [command = '', ...args] = argv;
  const child = spawn(command, [...args, '-s'], {
    env: { PATH: process.env['PATH'], HOME: '/root', LC_ALL: 'C' },
    stdio: 'pipe',
    signal: options.signal,
  });
  const streams = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (stream === child.stdout) options.onStdout?.(chunk.toString());
    });
    return chunks;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdin.on('error', () => undefined);
    child.once('close', (code, signal) => {
      const [stdout = '', stderr = ''] = streams.map((chunks) => Buffer.concat(chunks).toString('utf8'));
      resolve({
        exitCode: code ?? undefined,
        signal: signal ?? undefined,
        stdout,
        stderr,
        durationMs: performance.now() - startedAt,
        bytesSent: Buffer.byteLength(script),
        bytesReceived: Buffer.byteLength(stdout) + Buffer.byteLength(stderr),
      });
    });
    child.stdin.end(script);
  });
}
