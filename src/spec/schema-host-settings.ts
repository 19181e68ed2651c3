import * as z from 'zod';
import { type Check, checkAddress, checkBaseUrl } from './formats.ts';
import { isKeptPackage } from './kept-packages.ts';
import { path, text } from './schema-values.ts';

function matches(pattern: RegExp, what: string): Check {
  return (value) => (pattern.test(value) ? undefined : `"${value}" is not ${what}`);
}

const checkSysctlKey = matches(
  /^[a-z0-9_]+([./][A-Za-z0-9_@-]+)+$/,
  'a kernel parameter such as vm.max_map_count, or net.ipv4.conf.eth0/1.rp_filter for an interface with a dot',
);
const checkModule = matches(/^[A-Za-z0-9_-]+$/, 'the name of a kernel module');
export const checkPackage = matches(/^[A-Za-z0-9][A-Za-z0-9+._-]*$/, 'the name of a package');
const checkRemovable: Check = (value) =>
  checkPackage(value) ??
  (isKeptPackage(value)
    ? `"${value}" is never removed: a host needs it to be reached, to start or to be set up`
    : undefined);
const checkRepositoryName = matches(/^[a-z0-9][a-z0-9-]{0,39}$/, 'a name of lowercase letters, digits and "-"');
const checkTimeZone = matches(
  /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/,
  'a time zone such as Europe/Berlin or UTC',
);
export const checkWord = matches(/^[A-Za-z0-9][A-Za-z0-9./_-]*$/, 'one word of letters, digits and "./_-"');
const checkSize = matches(/^[1-9]\d*[KMGT]?$/, 'a size such as 500M or 2G');
const checkTimeSpan = matches(/^[1-9]\d*(s|min|h|day|week|month|year)$/, 'a time span such as 30day or 2week');
const checkTasks = matches(/^(infinity|[1-9]\d*|[1-9]\d?%)$/, 'infinity, a number or a percentage');

/** No line breaks: it becomes one line of a file. */
const checkValue: Check = (value) =>
  /^[^\p{Cc}]+$/u.test(value) && value.trim() === value ? undefined : 'must be one line without blanks around it';

const sysctlValue = z
  .preprocess((value) => (typeof value === 'number' ? String(value) : value), text(checkValue, 'value'))
  .meta({ fieldType: 'text or number' });

const repository = z.strictObject({
  name: text(checkRepositoryName, 'name').describe('Name of the repository; unique.'),
  url: text(checkBaseUrl, 'URL').describe('Base URL.'),
  suites: z
    .array(text(checkWord, 'word'))
    .default([])
    .describe('For apt: suites such as bookworm; a suite that ends with / is a path without components.'),
  components: z.array(text(checkWord, 'word')).default([]).describe('For apt: components such as main.'),
  keyFile: path
    .optional()
    .describe('Public key (ASCII armoured) that signs the repository; without it signatures are not checked.'),
  signedIndex: z
    .boolean()
    .default(false)
    .describe(
      'For dnf, yum and zypper: True: the index must be signed too, not the packages alone (repo_gpgcheck). apt always asks for that.',
    ),
});

export const hostSettings = z.strictObject({
  modules: z
    .array(text(checkModule, 'module'))
    .default([])
    .describe('Kernel modules beside those that Kubernetes and kube-proxy need, loaded now and at boot.'),
  sysctl: z
    .record(text(checkSysctlKey, 'kernel parameter'), sysctlValue)
    .default({})
    .describe(
      'Kernel parameters; they win over those of the installer. A value that a file of the host sets wins over a default of the installer, and the run says so.',
    ),
  swap: z
    .enum(['off', 'leave'])
    .default('off')
    .describe('off: swap is turned off and commented out of /etc/fstab. leave needs failSwapOn: false for kubelet.'),
  hostsFile: z
    .enum(['manage', 'leave'])
    .default('manage')
    .describe("manage: the names of the cluster's hosts stand in a marked block of /etc/hosts."),
  firewall: z
    .enum(['leave', 'open', 'disable'])
    .default('leave')
    .describe(
      'open: firewalld or ufw lets the ports of the roles and of the network plugin pass. disable: firewalld, ufw, nftables and iptables services are stopped.',
    ),
  selinux: z
    .enum(['leave', 'permissive', 'disabled'])
    .default('leave')
    .describe('Mode of SELinux; disabled is complete only after a reboot, and permissive until then.'),
  apparmor: z
    .enum(['leave', 'disable'])
    .default('leave')
    .describe(
      'disable: the service of AppArmor is stopped, its profiles are unloaded, and containerd uses none. The kernel command line is left alone.',
    ),
  ntp: z
    .strictObject({
      servers: z
        .array(text(checkAddress, 'IP or DNS name'))
        .min(1)
        .describe('Time servers; chrony is used where it is there, else systemd-timesyncd, else chrony is installed.'),
    })
    .optional()
    .describe('Where the time comes from; without it the host is left alone.'),
  timeZone: text(checkTimeZone, 'time zone').optional().describe('Time zone of the hosts; without it theirs stays.'),
  manageHostname: z.boolean().default(false).describe('True: hosts are named as in this file.'),
  limits: z
    .strictObject({
      openFiles: z.number().int().min(1024).optional().describe('Open files of a login (nofile, soft and hard).'),
      processes: z.number().int().min(1024).optional().describe('Processes of a login (nproc, soft and hard).'),
    })
    .optional()
    .describe('Limits of logins, in limits.d.'),
  defaultTasksMax: z
    .preprocess((value) => (typeof value === 'number' ? String(value) : value), text(checkTasks, 'number or infinity'))
    .optional()
    .describe('DefaultTasksMax of systemd.'),
  journald: z
    .strictObject({
      maxUse: text(checkSize, 'size').optional().describe('SystemMaxUse: disk space of the journal.'),
      maxRetention: text(checkTimeSpan, 'time span').optional().describe('MaxRetentionSec: age of its oldest entry.'),
    })
    .optional()
    .describe('Limits of the journal.'),
  unattendedUpgrades: z
    .enum(['leave', 'disable'])
    .default('leave')
    .describe('disable: nothing upgrades packages by itself any more (apt timers, dnf-automatic, yum-cron).'),
  transparentHugepages: z
    .enum(['always', 'madvise', 'never'])
    .optional()
    .describe('Transparent hugepages, now and at boot.'),
  coreDumps: z.enum(['leave', 'disable']).default('leave').describe('disable: no core dumps of logins and services.'),
  packageRepositories: z
    .strictObject({
      exclusive: z
        .boolean()
        .default(false)
        .describe('True: all other repositories are put aside until the hosts are restored.'),
      repositories: z.array(repository).min(1).describe('Repositories that packages come from.'),
    })
    .optional()
    .describe('Your own package repositories.'),
  packages: z
    .array(text(checkPackage, 'package'))
    .default([])
    .describe('Packages to install, by the names of the distribution.'),
  removePackages: z
    .array(text(checkRemovable, 'package'))
    .default([])
    .describe(
      'Packages that are removed where they are there, such as the runc of Kylin. Where something else needs one of them, nothing is removed, and the run ends and says so. Reset and restore-host install them again from the repositories of the host.',
    ),
  installTools: z
    .enum(['required', 'all', 'none'])
    .default('required')
    .describe(
      'Tools whose packages are installed where they are missing: those that nothing works without, also those that are only recommended, or none.',
    ),
});
