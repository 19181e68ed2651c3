import type { Check } from './check.ts';
import { clockInSync } from './cluster/clock.ts';
import { latency } from './cluster/latency.ts';
import { mtuConsistent } from './cluster/path-mtu.ts';
import { portsOpen } from './cluster/ports-open.ts';
import { osConsistent, timezoneConsistent } from './cluster/consistency.ts';
import { hostnameUnique, macUnique, machineIdUnique, productUuidUnique } from './cluster/uniqueness.ts';
import { diskFilesystem, fileSystemsWritable, tmpUsable } from './host/file-systems.ts';
import { kernelNotUpgraded, unattendedUpgrades } from './host/kernel.ts';
import { noLeftovers, sameCluster, versionUnchanged } from './host/leftovers.ts';
import { hostnameValid, hostsFile } from './host/names.ts';
import { addressValid, defaultRoute, portsFree, resolverAnswers } from './host/network.ts';
import { privilegeEscalation } from './host/privilege.ts';
import { resolvConf } from './host/resolv-conf.ts';
import { cpu, diskFree, memory } from './host/resources.ts';
import { firewall, selinux } from './host/security.ts';
import { subnetsDisjoint } from './host/subnets.ts';
import {
  architectureSupported,
  cgroupVersion,
  runtimeUsable,
  swapDisabled,
  systemdRunning,
  toolsPresent,
} from './host/system.ts';

/** All checks before a cluster is made, in the order in which they are reported. */
export const checks: readonly Check[] = [
  privilegeEscalation,
  sameCluster,
  noLeftovers,
  versionUnchanged,
  architectureSupported,
  systemdRunning,
  toolsPresent,
  kernelNotUpgraded,
  cpu,
  memory,
  diskFree,
  diskFilesystem,
  fileSystemsWritable,
  tmpUsable,
  cgroupVersion,
  runtimeUsable,
  swapDisabled,
  selinux,
  firewall,
  unattendedUpgrades,
  osConsistent,
  hostnameValid,
  hostsFile,
  hostnameUnique,
  machineIdUnique,
  productUuidUnique,
  macUnique,
  addressValid,
  subnetsDisjoint,
  portsFree,
  portsOpen,
  mtuConsistent,
  latency,
  defaultRoute,
  resolvConf,
  resolverAnswers,
  clockInSync,
  timezoneConsistent,
];
