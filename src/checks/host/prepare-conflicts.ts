import { rulesByHand } from '../../steps/firewall-steps.ts';
import { sysctlConflicts } from '../../steps/sysctl-step.ts';
import { formerSysctlFile, kernelSettings, sysctlFile } from '../../tuning/kernel.ts';
import { openingOf } from '../../tuning/security.ts';
import type { HostCheck } from '../check.ts';

/** What prepare-hosts would otherwise stop at, with other hosts changed already. */
export const kernelParametersHold: HostCheck = {
  id: 'kernel-parameters-hold',
  scope: 'host',
  title: 'Another file undoes a kernel parameter',
  severity: 'error',
  expected: `no file that is read after ${sysctlFile} at boot sets what Kubernetes or the cluster file needs to another value`,
  remedy: 'take the parameter out of that file',
  source: 'sysctl.d(5): of several files the last one wins; prepare-hosts refuses to change files of others',
  reads: ['sysctlFiles'],
  run: ({ facts }, cluster) =>
    sysctlConflicts(kernelSettings(cluster), facts.sysctlFiles, [sysctlFile, formerSysctlFile]).map(
      ({ key, reason, remedy }) => ({
        actual: reason,
        remedy,
        about: (line) => line.includes(key) || line.includes(key.replaceAll('.', '/')),
      }),
    ),
};

export const firewallOpenable: HostCheck = {
  id: 'firewall-openable',
  scope: 'host',
  title: 'The firewall has rules by hand',
  severity: 'error',
  expected:
    'with spec.hostSettings.firewall: open, firewalld, ufw or no firewall: rules of their authors are not changed',
  remedy: 'let the ports pass in these rules and set firewall: leave, or set firewall: disable',
  source: 'prepare-hosts opens ports by the commands of firewalld and ufw',
  reads: ['units'],
  run(member, cluster) {
    const { firewall, ruleService } = member.facts;
    const isOpened = cluster.config.spec.hostSettings.firewall === 'open' && firewall === undefined;
    if (!isOpened || ruleService === undefined) return [];
    const { reason, remedy } = rulesByHand(ruleService, openingOf(member, cluster));
    return [{ actual: reason, remedy, about: (line) => line.startsWith(ruleService) }];
  },
};
