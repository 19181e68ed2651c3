import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { untilListening } from './listening.ts';

/** A line between this machine and a network namespace of its own: 200 Mbit/s (tc tbf) and 10 ms each way (a proxy). */
export interface SlowLink {
  /** Address of the far end, and what runs a program there. */
  readonly address: string;
  readonly prefix: readonly string[];
  close(): void;
}

const names = { netns: 'obench', near: 'obench0', far: 'obench1' };
const addresses = { near: '10.213.7.1', far: '10.213.7.2' };
const rate = '200mbit';
export const delayMs = 10;

/** Makes the line, with a port on this machine that leads to the same port at the far end. Needs root. */
export async function openSlowLink(port: number): Promise<SlowLink> {
  const ip = (...args: readonly string[]): void => {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const inside = ['netns', 'exec', names.netns] as const;
  const shape = ['qdisc', 'add', 'dev', names.far, 'root', 'tbf', 'rate', rate, 'burst', '256kb', 'latency', '100ms'];
  ip('netns', 'add', names.netns);
  let proxy: ReturnType<typeof spawn> | undefined;
  const close = (): void => {
    proxy?.kill('SIGKILL');
    // The pair goes with the namespace.
    ip('netns', 'delete', names.netns);
  };
  try {
    ip('link', 'add', names.near, 'type', 'veth', 'peer', 'name', names.far, 'netns', names.netns);
    ip('address', 'add', `${addresses.near}/30`, 'dev', names.near);
    ip('link', 'set', names.near, 'up');
    ip(...inside, 'ip', 'address', 'add', `${addresses.far}/30`, 'dev', names.far);
    ip(...inside, 'ip', 'link', 'set', names.far, 'up');
    ip(...inside, 'tc', ...shape);
    execFileSync('tc', shape.with(3, names.near));
    const script = join(import.meta.dirname, 'delaying-proxy.ts');
    const args = [script, `${port}`, addresses.far, `${port}`, `${delayMs}`];
    proxy = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await untilListening('127.0.0.1', port, proxy);
  } catch (error) {
    close();
    throw error;
  }
  return { address: addresses.far, prefix: ['ip', ...inside], close };
}
