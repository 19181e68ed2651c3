import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const packageRoot = join(import.meta.dirname, '..', '..');

it('is made from the sources, works in an empty folder with an empty environment, and starts in time', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/package.ts', '--check'], {
    cwd: packageRoot,
    encoding: 'utf8',
  });

  expect(stderr).toBe('');
  expect(stdout).toMatch(/Figures: size [\d.]+ MB \(limit 125\); --version \d+ ms/);
  expect(status).toBe(0);
});
