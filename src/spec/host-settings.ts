/** spec.hostSettings: how the hosts themselves are set up. What is not named there is left as it is. */
export interface HostSettingsConfig {
  /** Kernel modules beside those that Kubernetes needs. */
  readonly modules: readonly string[];
  /** Kernel parameters by name; they win over those of the installer. */
  readonly sysctl: Readonly<Record<string, string>>;
  readonly swap: 'off' | 'leave';
  /** The names of the cluster's hosts in a marked block of /etc/hosts. */
  readonly hostsFile: 'manage' | 'leave';
  readonly firewall: 'leave' | 'open' | 'disable';
  readonly selinux: 'leave' | 'permissive' | 'disabled';
  readonly apparmor: 'leave' | 'disable';
  /** Absent: whatever keeps the time is left alone. */
  readonly ntp?: { readonly servers: readonly string[] };
  /** Of the zone database: `Europe/Berlin`. */
  readonly timeZone?: string;
  /** Hosts are named as in the cluster file. */
  readonly manageHostname: boolean;
  readonly limits: { readonly openFiles?: number; readonly processes?: number };
  readonly defaultTasksMax?: string;
  readonly journald: { readonly maxUse?: string; readonly maxRetention?: string };
  readonly unattendedUpgrades: 'leave' | 'disable';
  readonly transparentHugepages?: 'always' | 'madvise' | 'never';
  readonly coreDumps: 'leave' | 'disable';
  readonly packageRepositories: PackageRepositories;
  /** Packages beside those of missing tools. */
  readonly packages: readonly string[];
  /** Packages that must not be there; they come back when the host is restored. */
  readonly removePackages: readonly string[];
  /** Which tools get their packages installed where they are missing. */
  readonly installTools: 'required' | 'all' | 'none';
}

export interface PackageRepositories {
  /** True, where there are any: all others are put aside until restore-host or reset. */
  readonly exclusive: boolean;
  readonly repositories: readonly PackageRepository[];
}

export interface PackageRepository {
  readonly name: string;
  readonly url: string;
  /** For apt only; rpm repositories have none. */
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Absolute path of the public key on the installer's machine; absent: signatures are not checked. */
  readonly keyFile?: string;
  /** For rpm: the index must be signed with the key, too; apt always asks for that. */
  readonly signedIndex: boolean;
}
