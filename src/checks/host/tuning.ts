import type { HostCheck } from '../check.ts';

export const cgroupKmem: HostCheck = {
  id: 'cgroup-kmem',
  scope: 'host',
  title: 'Kernel memory accounting of an old kernel leaks',
  severity: 'warning',
  expected: 'cgroup.memory=nokmem on the command line of a 3.10 kernel',
  remedy: 'add cgroup.memory=nokmem to GRUB_CMDLINE_LINUX, run grub2-mkconfig, and reboot',
  source: 'host requirements: kernel 3.10 of CentOS and RHEL 7',
  reads: ['uname', 'cmdline'],
  run: ({ facts: { kernel, kernelCommandLine } }) =>
    /^3\.10\./.test(kernel) && !kernelCommandLine.includes('cgroup.memory=nokmem')
      ? [{ actual: `kernel ${kernel} without cgroup.memory=nokmem` }]
      : [],
};

export const transparentHugepage: HostCheck = {
  id: 'transparent-hugepage',
  scope: 'host',
  title: 'Transparent hugepages are always on',
  severity: 'warning',
  expected: 'madvise or never on arm64, where a page can be 64 KiB and a huge one 512 MiB',
  remedy:
    'echo madvise >/sys/kernel/mm/transparent_hugepage/enabled, and transparent_hugepage=madvise at the next boot',
  source:
    'host requirements: never, where data services like Redis are planned on ARM; with madvise only programs that ask for them get huge pages, and those do not',
  reads: ['hugepages'],
  run: ({ facts }) =>
    facts.architecture === 'arm64' && facts.transparentHugepages === 'always' ? [{ actual: 'always' }] : [],
};

export const coreDumps: HostCheck = {
  id: 'core-dumps',
  scope: 'host',
  title: 'Processes may dump core',
  severity: 'warning',
  expected: 'ulimit -c is 0: a dump holds secrets, and many of them fill the disk',
  remedy: 'set "* soft core 0" in a file under /etc/security/limits.d',
  source: 'host requirements: ulimit -c 0',
  reads: ['coreLimit'],
  run: ({ facts: { coreLimit } }) =>
    coreLimit === '' || coreLimit === '0' ? [] : [{ actual: `ulimit -c is ${coreLimit}` }],
};

/** The guides ask for no limit; what breaks a node in practice are the few thousand of small machines. */
const fewestTasks = 4096;

export const defaultTasksMax: HostCheck = {
  id: 'default-tasks-max',
  scope: 'host',
  title: 'Services may have few tasks',
  severity: 'warning',
  expected: `DefaultTasksMax of systemd is infinity, or at least ${fewestTasks}`,
  remedy: 'set DefaultTasksMax=infinity in a file under /etc/systemd/system.conf.d, then systemctl daemon-reexec',
  source:
    'host requirements ask for infinity; systemd-system.conf(5): 15% of the pids of the kernel otherwise. containerd is started with TasksMax=infinity and pods have slices of their own, so the default limits other services alone',
  reads: ['tasksMax'],
  run: ({ facts }) =>
    facts.defaultTasksMax !== undefined && facts.defaultTasksMax < fewestTasks
      ? [{ actual: `DefaultTasksMax=${facts.defaultTasksMax}` }]
      : [],
};
