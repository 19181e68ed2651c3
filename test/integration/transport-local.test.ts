import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InstallerError } from '../../src/errors.ts';
import { connectLocal } from '../../src/transport/local.ts';

const plain = { root: false, timeoutMs: 20_000 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installer-transport-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function failureOf(work: Promise<unknown>): Promise<InstallerError> {
  const result = await work.catch((error: unknown) => error);
  if (!(result instanceof InstallerError)) throw new Error('expected an InstallerError', { cause: result });
  return result;
}

describe('the local transport', () => {
  it('runs a script as a connection would', async () => {
    const transport = await connectLocal('n1');
    const script = 'echo "$0 é"; pwd; echo wrong >&2; exit 3\n';
    const result = await transport.exec(script, plain);
    expect(result).toMatchObject({
      exitCode: 3,
      signal: undefined,
      stdout: `/bin/sh é\n${homedir()}\n`,
      stderr: 'wrong\n',
      bytesSent: Buffer.byteLength(script),
    });
    expect([transport.description, transport.trips]).toEqual(['local', 1]);
  });

  it('knows that root is root', async () => {
    const { privilege } = await connectLocal('n1');
    if (userInfo().uid === 0) expect(privilege).toBe('root');
    else expect(privilege).not.toBe('root');
  });

  it('gives scripts nothing of the environment of this program', async () => {
    process.env['INSTALLER_TEST_TOKEN'] = 'secret';
    const transport = await connectLocal('n1');
    const { stdout } = await transport.exec('env\n', plain);
    delete process.env['INSTALLER_TEST_TOKEN'];
    expect(stdout).not.toContain('secret');
    expect(stdout).toContain(`HOME=${homedir()}\n`);
  });

  it('says which signal ended a script', async () => {
    const transport = await connectLocal('n1');
    expect(await transport.exec('kill -KILL $$\n', plain)).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' });
  });

  it('takes 10 MB and gives 10 MB', async () => {
    const transport = await connectLocal('n1');
    const data = `${'x'.repeat(99)}\n`.repeat(100_000);
    const result = await transport.exec(`wc -c <<'END'\n${data}END\nhead -c 10000000 /dev/zero | tr '\\0' y\n`, plain);
    expect([result.stdout.slice(0, 9), result.stdout.length]).toEqual(['10000000\n', 10_000_009]);
  });

  it('takes a script that ends without reading all of its text', async () => {
    const transport = await connectLocal('n1');
    const result = await transport.exec(`echo early; exit 0\n${'# rest\n'.repeat(1_000_000)}`, plain);
    expect(result).toMatchObject({ exitCode: 0, stdout: 'early\n' });
  });

  it('shows output as it comes, and ends a script that prints more than the bound', async () => {
    const transport = await connectLocal('n1');
    const seen: string[] = [];
    await transport.exec(`printf 'a\\342'; sleep 0.1; printf '\\202\\254b'\n`, {
      ...plain,
      onStdout: (text) => seen.push(text),
    });
    expect(seen).toEqual(['a', '€b']);
    const error = await failureOf(transport.exec('yes\n', { ...plain, maxOutputBytes: 100_000 }));
    expect(error.code).toBe('SSH_OUTPUT_TOO_LARGE');
  });

  it('ends a script, and what it started, at its deadline', async () => {
    const transport = await connectLocal('n1');
    const marker = join(folder, 'marker');
    const error = await failureOf(transport.exec(`(sleep 1; touch ${marker}) & wait\n`, { ...plain, timeoutMs: 200 }));
    expect([error.code, error.host]).toEqual(['SSH_TIMEOUT', 'n1']);
    await new Promise((resolve) => setTimeout(resolve, 1300));
    await expect(readFile(marker)).rejects.toThrow('ENOENT');
  });

  it('ends a script at once when aborted', async () => {
    const transport = await connectLocal('n1');
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const startedAt = performance.now();
    const error = await failureOf(transport.exec('sleep 30\n', { ...plain, signal: controller.signal }));
    expect([error.code, error.exitCode]).toEqual(['INTERRUPTED', 130]);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it('runs nothing after it is closed', async () => {
    const transport = await connectLocal('n1');
    await transport.close();
    expect((await failureOf(transport.exec('echo\n', plain))).code).toBe('SSH_CONNECTION_LOST');
  });
});
