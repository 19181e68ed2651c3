import { distroOf, packageManagerOf } from '../kubernetes/host-distro.ts';
import { packageSourceOf } from '../kubernetes/package-source.ts';
import { repositoryAccess } from '../kubernetes/host-servers.ts';
import { installableTools } from '../kubernetes/needed-tools.ts';
import type { Member } from '../kubernetes/cluster.ts';
import { blocked, type Step } from '../engine/step.ts';
import { customStep } from '../steps/edit-step.ts';
import { fileStep } from '../steps/file-step.ts';
import { packagesStep } from '../steps/packages-step.ts';
import { removePackagesStep } from '../steps/removed-packages-step.ts';
import { repositoriesSteps } from '../steps/repositories-step.ts';
import { unitsOffStep } from '../steps/unit-off-step.ts';
import { putBack, settingsOf, type Tuning } from './tuning.ts';

export const packageRepositories: Tuning = {
  id: 'package-repositories',
  title: 'Package repositories',
  setting: 'packageRepositories',
  byDefault: 'left alone',
  change:
    'writes your repositories to /etc/apt/sources.list.d/installer.sources, /etc/yum.repos.d/installer.repo or /etc/zypp/repos.d/installer.repo, their keys and the certificates of their servers to /etc/installer/keys, their logins where root alone reads them (/etc/apt/auth.conf.d, the file of the repositories, /etc/zypp/credentials.d), and with `exclusive` puts the files of all others aside',
  why: 'hosts without a way to the Internet take packages from a mirror of yours',
  source: 'host requirements of the guides, tools-present; cluster lifecycle of the guides, yum_repos',
  undo: `the installer's files are removed, and for the others ${putBack}`,
  steps(member, cluster) {
    const { exclusive, repositories } = settingsOf(cluster).packageRepositories;
    if (repositories.length === 0) return [];
    const manager = packageManagerOf(member);
    if (manager === undefined) return [noManager('package-repositories', member)];
    return repositoriesSteps({
      id: 'package-repositories',
      manager,
      repositories,
      exclusive,
      keys: cluster.files,
      access: repositoryAccess(cluster),
      secrets: cluster.secrets,
    });
  },
};

export const removedPackages: Tuning = {
  id: 'removed-packages',
  title: 'Packages in the way',
  setting: 'removePackages',
  byDefault: 'none',
  change:
    'removes packages that are there by these very names, and nothing besides, with dpkg or rpm, as a transient unit that a broken connection does not end; where something else needs one of them, nothing is removed, and the run ends and names it',
  why: 'Kylin ships a runc that clashes with that of the installer',
  source: 'host requirements of the guides, conflicting-packages',
  undo: 'after everything else, they are installed again from the repositories of the host, in the version that was there or, where none has it, in the one that is to be had, which the run says; edited configuration is put back, and their units are enabled and run as they were. One that somebody installed since is left. Where none can be reached, the run ends with an error that names them, and the next `restore-host` goes on',
  steps(member, cluster) {
    const names = settingsOf(cluster).removePackages;
    if (names.length === 0) return [];
    const manager = packageManagerOf(member);
    if (manager === undefined) return [noManager('removed-packages', member)];
    return [removePackagesStep({ id: 'removed-packages', manager, clusterId: cluster.clusterId, names })];
  },
  becomes(member, cluster) {
    const { facts } = member;
    const names = settingsOf(cluster).removePackages;
    const gone = new Set([...facts.toolPackages].flatMap(([tool, name]) => (names.includes(name) ? [tool] : [])));
    const packageTrouble = withoutHalfRemoved(facts.packageTrouble, names);
    if (gone.size === 0 && packageTrouble.length === facts.packageTrouble.length) return [];
    const toolPaths = new Map([...facts.toolPaths].filter(([tool]) => !gone.has(tool)));
    const more = gone.has('containerd') ? { containerd: undefined } : {};
    const tools = new Set([...facts.tools].filter((tool) => !gone.has(tool)));
    return [{ setting: 'removePackages', facts: { toolPaths, tools, packageTrouble, ...more } }];
  },
};

/** A removal that was cut off is made anew, and dpkg goes on where it was. */
function withoutHalfRemoved(trouble: readonly string[], names: readonly string[]): string[] {
  const half = names.map((name) => `half installed: ${name}`);
  if (!trouble.some((line) => half.includes(line))) return [...trouble];
  return trouble.filter((line) => !half.includes(line) && line !== 'dpkg was interrupted');
}

export const packages: Tuning = {
  id: 'packages',
  title: 'Packages',
  setting: 'packages, installTools',
  byDefault: 'packages of tools that nothing works without, where they are missing',
  change:
    'installs packages with apt-get, dnf, yum or zypper, as a transient unit that a broken connection does not end; where that would take a package of the host away or replace it by another, nothing is installed, and the run ends and names it',
  why: 'kubeadm, kubelet and the installer call these tools on the host',
  source: 'kubeadm preflight: FileExisting; host requirements of the guides, tools-present',
  undo: 'packages that came by it, those that they needed included, are removed with their configuration; all of them stay, and the run says why, where something else needs one of them by now',
  steps(member, cluster) {
    const wanted = settingsOf(cluster).packages;
    const tools = installableTools(member, cluster);
    if (wanted.length === 0 && tools.length === 0) return [];
    const source = packageSourceOf(member, cluster);
    if (source === undefined) return [noManager('packages', member)];
    return [packagesStep({ id: 'packages', source, clusterId: cluster.clusterId, tools, packages: wanted })];
  },
};

export const unattendedUpgrades: Tuning = {
  id: 'unattended-upgrades',
  title: 'Unattended upgrades',
  setting: 'unattendedUpgrades',
  byDefault: '`leave`',
  change:
    'stops and disables what upgrades packages by itself (apt timers and unattended-upgrades, dnf-automatic, dnf5-automatic, yum-cron, packagekit and transactional-update of openSUSE)',
  why: 'an upgrade that nobody asked for restarts services and reboots hosts, all of them in one night',
  source: 'cluster lifecycle of the guides, surprise reboots by unattended kernel upgrades on Ubuntu',
  undo: 'each unit is enabled and started again that was, and the file of apt is removed',
  steps(member, cluster) {
    if (settingsOf(cluster).unattendedUpgrades === 'leave') return [];
    const steps: Step[] = [unitsOffStep('upgrade-units', distroOf(member)?.upgradeUnits ?? [])];
    if (packageManagerOf(member)?.name !== 'apt-get') return steps;
    return [
      ...steps,
      fileStep({
        id: 'upgrade-periods',
        path: '/etc/apt/apt.conf.d/99-installer',
        content:
          '// Written by the installer; installer reset and restore-host take it away.\nAPT::Periodic::Unattended-Upgrade "0";\n',
        mode: '644',
        record: {},
      }),
    ];
  },
  becomes(member, cluster) {
    const what = member.facts.automaticUpgrades;
    if (what === undefined || settingsOf(cluster).unattendedUpgrades === 'leave') return [];
    const isStopped =
      (distroOf(member)?.upgradeUnits ?? []).includes(what) || packageManagerOf(member)?.name === 'apt-get';
    return isStopped ? [{ setting: 'unattendedUpgrades', facts: { automaticUpgrades: undefined } }] : [];
  },
};

function noManager(id: string, { facts }: Member): Step {
  return customStep(id, [], () =>
    blocked(
      'NO_PACKAGE_MANAGER',
      `${facts.os.prettyName} has none of apt-get, dnf, yum and zypper`,
      'install or remove the packages by hand, and take them out of the cluster file',
    ),
  );
}
