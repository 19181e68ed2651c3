import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:net';

/** Asks until the answer is true; throws with `what` when the time is up. */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  ask: () => boolean | Promise<boolean>,
  intervalMs = 50,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    await sleep(intervalMs);
  }
}

/** Whether an SSH server greets at the address: an open port alone may be a server that hangs. */
export async function sshAnswers(address: string, timeoutMs = 1000): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host: address, port: 22 });
    const end = (answer: boolean): void => {
      socket.destroy();
      settle(answer);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('data', (data) => end(data.toString('latin1').startsWith('SSH-')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

/** Whether the port takes a connection. */
export async function portAnswers(address: string, port: number, timeoutMs = 1000): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host: address, port });
    const end = (answer: boolean): void => {
      socket.destroy();
      settle(answer);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
