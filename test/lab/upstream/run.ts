import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join, resolve } from 'node:path';
import { aptPath, aptSuite, signAptRepository } from './apt-repository.ts';
import { serverCertificate } from './certificates.ts';
import type { Upstream } from './ensure.ts';
import { isRunning, readPidFile, startDetached, stopRecorded, until, type RecordedProcess } from './processes.ts';
import { registryConfig } from './registry.ts';

export interface StartOptions {
  readonly upstream: Upstream;
  /** The only address listened on. */
  readonly address: string;
  readonly registryPort?: number;
  readonly downloadsPort?: number;
  /** Folder for pid files, logs and the TLS identity; kept between starts, so that the CA stays the same. */
  readonly stateDir: string;
  /** Further directories of downloads, looked through after the upstream's own. */
  readonly extraDownloadsDirs?: readonly string[];
}

/** Where a started upstream answers. */
export interface RunningUpstream {
  /** `host:port`, over TLS. */
  readonly registry: string;
  /** PEM file a client of the registry has to trust. */
  readonly registryCaFile: string;
  /** URL to which the name of a download host is appended, without a slash at its end. */
  readonly downloadsUrl: string;
  readonly apt: AptAccess;
  readonly pids: { readonly registry: number; readonly downloads: number };
  /** File with one JSON object a line for each finished download request. */
  readonly requestLog: string;
  /** The registry's own log, with a line for each request. */
  readonly registryLog: string;
}

/** What a host's apt has to be told. */
export interface AptAccess {
  readonly url: string;
  readonly suite: string;
  readonly component: string;
  /** Armored public key of the repository's signature. */
  readonly keyFile: string;
}

const services = ['registry', 'downloads'] as const;
type Service = (typeof services)[number];
const readyMs = 15_000;

/** Starts registry and download server as processes that go on after this one; what an earlier start left in the state folder is ended first. */
export async function startUpstream(options: StartOptions): Promise<RunningUpstream> {
  const { upstream, address, registryPort = 5000, downloadsPort = 8080 } = options;
  // The processes started here do not share this one's working directory.
  const stateDir = resolve(options.stateDir);
  await mkdir(stateDir, { recursive: true });
  await stopUpstream(stateDir);
  const paths = statePaths(stateDir);
  const tls = await serverCertificate(join(stateDir, 'registry-tls'), [address, 'registry.lab']);
  await writeFile(
    paths.registryConfig,
    registryConfig(upstream.registryDir, `${bracketed(address)}:${registryPort}`, tls),
  );
  const server = join(import.meta.dirname, 'downloads-server.ts');
  const apt = await signAptRepository(upstream.aptDir, stateDir);
  const dirs = [...upstream.downloadsDirs, upstream.aptDir, apt.root, ...(options.extraDownloadsDirs ?? [])];
  const roots = dirs.flatMap((dir) => ['--root', dir]);
  const listen = ['--address', address, '--port', String(downloadsPort), '--log', paths.requestLog];
  const [registry, downloads] = await Promise.all([
    startDetached(
      [upstream.registryBinary, 'serve', paths.registryConfig],
      paths.pid('registry'),
      paths.log('registry'),
    ),
    startDetached([process.execPath, server, ...listen, ...roots], paths.pid('downloads'), paths.log('downloads')),
  ]);
  const downloadsUrl = `http://${bracketed(address)}:${downloadsPort}`;
  const running: RunningUpstream = {
    registry: `${bracketed(address)}:${registryPort}`,
    registryCaFile: tls.ca,
    downloadsUrl,
    apt: { url: `${downloadsUrl}/${aptPath}`, suite: aptSuite, component: 'main', keyFile: apt.keyFile },
    pids: { registry: registry.pid, downloads: downloads.pid },
    requestLog: paths.requestLog,
    registryLog: paths.log('registry'),
  };
  try {
    const ca = await readFile(tls.ca);
    await Promise.all([
      ready('the registry', registry, paths.log('registry'), () => answers(`https://${running.registry}/v2/`, ca)),
      ready('the download server', downloads, paths.log('downloads'), () => answers(`${running.downloadsUrl}/`)),
    ]);
  } catch (error) {
    await stopUpstream(stateDir);
    throw error;
  }
  return running;
}

/** Ends what `startUpstream` started with this state folder, and nothing else; also what a dead lab left behind. */
export async function stopUpstream(stateDir: string): Promise<void> {
  const paths = statePaths(stateDir);
  await Promise.all(services.map((service) => stopRecorded(paths.pid(service))));
}

/** Which of the two servers run, by this state folder's pid files. */
export async function upstreamStatus(stateDir: string): Promise<Record<Service, boolean>> {
  const paths = statePaths(stateDir);
  const runs = async (service: Service): Promise<boolean> => {
    const recorded = await readPidFile(paths.pid(service));
    return recorded !== undefined && (await isRunning(recorded));
  };
  return { registry: await runs('registry'), downloads: await runs('downloads') };
}

async function ready(
  name: string,
  recorded: RecordedProcess,
  log: string,
  check: () => Promise<boolean>,
): Promise<void> {
  const settled = await until(async () => !(await isRunning(recorded)) || (await check()), readyMs);
  const running = await isRunning(recorded);
  if (settled && running) return;
  const tail = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join('\n');
  throw new Error(`${name} ${running ? `gave no answer within ${readyMs / 1000} s` : 'ended at once'}:\n${tail}`);
}

/** Whether anything answers, whatever the status; a TLS server must present a certificate of the CA. */
async function answers(url: string, ca?: Buffer): Promise<boolean> {
  return new Promise((settle) => {
    const options = { method: 'HEAD', timeout: 1000 };
    const request = ca ? httpsRequest(url, { ...options, ca }) : httpRequest(url, options);
    request.once('response', (response) => {
      response.resume();
      settle(true);
    });
    request.once('timeout', () => request.destroy());
    request.once('close', () => settle(false));
    request.once('error', () => settle(false));
    request.end();
  });
}

function statePaths(stateDir: string) {
  return {
    registryConfig: join(stateDir, 'registry.yml'),
    requestLog: join(stateDir, 'downloads-requests.jsonl'),
    pid: (service: Service) => join(stateDir, `${service}.pid`),
    log: (service: Service) => join(stateDir, `${service}.log`),
  };
}

/** An address as it stands before a port. */
function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
