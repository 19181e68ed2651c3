import { cidrContains, parseCidr, parseIp } from '../../spec/cidr.ts';
import { belongsToCluster } from '../../kubernetes/cluster.ts';
import { installableTools } from '../../kubernetes/needed-tools.ts';
import type { HostCheck } from '../check.ts';

/** Where packages put programs, and where this installer does. */
const usualFolders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

export const conflictingPackages: HostCheck = {
  id: 'conflicting-packages',
  scope: 'host',
  title: 'A container program that is there is in the way',
  severity: 'error',
  expected: 'docker, containerd and runc, where they are there, in /usr/bin; no runc of the distribution on Kylin',
  remedy:
    'name the package in spec.hostSettings.removePackages, and prepare-hosts removes it; remove a program without a package by hand',
  source: 'host requirements: the runc of Kylin clashes; docker, containerd and runc belong in /usr/bin',
  reads: ['tools', 'osRelease', 'toolPackages'],
  run(member, cluster) {
    const { toolPaths, toolPackages, os, containerd } = member.facts;
    if (belongsToCluster(member, cluster) || containerd?.isOurs === true) return [];
    return ['docker', 'containerd', 'runc'].flatMap((name) => {
      const path = toolPaths.get(name);
      if (path === undefined) return [];
      const about = (line: string): boolean => line === path || line.endsWith(` ${path}`) || line.startsWith('ID=');
      const brought = toolPackages.get(name);
      const where = brought === undefined ? path : `${path} (package ${brought})`;
      if (name === 'runc' && os.id === 'kylin') return [{ actual: `${where} of Kylin`, about }];
      const isUsual = usualFolders.includes(path.slice(0, path.lastIndexOf('/')));
      return isUsual ? [] : [{ actual: `${name} is at ${where}`, reads: ['tools', 'toolPackages'], about }];
    });
  },
};

const dockerRange = parseCidr('172.16.0.0/12');

export const dockerBridgeRange: HostCheck = {
  id: 'docker-bridge-range',
  scope: 'host',
  title: 'The node address is in the range of the bridges of Docker',
  severity: 'warning',
  expected: 'a node address outside 172.16.0.0/12 where Docker is installed',
  remedy: 'set "bip" and "default-address-pools" in /etc/docker/daemon.json to another range, or remove Docker',
  source: 'host requirements: host addresses outside 172.16-172.32 with Docker; Docker, "default-address-pools"',
  reads: ['addresses', 'tools'],
  run({ facts, nodeAddress }) {
    const ip = parseIp(nodeAddress);
    const isInside = ip !== undefined && dockerRange !== undefined && cidrContains(dockerRange, ip);
    if (!facts.tools.has('docker') || !isInside) return [];
    const about = (line: string): boolean => line.includes(` ${nodeAddress}/`) || line.endsWith('/docker');
    return [{ actual: `${nodeAddress}, and docker is installed`, about }];
  },
};

/** A package manager that is broken fails at the first package, whichever it is. */
export const packagesInstallable: HostCheck = {
  id: 'packages-installable',
  scope: 'host',
  title: 'The package manager is broken',
  severity: 'warning',
  expected:
    'no half-done installation, and lists of repositories that can be read; an error where prepare-hosts has packages to install',
  remedy:
    'dpkg --configure -a, apt-get --fix-broken install, or mend the file that is named; with rpm: rpm --rebuilddb',
  source: 'dpkg(1), --audit; apt-get(8), --print-uris; rpm(8), --rebuilddb',
  reads: ['packageTrouble'],
  run(member, cluster) {
    const { packages, packageRepositories } = cluster.config.spec.hostSettings;
    // The lists of others are put aside then.
    const trouble = member.facts.packageTrouble.filter(
      (line) => !packageRepositories.exclusive || !line.startsWith('E:'),
    );
    if (trouble.length === 0) return [];
    const isNeeded = packages.length > 0 || installableTools(member, cluster).length > 0;
    return [{ actual: trouble.slice(0, 3).join('; '), severity: isNeeded ? 'error' : 'warning' }];
  },
};
