import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Debian's docker-registry over a folder, with a log of its requests. */
export interface BenchRegistry {
  readonly host: string;
  /** Requests since it started. */
  requests(): number;
  stop(): Promise<void>;
}

/** Starts a registry over a folder that may hold something already. */
export async function startRegistry(
  binary: string,
  dir: string,
  storage: string,
  port: number,
): Promise<BenchRegistry> {
  const log = join(dir, `registry-${port}.log`);
  const config = join(dir, `registry-${port}.yml`);
  const text = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: storage },
      cache: { blobdescriptor: 'inmemory' },
      delete: { enabled: false },
    },
    http: { addr: `127.0.0.1:${port}` },
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(text));
  const child = spawn(binary, ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const file = createWriteStream(log);
  child.stdout.pipe(file);
  child.stderr.resume();
  await listening(port, child);
  return {
    host: `127.0.0.1:${port}`,
    requests: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.includes('HTTP/1.1"')).length,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'close');
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the registry ended with ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      wait(1000, false),
    ]);
    socket.destroy();
    if (isOpen) return;
    await wait(50);
  }
  throw new Error('the registry does not listen');
}
