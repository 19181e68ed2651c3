import { willPrepare, type Cluster } from '../kubernetes/cluster.ts';
import { tunings } from './index.ts';

/** Hosts as they will be once prepare-hosts has done what the cluster file says. */
export interface Prospects {
  /** Fields below spec.hostSettings that change what checks see of any host, or of the one with this name. */
  settings(host?: string): readonly string[];
  /** The cluster with what becomes of its hosts by one setting, or by all. */
  after(setting?: string): Cluster;
}

/** Made of the tunings at the first question: most runs find nothing that asks. */
export function createProspects(cluster: Cluster): Prospects {
  let known: ReturnType<typeof look> | undefined;
  const rows = (): ReturnType<typeof look> => (known ??= look(cluster));
  const made = new Map<string | undefined, Cluster>();
  const after = (setting?: string): Cluster => {
    const members = rows().map(({ member, prospects }) => {
      const facts = prospects.filter((one) => setting === undefined || one.setting === setting).map((one) => one.facts);
      return facts.length === 0
        ? member
        : { ...member, facts: Object.assign({}, member.facts, ...facts) as typeof member.facts };
    });
    return { ...cluster, members };
  };
  return {
    settings: (host) => [
      ...new Set(
        rows()
          .filter(({ member }) => host === undefined || member.config.name === host)
          .flatMap(({ prospects }) => prospects.map(({ setting }) => setting)),
      ),
    ],
    after(setting) {
      const found = made.get(setting) ?? after(setting);
      made.set(setting, found);
      return found;
    },
  };
}

function look(cluster: Cluster) {
  return cluster.members.map((member) => ({
    member,
    prospects: willPrepare(cluster) ? tunings.flatMap((tuning) => tuning.becomes?.(member, cluster) ?? []) : [],
  }));
}
