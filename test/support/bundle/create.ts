import { createBundle } from '../../../src/bundle/create.ts';
import { loadClusterConfig } from '../../../src/spec/load.ts';

/** A process of its own that makes a bundle: CLUSTERFILE OUT [PARTBYTES]. For tests that kill it. */
const [clusterFile = '', path = '', partBytes = ''] = process.argv.slice(2);
try {
  const { fetchedBytes } = await createBundle({
    config: await loadClusterConfig(clusterFile),
    path,
    platforms: ['linux/amd64'],
    allowUnpinned: true,
    installers: [],
    env: {},
    addSecret: () => undefined,
    onNote: () => undefined,
    partBytes: partBytes === '' ? undefined : Number(partBytes),
  });
  process.stdout.write(`${fetchedBytes}\n`);
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 4;
}
