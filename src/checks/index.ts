import type { Check } from './check.ts';
import { clockInSync } from './cluster/clock.ts';
import { latency } from './cluster/latency.ts';
import { mtuConsistent } from './cluster/path-mtu.ts';
import { portsOpen } from './cluster/ports-open.ts';
import { vipFree } from './cluster/vip-free.ts';
import { archConsistent, osConsistent, timezoneConsistent } from './cluster/consistency.ts';
import { hostnameUnique, macUnique, machineIdUnique, productUuidUnique } from './cluster/uniqueness.ts';
import { diskSpeed } from './host/disk-speed.ts';
import { diskFilesystem, diskQuota, fileSystemsWritable, tmpUsable } from './host/file-systems.ts';
import { endpointReachable } from './host/endpoint.ts';
import { bandwidth, diskIops, diskThroughput } from './host/measured.ts';
import { firewallOpenable, kernelParametersHold } from './host/prepare-conflicts.ts';
import { interfaceExists, vipInSubnet } from './host/virtual-address.ts';
import { ipForward } from './host/ip-forward.ts';
import { kernelNotUpgraded, unattendedUpgrades } from './host/kernel.ts';
import { leftovers, sameCluster, versionUnchanged } from './host/leftovers.ts';
import { hostnameValid, hostsFile } from './host/names.ts';
import { defaultRoute } from './host/default-route.ts';
import { addressValid, portsFree, resolverAnswers } from './host/network.ts';
import { conflictingPackages, dockerBridgeRange, packagesInstallable } from './host/packages.ts';
import { kernelModules, kernelSupported, osSupported } from './host/platform.ts';
import { privilegeEscalation } from './host/privilege.ts';
import { resolvConf } from './host/resolv-conf.ts';
import { diskFree } from './host/disk-free.ts';
import { cpu, memory } from './host/resources.ts';
import { apparmorUos, firewall, selinux, sshdUseDns } from './host/security.ts';
import { subnetsDisjoint } from './host/subnets.ts';
import { cgroupKmem, coreDumps, defaultTasksMax, transparentHugepage } from './host/tuning.ts';
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
  leftovers,
  versionUnchanged,
  architectureSupported,
  osSupported,
  kernelSupported,
  systemdRunning,
  toolsPresent,
  conflictingPackages,
  packagesInstallable,
  kernelNotUpgraded,
  kernelModules,
  kernelParametersHold,
  ipForward,
  cpu,
  memory,
  diskFree,
  diskFilesystem,
  diskQuota,
  diskSpeed,
  diskIops,
  diskThroughput,
  fileSystemsWritable,
  tmpUsable,
  cgroupVersion,
  runtimeUsable,
  swapDisabled,
  selinux,
  apparmorUos,
  firewall,
  firewallOpenable,
  sshdUseDns,
  cgroupKmem,
  transparentHugepage,
  coreDumps,
  defaultTasksMax,
  unattendedUpgrades,
  osConsistent,
  archConsistent,
  hostnameValid,
  hostsFile,
  hostnameUnique,
  machineIdUnique,
  productUuidUnique,
  macUnique,
  addressValid,
  interfaceExists,
  vipInSubnet,
  vipFree,
  subnetsDisjoint,
  dockerBridgeRange,
  portsFree,
  portsOpen,
  mtuConsistent,
  latency,
  bandwidth,
  endpointReachable,
  defaultRoute,
  resolvConf,
  resolverAnswers,
  clockInSync,
  timezoneConsistent,
];
