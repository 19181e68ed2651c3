import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { packDirectory } from './archive.ts';
import { cachedDir, contentKey } from './cache.ts';
import type { BuildContext } from './go-build.ts';
import { kubernetesBinaries, kubernetesFile, releaseFile, type ReleaseFile } from './release-files.ts';

/** A built component, ready to be laid out as its project publishes it. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** Key of its build, part of every key derived from it. */
  readonly key: string;
  /** Directory with its binaries. */
  readonly dir: string;
}

/** Published files of a component. */
export interface Downloads {
  /** Directory to be served: its first level is host names. */
  readonly tree: string;
  /** SHA-256, hex, by path in the tree, of everything but checksum files. */
  readonly checksums: Readonly<Record<string, string>>;
}

interface Writer {
  readonly component: Component;
  readonly tree: string;
  readonly checksums: Record<string, string>;
  readonly signal: AbortSignal | undefined;
}

type Publish = (writer: Writer) => Promise<void>;

/** How each project lays out its downloads; components that are only found in images have no entry. */
const publishers: Readonly<Record<string, Publish>> = {
  kubernetes: async (writer) => {
    const { version } = writer.component;
    for (const name of kubernetesBinaries) {
      const file = kubernetesFile(version, name);
      await publishText(writer, file.checksumPath, await publishBinary(writer, name, file.path));
    }
    const minor = version.split('.').slice(0, 2).join('.').replace('v', '');
    await publishText(writer, `dl.k8s.io/release/stable-${minor}.txt`, version);
  },
  runc: async (writer) => {
    const file = releaseFile.runc(writer.component.version);
    const sum = await publishBinary(writer, 'runc', file.path);
    await publishText(writer, file.checksumPath, `${sum}  ${basename(file.path)}\n`);
  },
  containerd: (writer) => publishArchive(writer, releaseFile.containerd(writer.component.version), 'bin'),
  'cni-plugins': (writer) => publishArchive(writer, releaseFile['cni-plugins'](writer.component.version)),
  crictl: (writer) => publishArchive(writer, releaseFile.crictl(writer.component.version)),
  etcd: (writer) => {
    const file = releaseFile.etcd(writer.component.version);
    return publishArchive(writer, file, basename(file.path, '.tar.gz'));
  },
};

export function hasDownloads(component: { readonly name: string }): boolean {
  return publishers[component.name] !== undefined;
}

/** Lays a component out under the official paths, once; binaries are linked from its build. */
export async function downloadsOf(component: Component, context: BuildContext): Promise<Downloads> {
  const publish = publishers[component.name];
  if (!publish) throw new Error(`${component.name} has no downloads`);
  const dir = await cachedDir({
    kind: 'upstream/downloads',
    key: `${component.name}-${component.version}-${contentKey({ build: component.key, layout: 1 })}`,
    log: context.log,
    signal: context.signal,
    build: async (target) => {
      const writer: Writer = { component, tree: join(target, 'tree'), checksums: {}, signal: context.signal };
      await publish(writer);
      await writeFile(join(target, 'checksums.json'), JSON.stringify(writer.checksums));
    },
  });
  const checksums = JSON.parse(await readFile(join(dir, 'checksums.json'), 'utf8')) as Record<string, string>;
  return { tree: join(dir, 'tree'), checksums };
}

async function publishBinary(writer: Writer, name: string, path: string): Promise<string> {
  const file = await place(writer, path);
  await link(join(writer.component.dir, name), file);
  const digest = await fileSha256(file);
  writer.checksums[path] = digest;
  return digest;
}

/** An archive of the component's binaries, within a folder where the project has one. */
async function publishArchive(writer: Writer, { path, checksumPath }: ReleaseFile, folder?: string): Promise<void> {
  const file = await place(writer, path);
  const staging = join(dirname(writer.tree), 'staging');
  const names = await readdir(writer.component.dir);
  await mkdir(join(staging, folder ?? '.'), { recursive: true });
  for (const name of names) await link(join(writer.component.dir, name), join(staging, folder ?? '.', name));
  const { sha256 } = await packDirectory(staging, file, { entries: folder ? [folder] : names, signal: writer.signal });
  await rm(staging, { recursive: true });
  writer.checksums[path] = sha256;
  await publishText(writer, checksumPath, `${sha256}  ${basename(path)}\n`);
}

async function publishText(writer: Writer, path: string, text: string): Promise<void> {
  await writeFile(await place(writer, path), text);
}

async function place(writer: Writer, path: string): Promise<string> {
  const file = join(writer.tree, path);
  await mkdir(dirname(file), { recursive: true });
  return file;
}

/** SHA-256, hex, of a file of any size. */
export async function fileSha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
