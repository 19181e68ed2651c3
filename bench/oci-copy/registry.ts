import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilListening } from './listening.ts';

/** Debian's docker-registry over a folder, with a log of its requests. */
export interface BenchRegistry {
  /** Requests since it started. */
  requests(): number;
  stop(): Promise<void>;
  /** Ends it at once, where nobody can wait. */
  kill(): void;
}

export interface BenchRegistryOptions {
  readonly binary: string;
  /** For its files. */
  readonly dir: string;
  readonly port: number;
  /** Where it listens, and what starts it there. */
  readonly address?: string | undefined;
  readonly prefix?: readonly string[] | undefined;
}

/** Starts a registry over a folder that may hold something already. */
export async function startRegistry(
  storage: string,
  { binary, dir, port, address = '127.0.0.1', prefix = [] }: BenchRegistryOptions,
): Promise<BenchRegistry> {
  const log = join(dir, 'registry.log');
  const config = join(dir, 'registry.yml');
  const text = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: storage },
      cache: { blobdescriptor: 'inmemory' },
      delete: { enabled: false },
    },
    http: { addr: `${address}:${port}`, relativeurls: true },
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(text));
  const [command, ...args] = [...prefix, binary, 'serve', config];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const file = createWriteStream(log);
  child.stdout.pipe(file);
  child.stderr.resume();
  await untilListening(address, port, child);
  return {
    requests: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.includes('HTTP/1.1"')).length,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'close');
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
