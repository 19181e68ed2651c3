import type { DiskSpeed } from '../ops/disk-probe.ts';
import type { Neighbour } from '../ops/neighbour-probe.ts';

/** What was measured or asked on one host in the round trip of the probes; absent where it was not, or has no answer. */
export interface Probed {
  /** How long synchronous writes take where etcd will be: the slowest hundredth. */
  readonly fsyncMs?: number;
  readonly disk?: DiskSpeed;
  /** The disk was not measured, because there is less than 1 GiB. */
  readonly isDiskFull?: boolean;
  readonly bandwidth?: {
    /** Name of the host that was sent to. */
    readonly to: string;
    /** Absent where it was not reached. */
    readonly mbits?: number;
  };
  /** Of the modules that the cluster file names, those that can neither be found nor loaded. */
  readonly missingModules?: readonly string[];
  /** Who answers for the virtual address. */
  readonly neighbour?: Neighbour;
  /** Addresses that the names of the cluster's hosts have here, none where one is not known; only of names that were asked for. */
  readonly hostNames?: ReadonlyMap<string, readonly string[]>;
  /** Addresses that the name of the endpoint has here; none where it is not known. */
  readonly endpointAddresses?: readonly string[];
}
