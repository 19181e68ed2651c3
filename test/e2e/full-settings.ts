/** `spec.hostSettings` in which nearly everything is asked for, with packages from the one repository given. */
export function fullSettings(repository: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    sysctl: { 'net.ipv4.tcp_keepalive_time': 600 },
    firewall: 'disable',
    ntp: { servers: ['10.0.0.1'] },
    timeZone: 'Asia/Tokyo',
    manageHostname: true,
    limits: { openFiles: 65536 },
    defaultTasksMax: 'infinity',
    journald: { maxUse: '40M' },
    unattendedUpgrades: 'disable',
    transparentHugepages: 'never',
    coreDumps: 'disable',
    packages: ['jq', 'psmisc'],
    packageRepositories: { exclusive: true, repositories: [repository] },
  };
}
