import { distros } from '../hosts/distros/index.ts';
import type { Tuning } from './tuning.ts';

const introduction = `# Tuning

What \`installer prepare\` changes on a host; \`cluster-create\` does the same before anything else. What is as it should be
already is left alone, and \`--dry-run\` shows every change with its difference.

- Before a thing is changed for the first time, what it was like is written to \`/var/lib/installer/before\` on the host and
  synced, by the same script that makes the change. Preparing twice records once.
- \`installer reset\`, as its last work on a host, and \`installer restore-host\` put everything back, the latest change first,
  and remove each entry when its thing is done: one that was cut off goes on where it was, and a second one finds nothing.
- A file that was **edited since** is kept and named. Where it had another content before the installer came, that lies beside
  it as \`FILE.before-installer\`. Of /etc/hosts, /etc/fstab and /etc/selinux/config only the installer's part is taken out.
- A kernel parameter, or a service, that somebody set anew since is kept and named, too.
- A setting that is taken out of the cluster file stays in force until the host is restored, and \`diff\` does not tell of it: plans
  look at what the file asks for, and whoever takes a setting out may want the host left as it is. To have it undone, set it to what
  it should be, or run \`restore-host\` before the cluster is made.
- \`restore-host\` refuses a host on which the cluster still stands.
- What the container runtime and Kubernetes are installed over is in the record, too: programs in /usr/local, plugins in
  /opt/cni/bin, /etc/crictl.yaml, configuration of containerd, units and their states. A program that stood there is kept by a
  second name for the same file, so it takes no space, or by a copy where /var/lib is another file system. A containerd
  that was there runs, and is enabled, as it was; images that were pulled into it stay.
- \`reset\` empties the folders of etcd, kubelet, containerd and network plugins of all that came since the host was prepared. What was in them
  before stays, and so does what somebody mounted there: mount points and links to folders are emptied and stay, and disks below them keep
  what they hold.

## The record

The record is made for reading: \`cat /var/lib/installer/before/*/entry\` shows all of it. Each thing has a folder, named for
its kind and path: \`file:etc:fstab\`, \`value:proc:sys:vm:max_map_count\`, \`unit:firewalld.service\`, \`module:br_netfilter\`, \`swap\`, \`packages\`, \`packages-removed\`, \`folders\`.

| File | What it holds |
| --- | --- |
| \`entry\` | lines \`key=value\`: order, kind, path or unit, what it was (\`was\`), and commands that make a change count (\`after\`) |
| \`content\` | the file as it was, with its mode, owner and dates |
| \`written\` | what the installer wrote: a line for each state, the sha256 of a file |
| \`entry\` of \`folders\` | folders of a cluster's programs that were there (\`there\`, with mode and owner), and what they held (\`keep\`; \`whole\`: with all that is in it) |
| \`added\` | of packages: the names of those that came with an installation |
| \`entry\` of \`packages-removed\` | packages that were removed, with their versions (\`removed\`; \`hold\`: held at it), and their units with the states that these had (\`unit\`) |
| \`config\` of \`packages-removed\` | configuration of theirs that was edited and that went with them |

## The changes

They are made in this order. A setting is a field below \`spec.hostSettings\` of the cluster file.
`;

/** The text of docs/tuning.md: the same for the same changes. */
export function renderTuningDocs(tunings: readonly Tuning[]): string {
  return [introduction, ...tunings.map(renderTuning), renderDistros()].join('\n');
}

/** What the records of src/hosts/distros say. */
function renderDistros(): string {
  const rows = distros.map((distro) => {
    const { name, ids, releases, packageManagers, chrony, upgradeUnits, quirks } = distro;
    const cells = [
      name,
      ids.map((id) => `\`${id}\``).join(', '),
      releases.length === 0 ? 'any' : `${releases.join(', ')} or later`,
      packageManagers.join(', ') || 'none',
      `${chrony.unit}, ${chrony.config}`,
      upgradeUnits.join(', '),
      quirks.join(' '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '## Distributions',
    '',
    'What is known of each, by its ID in /etc/os-release, or else by ID_LIKE. Others are prepared with the package manager that is there.',
    '',
    '| Distribution | ID | Releases | Package manager | chrony | Upgrades by itself | To know |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function renderTuning(tuning: Tuning): string {
  return [
    `### ${tuning.title}`,
    '',
    `\`${tuning.id}\`${tuning.setting === undefined ? '' : `, setting ${settings(tuning.setting)}`}. By default: ${tuning.byDefault}.`,
    '',
    `- Change: ${tuning.change}.`,
    `- Why: ${tuning.why}.`,
    `- Undone: ${tuning.undo}.`,
    `- Source: ${tuning.source}.`,
    '',
  ].join('\n');
}

function settings(names: string): string {
  return names
    .split(', ')
    .map((name) => `\`${name}\``)
    .join(' and ');
}
