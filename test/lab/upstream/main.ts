// Builds the lab's upstream by hand; starts it and fetches all of it once; stops it. `lab:up` builds and starts on its own.
import { parseArgs } from 'node:util';
import {
  checkUpstream,
  ensureUpstream,
  startUpstream,
  stopUpstream,
  upstreamMinors,
  writeCatalogOverlays,
} from './index.ts';
import type { UpstreamMinor } from './versions.ts';

const usage = `usage: main.ts build [--minor 1.36]...
       main.ts start --state DIR [--address IP] [--minor 1.36]...
       main.ts stop --state DIR`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minor: { type: 'string', multiple: true },
    address: { type: 'string', default: '127.0.0.1' },
    state: { type: 'string' },
  },
});

const minors = (values.minor ?? Object.keys(upstreamMinors)).map((minor) => {
  if (!Object.hasOwn(upstreamMinors, minor))
    throw new Error(`the lab serves ${Object.keys(upstreamMinors).join(', ')}`);
  return minor as UpstreamMinor;
});
const [command] = positionals;
const interrupted = new AbortController();
// Not `once`: execa's own handler ends the process when it finds no other listener left.
process.on('SIGINT', () => interrupted.abort());
const context = { minors, log: (line: string) => console.error(line), signal: interrupted.signal };

try {
  if (command === 'build') {
    console.log(JSON.stringify(await ensureUpstream(context), undefined, 2));
  } else if (command === 'start' && values.state) {
    const upstream = await ensureUpstream(context);
    const running = await startUpstream({ upstream, address: values.address, stateDir: values.state });
    const checked = await checkUpstream(upstream, running);
    const catalogs = await writeCatalogOverlays(upstream, values.state);
    console.log(JSON.stringify({ ...running, catalogs, checked }, undefined, 2));
  } else if (command === 'stop' && values.state) {
    await stopUpstream(values.state);
  } else {
    console.error(usage);
    process.exitCode = 2;
  }
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  console.error('interrupted; what was built so far is kept');
  process.exitCode = 130;
}
