import type { HostCheck } from '../check.ts';

/** Met by `precheck` alone, which looks at what can be read without root; other commands end at the first script. */
export const privilegeEscalation: HostCheck = {
  id: 'privilege-escalation',
  scope: 'host',
  title: 'The account cannot become root',
  severity: 'error',
  expected:
    'root, or an account that may use sudo, without a password or with that of spec.ssh.sudoPassword; su is not used, because it asks for the password of root itself',
  remedy:
    'name such an account in spec.ssh.user, or set spec.ssh.sudoPassword; a warning of the run says why sudo refused',
  source: 'every change on a host is made as root',
  reads: ['account'],
  run: ({ facts }) => (facts.isRoot ? [] : [{ actual: 'what only root can read was not checked' }]),
};
