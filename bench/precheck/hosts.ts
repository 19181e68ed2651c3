import type { HostShape } from './recorded-answers.ts';

/** Where the SSH server of a host listens: a loopback address of its own. */
export function loopbackOf(index: number): string {
  return `127.1.${Math.floor(index / 250)}.${(index % 250) + 1}`;
}

/** The host that listens there. */
export function hostOf(loopback: string): HostShape {
  const [, , high = 0, low = 1] = loopback.split('.').map(Number);
  return shapeOf(high * 250 + low - 1);
}

export function shapeOf(index: number): HostShape {
  return {
    name: `host${index + 1}`,
    address: `10.77.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    suffix: index.toString(16).padStart(12, '0'),
  };
}
