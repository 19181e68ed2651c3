import { kernelModules, kernelParameters, transparentHugepages } from './kernel.ts';
import { journalLimits, loginLimits, systemdDefaults } from './limits.ts';
import { hostname, hostsFile } from './names.ts';
import { packageRepositories, packages, removedPackages, unattendedUpgrades } from './packages.ts';
import { apparmor, firewall, selinux } from './security.ts';
import { swapOff } from './swap.ts';
import { timeServers, timeZone } from './time.ts';
import type { Tuning } from './tuning.ts';

export type { Tuning };

/** Everything that prepare-hosts changes, in this order: packages first, since later ones call what they bring. */
export const tunings: readonly Tuning[] = [
  packageRepositories,
  unattendedUpgrades,
  removedPackages,
  packages,
  hostname,
  hostsFile,
  kernelModules,
  kernelParameters,
  transparentHugepages,
  swapOff,
  selinux,
  apparmor,
  firewall,
  timeServers,
  timeZone,
  loginLimits,
  systemdDefaults,
  journalLimits,
];
