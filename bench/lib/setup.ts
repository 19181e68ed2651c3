import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { labUnavailable } from '../../test/lab/available.ts';
import { labUp, type Lab } from '../../test/lab/lab.ts';

const root = join(import.meta.dirname, '..', '..');

export const binary = join(root, 'dist', 'installer');

/** Builds the binary where it is missing and brings a lab of its own up. Ends the process where there can be no lab. */
export async function setUpBench(name: string, hosts: number): Promise<Lab> {
  const unavailable = labUnavailable();
  if (unavailable !== undefined) {
    process.stdout.write(`skipped: ${unavailable}\n`);
    process.exit(0);
  }
  if (!existsSync(binary)) await execa('npm', ['run', 'package'], { cwd: root, stdio: 'inherit' });
  return labUp({ name, hosts, minors: ['1.36'], log: (line) => process.stderr.write(`${line}\n`) });
}
