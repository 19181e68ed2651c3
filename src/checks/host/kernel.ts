import { distroOf } from '../../kubernetes/host-distro.ts';
import type { HostCheck, Reads } from '../check.ts';

/**
 * A kernel package that was replaced takes the modules of the running kernel with it: nothing can be loaded until the reboot.
 * Without any folder of modules (containers), or with a kernel that has no modules, nothing can be missing.
 */
export const kernelNotUpgraded: HostCheck = {
  id: 'kernel-not-upgraded',
  scope: 'host',
  title: 'The modules of the running kernel are gone',
  severity: 'error',
  expected: '/lib/modules has a folder for the running kernel',
  remedy: 'reboot the host: its kernel was upgraded, and the running one cannot load modules any more',
  source: 'host requirements: kernel upgraded, reboot required',
  reads: ['uname', 'moduleTrees'],
  run({ facts }) {
    const { kernel, moduleTrees, hasLoadedModules } = facts;
    if (!hasLoadedModules || moduleTrees.length === 0 || kernel === '' || moduleTrees.includes(kernel)) return [];
    return [{ actual: `${kernel} runs, /lib/modules has ${moduleTrees.join(', ')}` }];
  },
};

const packageKit = 'packagekit.service';

export const unattendedUpgrades: HostCheck = {
  id: 'unattended-upgrades',
  scope: 'host',
  title: 'Upgrades are installed without being asked for',
  severity: 'warning',
  expected: 'no service that upgrades packages by itself: kernel, runtime and reboots belong to a plan',
  remedy:
    'turn it off (systemctl disable --now apt-daily-upgrade.timer, or the unit that is named), or leave kernels and containerd out of it',
  source: 'host requirements: automatic kernel upgrades and reboots are off',
  reads: ['units', 'aptUpgrades', 'dnfAutomatic'],
  run(member) {
    const { automaticUpgrades } = member.facts;
    if (automaticUpgrades === undefined) return [];
    // What a desktop asks it for is not done by itself; openSUSE lets it upgrade.
    if (automaticUpgrades === packageKit && distroOf(member)?.upgradeUnits.includes(packageKit) !== true) return [];
    const about = (line: string): boolean => !line.endsWith(' active') || line.startsWith(unitOf(automaticUpgrades));
    return [{ actual: `${automaticUpgrades} is active`, reads: readsOf(automaticUpgrades), about }];
  },
};

/** What is named unattended-upgrades is started by a timer. */
function unitOf(what: string): string {
  return what === 'unattended-upgrades' ? 'apt-daily-upgrade.timer' : what;
}

function readsOf(what: string): Reads {
  if (what === 'unattended-upgrades') return ['units', 'aptUpgrades'];
  return /^dnf5?-automatic\.timer$/.test(what) ? ['units', 'dnfAutomatic'] : ['units'];
}
