import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageCount, type BenchBlob } from './images.ts';
import { createArgs } from './site.ts';

/** What is measured, in this order: each again with everything there already. */
export const groups = ['create', 'push', 'mirror'] as const;
export type Group = (typeof groups)[number];
export type Step = Group | `${Group} again`;

export interface Peer {
  readonly name: string;
  /** Measured against the others; a peer is what it is measured against, a floor neither. */
  readonly role: 'ours' | 'peer' | 'floor';
  /** What does a step, for sh; the working folder is one of its own, empty before `create`. */
  readonly commands: Readonly<Partial<Record<Step, string>>>;
}

/** Where everything lies, and what runs it. */
export interface Commands {
  readonly dir: string;
  readonly host: string;
  /** `installer`, and the process around `copy`. */
  readonly installer: string;
  readonly copy: string;
  readonly crane: string;
  readonly regsync: string;
  readonly skopeo: string;
  readonly clusterFile: string;
  /** The images as a bundle, as one layout, and each as a layout of its own. */
  readonly bundle: string;
  readonly layout: string;
  readonly singleLayout: (index: number) => string;
  /** Names of the images in the registry: as they are there, as pushed and as mirrored. */
  readonly name: (index: number, prefix?: string) => string;
  /** Digest of an image's manifest. */
  readonly digest: (index: number) => string;
  readonly blobs: readonly BenchBlob[];
}

const indexes = Array.from({ length: imageCount }, (_, index) => index);

function each(command: (index: number) => string): string {
  return ['set -e', ...indexes.map(command)].join('\n');
}

/** Both runs of a step are the same command. */
function twice(step: Group, command: string): Partial<Record<Step, string>> {
  return { [step]: command, [`${step} again`]: command };
}

/** Everybody's way to do each step: in one process where the program can. */
export function listPeers(given: Commands): readonly Peer[] {
  const { dir, host, name, crane, regsync, skopeo, layout, singleLayout } = given;
  const all = indexes.map((index) => name(index)).join(' ');
  const sync = (file: string, entries: readonly (readonly [source: string, target: string])[]): string => {
    const path = join(dir, `${file}.yml`);
    // JSON is YAML.
    const text = {
      version: 1,
      creds: [{ registry: host, tls: 'disabled' }],
      defaults: { parallel: 8 },
      sync: entries.map(([source, target]) => ({ source, target, type: 'image' })),
    };
    writeFileSync(path, JSON.stringify(text));
    return `exec ${regsync} once -c ${path} -v error`;
  };
  const tls = { from: '--src-tls-verify=false', to: '--dest-tls-verify=false' };
  return [
    {
      name: 'installer',
      role: 'ours',
      commands: {
        ...twice(
          'create',
          `exec ${given.installer} bundle ${createArgs(given.clusterFile, 'site.bundle.tar').join(' ')}`,
        ),
        ...twice('push', `exec ${given.installer} bundle push ${given.bundle} --to ${host}/pushed --plain-http`),
      },
    },
    {
      name: 'copy()',
      role: 'ours',
      commands: {
        ...twice('create', `exec ${given.copy} pull ${host} layout`),
        ...twice('push', `exec ${given.copy} push ${layout} ${host}`),
        ...twice('mirror', `exec ${given.copy} mirror ${host}`),
      },
    },
    {
      name: 'crane',
      role: 'peer',
      commands: {
        ...twice('create', `exec ${crane} pull --insecure --format=oci ${all} layout`),
        ...twice(
          'push',
          each((index) => `${crane} push --insecure ${singleLayout(index)} ${name(index, 'pushed')} >/dev/null 2>&1`),
        ),
        ...twice(
          'mirror',
          each((index) => `${crane} copy --insecure ${name(index)} ${name(index, 'mirror')} 2>/dev/null`),
        ),
      },
    },
    {
      name: 'regsync',
      role: 'peer',
      commands: {
        ...twice(
          'create',
          sync(
            'create',
            indexes.map((index) => [name(index), `ocidir://layout:app${index}`]),
          ),
        ),
        ...twice(
          'push',
          sync(
            'push',
            indexes.map((index) => [`ocidir://${singleLayout(index)}@${given.digest(index)}`, name(index, 'pushed')]),
          ),
        ),
        ...twice(
          'mirror',
          sync(
            'mirror',
            indexes.map((index) => [name(index), name(index, 'mirror')]),
          ),
        ),
      },
    },
    {
      name: 'skopeo',
      role: 'peer',
      commands: {
        ...twice(
          'create',
          each((index) => `${skopeo} copy -q ${tls.from} docker://${name(index)} oci:layout:app${index}`),
        ),
        ...twice(
          'push',
          each((index) => `${skopeo} copy -q ${tls.to} oci:${layout}:${name(index)} docker://${name(index, 'pushed')}`),
        ),
        ...twice(
          'mirror',
          each(
            (index) =>
              `${skopeo} copy -q ${tls.from} ${tls.to} docker://${name(index)} docker://${name(index, 'mirror')}`,
          ),
        ),
      },
    },
    { name: 'curl (floor)', role: 'floor', commands: { create: curlCommand(given) } },
  ];
}

/** All different blobs into files: no manifest is read, no digest made. */
function curlCommand({ dir, host, blobs }: Commands): string {
  const path = join(dir, 'curl.txt');
  const lines = blobs.map(
    ({ repository, descriptor: { digest } }) =>
      `url = "http://${host}/v2/${repository}/blobs/${digest}"\noutput = "${digest}"\n`,
  );
  writeFileSync(path, lines.join(''));
  return `exec curl -sf --parallel --parallel-max 8 -K ${path}`;
}
