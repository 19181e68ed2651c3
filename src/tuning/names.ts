import { changes, noChanges, type Change, type Step } from '../engine/step.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { fileQuery } from '../ops/query.ts';
import { customStep, editStep } from '../steps/edit-step.ts';
import { editHostsBlock } from '../steps/hosts-block.ts';
import { putBack, settingsOf, type Tuning } from './tuning.ts';

export const hostsFile: Tuning = {
  id: 'hosts-file',
  title: 'Names of the hosts',
  setting: 'hostsFile',
  byDefault: '`manage`',
  change: "keeps a marked block with the names and addresses of the cluster's hosts in /etc/hosts",
  why: 'every host has to find every other by its name, also where no DNS knows them',
  source: 'host requirements of the guides, hosts-file; kubeadm preflight: Hostname',
  undo: 'the block is taken out; what somebody else wrote into the file since stays',
  steps: (_, cluster) =>
    settingsOf(cluster).hostsFile === 'leave'
      ? []
      : [
          editStep({
            id: 'hosts-block',
            path: '/etc/hosts',
            summary: "set the names of the cluster's hosts",
            record: {},
            edit: (content) => editHostsBlock(content, hostLines(cluster)),
          }),
        ],
};

export const hostname: Tuning = {
  id: 'hostname',
  title: 'Hostname',
  setting: 'manageHostname',
  byDefault: '`false`',
  change: 'names the host as in the cluster file, in /etc/hostname and in the kernel; cloud-init is told to leave it',
  why: 'names in logs and metrics are then those of the nodes, and no two hosts have the same',
  source: 'host requirements of the guides, hostname-valid and hostname-unique',
  undo: `${putBack}, and the kernel gets the name that it had`,
  steps: ({ config }, cluster) => (settingsOf(cluster).manageHostname ? [hostnameStep(config.name)] : []),
  becomes: ({ config }, cluster) =>
    settingsOf(cluster).manageHostname ? [{ setting: 'manageHostname', facts: { hostname: config.name } }] : [],
};

function hostLines(cluster: Cluster): string[] {
  return cluster.members.map(({ nodeAddress, config }) => `${nodeAddress} ${config.name}`);
}

function hostnameStep(name: string): Step {
  const file = fileQuery('/etc/hostname');
  const running = fileQuery('/proc/sys/kernel/hostname');
  const cloudFolder = fileQuery('/etc/cloud/cloud.cfg.d', { content: false });
  const cloud = fileQuery('/etc/cloud/cloud.cfg.d/99-installer-hostname.cfg');
  return customStep('hostname', [file, running, cloudFolder, cloud], (seen) => {
    const fileSeen = seen(file);
    const runningSeen = seen(running);
    const before = fileSeen.state === 'present' ? (fileSeen.value.content ?? '') : undefined;
    const now = runningSeen.state === 'present' ? runningSeen.value.content?.trim() : undefined;
    const list: Change[] = [];
    if (now !== name)
      list.push({
        summary: `name the host ${name} (it is ${now ?? 'nameless'})`,
        actions: [{ kind: 'kernel-values', values: [{ path: running.path, value: name }], record: true }],
      });
    if (before?.trim() !== name)
      list.push({
        summary: `write ${name} to ${file.path}`,
        before,
        after: `${name}\n`,
        actions: [{ kind: 'write-file', path: file.path, content: `${name}\n`, mode: '644', record: {} }],
      });
    if (seen(cloudFolder).state === 'present' && seen(cloud).state === 'absent')
      list.push({
        summary: 'cloud-init leaves the hostname alone',
        actions: [
          { kind: 'write-file', path: cloud.path, content: 'preserve_hostname: true\n', mode: '644', record: {} },
        ],
      });
    return list.length === 0 ? noChanges : changes(...list);
  });
}
