import type { Step } from '../engine/step.ts';
import type { Facts } from '../hosts/facts.ts';
import type { Cluster, Member } from '../kubernetes/cluster.ts';

/** A change of a host that prepare-hosts makes, with why, and how it is undone: docs/tuning.md is rendered from these. */
export interface Tuning {
  readonly id: string;
  readonly title: string;
  /** The field below spec.hostSettings that rules it; absent where it is always done. */
  readonly setting?: string;
  /** What it is done for, without being asked: `always`, or the default of the setting. */
  readonly byDefault: string;
  /** What is changed on the host, one sentence. */
  readonly change: string;
  readonly why: string;
  /** Where the requirement comes from: a document, a preflight of kubeadm. */
  readonly source: string;
  readonly undo: string;
  steps(member: Member, cluster: Cluster): readonly Step[];
  /**
   * What checks see of the host once the change is made; nothing where the cluster file does not ask for it. A finding that is
   * over then stops no run (prospects.ts).
   */
  becomes?(member: Member, cluster: Cluster): readonly Prospect[];
}

export interface Prospect {
  /** Field below spec.hostSettings. */
  readonly setting: string;
  /** Laid over what was seen. */
  readonly facts: Partial<Facts>;
}

export const removed = 'the file is removed';
export const putBack = 'the file is put back as it was, with mode, owner and dates';

/** How files of our own begin. */
export const fileHead = '# Written by the installer; installer reset and restore-host take it away.\n';

export function settingsOf(cluster: Cluster): Cluster['config']['spec']['hostSettings'] {
  return cluster.config.spec.hostSettings;
}
