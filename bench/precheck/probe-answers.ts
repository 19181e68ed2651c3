import type { Answer } from './recorded-answers.ts';

/** How long three real hosts of the lab take for it, where all ports are open; a hundred loopback addresses have no network. */
const healthyMs = 400;

/**
 * What the probe of the peers (src/ops/peer-probe.ts) prints in a network where everything is open: nothing but its times. Undefined for other scripts.
 */
export function answerProbe(script: string): Promise<Answer> | undefined {
  const nonce = /^N=([0-9a-zA-Z]+)$/m.exec(script)?.[1] ?? '';
  if (!script.includes('\nsay start "$(clock)"\n')) return undefined;
  const now = Date.now();
  const lines = [`start ${now}`, `up ${now + 100}`, `end ${now + healthyMs}`];
  const frame = (text: string): string => `\n${nonce} ${text}\n`;
  // A control plane is asked for its disk too.
  const writes = script.includes('oflag=dsync') ? 'copied, 0.00123 s\n'.repeat(100) : undefined;
  const disk = (text: string): string => (writes === undefined ? '' : `${frame('Q 1')}${text}${frame('q 1 0')}`);
  const stdout = `${frame('G 0')}${frame('Q 0')}${lines.join('\n')}\n${frame('q 0 0')}${disk(writes ?? '')}${frame('Z')}`;
  const stderr = `${frame('G 0')}${frame('Q 0')}${frame('q 0 0')}${disk('')}${frame('Z')}`;
  return new Promise((resolve) => {
    setTimeout(() => resolve({ stdout, stderr }), healthyMs);
  });
}
