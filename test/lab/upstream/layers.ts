import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { packDirectory } from './archive.ts';
import { cachedDir, contentKey, isCached } from './cache.ts';
import type { BuildContext } from './go-build.ts';
import type { Layer } from './oci.ts';

/** What stands in the layer below programs that call other programs (kube-proxy, flannel, test pods). */
const toolPackages = ['iptables', 'nftables', 'conntrack', 'ipset', 'kmod', 'iproute2', 'curl', 'busybox-static'];
const suite = 'bookworm';
/** Commands of busybox that Debian's essential packages do not have and test pods call. */
const busyboxCommands = ['nc', 'nslookup', 'ping', 'traceroute', 'vi', 'wget'];
const leftOut = ['doc', 'info', 'locale', 'man'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);

/** Paths that no container reads: half of the layer, which every host has to unpack. */
const unread = [
  ...['dev', 'boot', 'var/lib/apt', 'var/cache', 'var/log', 'var/lib/dpkg/info'],
  ...['doc', 'locale', 'perl', 'perl5'].map((name) => `usr/share/${name}`),
  ...['perl', 'perl-base', 'perl5', 'gconv'].map((name) => `usr/lib/x86_64-linux-gnu/${name}`),
  ...['usr/bin/perl', 'usr/bin/perl5.36.0', 'usr/bin/perl5.36-x86_64-linux-gnu'],
  ...['libperl.so.5.36', 'libperl.so.5.36.0'].map((name) => `usr/lib/x86_64-linux-gnu/${name}`),
];

const kind = 'upstream/layers';
// Compression costs more time than it saves: the lab's network is a bridge on one machine.
const level = 4;

/** Name of the tool layer's cache entry. */
export function toolLayerKey(): string {
  return `tools-${contentKey({ toolPackages, suite, busyboxCommands, leftOut, unread, level, layout: 1 })}`;
}

export async function isToolLayerBuilt(): Promise<boolean> {
  return isCached(kind, toolLayerKey());
}

/** The Debian layer with network tools, made when the cache lacks it. */
export async function toolLayer(context: BuildContext): Promise<Layer> {
  const dir = await cachedDir({
    kind,
    key: toolLayerKey(),
    log: context.log,
    signal: context.signal,
    build: async (target) => {
      context.log('making the Debian layer with network tools (about 40 s)');
      const root = join(target, 'root');
      const include = `--include=${toolPackages.join(',')}`;
      await execa('mmdebstrap', ['--quiet', '--variant=essential', include, ...leftOut, suite, root], {
        stdin: 'ignore',
        ...(context.signal ? { cancelSignal: context.signal } : {}),
      });
      await trim(root);
      await writeLayer(target, root, { keepOwners: true, signal: context.signal });
      await rm(root, { recursive: true });
    },
  });
  return readLayer(dir);
}

/** A file for a layer: its source in the cache and its absolute path in the image. */
export interface LayerFile {
  readonly source: string;
  readonly path: string;
}

/** Packs files, executable and owned by root, into `layer.tar.gz` of a directory, with its digests beside it. */
export async function fileLayer(dir: string, files: readonly LayerFile[], context: BuildContext): Promise<Layer> {
  const root = await mkdtemp(join(dir, 'root-'));
  for (const { source, path } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await link(source, join(root, path));
  }
  const entries = (await readdir(root)).toSorted();
  const layer = await writeLayer(dir, root, { entries, signal: context.signal });
  await rm(root, { recursive: true });
  return layer;
}

async function writeLayer(dir: string, root: string, options: Parameters<typeof packDirectory>[2]): Promise<Layer> {
  const file = join(dir, 'layer.tar.gz');
  const digests = await packDirectory(root, file, { ...options, level });
  await writeFile(join(dir, 'layer.json'), JSON.stringify(digests));
  return { file, ...digests };
}

async function readLayer(dir: string): Promise<Layer> {
  const digests = JSON.parse(await readFile(join(dir, 'layer.json'), 'utf8')) as Omit<Layer, 'file'>;
  return { file: join(dir, 'layer.tar.gz'), ...digests };
}

/** Takes away what a container never reads and adds the names under which test pods call busybox. */
async function trim(root: string): Promise<void> {
  for (const path of unread) await rm(join(root, path), { recursive: true, force: true });
  for (const path of ['dev', 'usr/local/bin']) await mkdir(join(root, path), { recursive: true });
  for (const name of busyboxCommands) await symlink('/bin/busybox', join(root, 'usr/local/bin', name));
}
