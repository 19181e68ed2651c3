import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from './load.ts';
import type { HostSettingsConfig } from './config.ts';

function settingsOf(text: string): HostSettingsConfig {
  const file = `apiVersion: installer.io/v1alpha1\nkind: ClusterConfig\nmetadata: { name: a }\nspec:\n  hosts: [{ name: a, address: 10.0.0.1, roles: [control-plane] }]\n  hostSettings: ${text}\n`;
  return parseClusterConfig(file, 'a.yaml', '/etc/prod', '/home/ops').spec.hostSettings;
}

describe('spec.hostSettings', () => {
  it('reads numbers as text where text is meant, and paths from the folder of the file', () => {
    const settings = settingsOf(
      '{ sysctl: { vm.swappiness: 10 }, defaultTasksMax: 9000, packageRepositories: { repositories: [{ name: a, url: "http://m/x/", keyFile: ./k.asc }] } }',
    );

    expect(settings.sysctl).toEqual({ 'vm.swappiness': '10' });
    expect(settings.defaultTasksMax).toBe('9000');
    expect(settings.packageRepositories).toEqual({
      exclusive: false,
      repositories: [
        { name: 'a', url: 'http://m/x', suites: [], components: [], signedIndex: false, keyFile: '/etc/prod/k.asc' },
      ],
    });
  });

  it.each([
    ['{ sysctl: { Bad Key: 1 } }', 'is not a kernel parameter'],
    ['{ sysctl: { vm.x: "1\\n2" } }', 'must be one line'],
    ['{ modules: ["a b"] }', 'is not the name of a kernel module'],
    ['{ packages: ["-y"] }', 'is not the name of a package'],
    ['{ removePackages: ["-y"] }', 'is not the name of a package'],
    ['{ removePackages: [openssh-server] }', '"openssh-server" is never removed: a host needs it'],
    ['{ removePackages: [kernel-core] }', '"kernel-core" is never removed'],
    ['{ packages: [jq], removePackages: [runc, jq] }', '"jq" is named in packages, too'],
    ['{ timeZone: ../../etc/passwd }', 'is not a time zone'],
    ['{ journald: { maxUse: lots } }', 'is not a size'],
    ['{ journald: { maxRetention: 5 } }', 'expected'],
    ['{ defaultTasksMax: many }', 'is not infinity, a number or a percentage'],
    ['{ ntp: { servers: [] } }', 'must not be empty'],
    ['{ firewall: off }', 'leave'],
    ['{ swapp: off }', 'swap'],
  ])('refuses %s', (text, reason) => {
    let message = '';
    try {
      settingsOf(text);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(reason);
  });
});
