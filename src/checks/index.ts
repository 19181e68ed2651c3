import type { Check } from './check.ts';
import { clockInSync } from './cluster/clock.ts';
import { hostnameUnique, machineIdUnique, productUuidUnique } from './cluster/uniqueness.ts';
import { noLeftovers, sameCluster, versionUnchanged } from './host/leftovers.ts';
import { addressValid, defaultRoute, portsFree, resolverAnswers } from './host/network.ts';
import { cpu, diskFree, memory } from './host/resources.ts';
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
  sameCluster,
  noLeftovers,
  versionUnchanged,
  architectureSupported,
  systemdRunning,
  toolsPresent,
  cpu,
  memory,
  diskFree,
  cgroupVersion,
  runtimeUsable,
  swapDisabled,
  hostnameUnique,
  machineIdUnique,
  productUuidUnique,
  addressValid,
  portsFree,
  defaultRoute,
  resolverAnswers,
  clockInSync,
];
