import { onTestFinished } from 'vitest';
import { startSshd, type Sshd, type SshdOptions } from './sshd.ts';

/** A server that stops when the test has finished, whatever its outcome. */
export async function startSshdForTest(options: SshdOptions): Promise<Sshd> {
  const sshd = await startSshd(options);
  onTestFinished(() => sshd.stop());
  return sshd;
}
