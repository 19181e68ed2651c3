import { expect, it } from 'vitest';
import { InstallerError } from '../errors.ts';
import type { ExecOptions, Transport } from '../transport/transport.ts';
import { lookingWithoutRoot } from './without-root.ts';

/** A transport that runs nothing as root where `code` is given, and notes how it was asked. */
function transportOf(code?: string): { readonly transport: Transport; readonly asked: boolean[] } {
  const asked: boolean[] = [];
  const exec = (_script: string, { root }: ExecOptions) => {
    asked.push(root);
    if (root && code !== undefined) return Promise.reject(new InstallerError({ code, message: 'sudo says no' }));
    const result = { exitCode: 0, signal: undefined, stdout: '', stderr: '' };
    return Promise.resolve({ ...result, durationMs: 1, bytesSent: 1, bytesReceived: 1 });
  };
  const privilege = code === undefined ? 'sudo' : 'none';
  return { asked, transport: { description: 'n1', privilege, trips: 0, exec, close: () => Promise.resolve() } };
}

const look: ExecOptions = { root: true, timeoutMs: 1000 };

it('looks as root where it can', async () => {
  const { transport, asked } = transportOf();
  const told: string[] = [];
  await lookingWithoutRoot(transport, ({ message }) => told.push(message)).exec('', look);

  expect(asked).toEqual([true]);
  expect(told).toEqual([]);
});

it('looks in the account where it cannot, and says why once', async () => {
  const { transport, asked } = transportOf('SSH_NO_ROOT');
  const told: string[] = [];
  const looking = lookingWithoutRoot(transport, ({ message }) => told.push(message));
  await looking.exec('', look);
  await looking.exec('', look);

  expect(asked).toEqual([true, false, false]);
  expect(told).toEqual(['sudo says no']);
});

it('leaves every other failure as it is', async () => {
  const { transport, asked } = transportOf('SSH_TIMEOUT');

  await expect(lookingWithoutRoot(transport, () => undefined).exec('', look)).rejects.toThrow('sudo says no');
  expect(asked).toEqual([true]);
});
