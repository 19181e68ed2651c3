import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { createHost, type Host } from '../../src/hosts/host.ts';
import { hostPaths } from '../../src/ops/host-paths.ts';
import { startHostRoot, type HostRoot } from './shells.ts';

/** What a test of real scripts works with. */
export interface HostRootCase {
  /** One for all tests of a suite. */
  readonly root: HostRoot;
  readonly host: Host;
  /** Empty, with a space in its name, and of this test alone. */
  readonly folder: string;
}

/** In the suite that calls it each test gets a folder of its own on one machine of its own, without a record. Needs canMakeHostRoot. */
export function eachOnHostRoot(shell: string, take: (given: HostRootCase) => void): void {
  let root: HostRoot;
  let host: Host;
  let count = 0;

  beforeAll(async () => {
    root = await startHostRoot();
    host = createHost('n1', root.transport(shell));
  });

  afterAll(() => {
    root.stop();
  });

  beforeEach(() => {
    count += 1;
    const folder = join(root.folder, `case ${count}`);
    mkdirSync(folder);
    rmSync(root.outside(hostPaths.before), { recursive: true, force: true });
    take({ root, host, folder });
  });
}
