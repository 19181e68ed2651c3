import { execFileSync } from 'node:child_process';
import { freemem } from 'node:os';

/** What a step of a bench writes, and as much again. */
const enoughBytes = 3e9;

/**
 * Touches free memory and lets go of it. A virtual machine gives free memory back to its host, and whoever touches it next waits for it: up to
 * 2.5 s a gigabyte were seen, as much as a whole step takes, and by chance for one program and not for the next.
 */
export function warmMemory(): void {
  const bytes = Math.round(Math.min(enoughBytes, freemem() / 2));
  execFileSync(process.execPath, ['-e', `Buffer.alloc(${bytes}, 1)`]);
}
