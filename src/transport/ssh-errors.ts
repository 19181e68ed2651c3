import { exitCodes, InstallerError, messageOf } from '../errors.ts';
import { describeEndpoint, describeTarget } from './ssh-target.ts';
import type { SshTarget } from './ssh-target.ts';

/** The user or the program ended the work. */
export function interruptedError(host: string, doing: string, cause: unknown): InstallerError {
  return new InstallerError({
    code: 'INTERRUPTED',
    message: `interrupted while ${doing}`,
    host,
    cause,
    exitCode: exitCodes.interrupted,
  });
}

/** Why no TCP connection came about, from the code of the system call (errno(3)) or of the resolver. */
export function tcpError(target: SshTarget, cause: unknown): InstallerError {
  const endpoint = describeEndpoint(target);
  const errno = errnoOf(cause);
  if (errno === 'ECONNREFUSED' || errno === 'ECONNRESET') {
    return new InstallerError({
      code: 'SSH_REFUSED',
      message: `${endpoint} refuses the connection: the machine answers, but nothing listens there`,
      remedy: 'Start sshd on the host, open its port in the firewall, or correct the port in the cluster file.',
      host: target.host,
      cause,
    });
  }
  if (errno === 'ETIMEDOUT') return tcpTimeoutError(target, cause);
  const unresolved = errno === 'ENOTFOUND' || errno === 'EAI_AGAIN';
  return new InstallerError({
    code: 'SSH_UNREACHABLE',
    message: unresolved
      ? `the name ${target.address} does not resolve to an address (${errno})`
      : `${endpoint} cannot be reached: ${messageOf(cause)}`,
    remedy: unresolved
      ? 'Correct the address in the cluster file, or the name in DNS or /etc/hosts of this machine.'
      : 'Check the address, the routes and the firewalls between this machine and the host.',
    host: target.host,
    cause,
  });
}

export function tcpTimeoutError(target: SshTarget, cause?: unknown): InstallerError {
  return new InstallerError({
    code: 'SSH_TIMEOUT',
    message: `${describeEndpoint(target)} did not answer within ${seconds(target.connectTimeoutMs)}`,
    remedy: 'Check that the host is up, that the address is right, and that no firewall drops packets to the port.',
    host: target.host,
    cause,
  });
}

export function handshakeTimeoutError(target: SshTarget): InstallerError {
  const endpoint = describeEndpoint(target);
  return new InstallerError({
    code: 'SSH_TIMEOUT',
    message: `${endpoint} accepts connections, but sshd does not complete the handshake within ${seconds(target.connectTimeoutMs)}`,
    remedy: 'Check that it is sshd that listens on the port, and that the host is not out of memory, disk or entropy.',
    host: target.host,
  });
}

export function loginTimeoutError(target: SshTarget, doing: string): InstallerError {
  return new InstallerError({
    code: 'SSH_TIMEOUT',
    message: `${describeTarget(target)}: ${doing} took longer than ${seconds(target.connectTimeoutMs)}`,
    remedy:
      'Look at the journal of sshd on the host: slow name lookups (UseDNS), PAM modules and login scripts delay a login.',
    host: target.host,
  });
}

/** The peer ended the connection before the SSH handshake: sshd does so under load (MaxStartups), and so do guards such as fail2ban. */
export function droppedError(target: SshTarget, cause: unknown): InstallerError {
  return new InstallerError({
    code: 'SSH_DROPPED',
    message: `${describeEndpoint(target)} closes the connection before the SSH handshake`,
    remedy:
      'Check MaxStartups and PerSourceMaxStartups of sshd, fail2ban and hosts.deny on the host, and that it is sshd that listens on the port.',
    host: target.host,
    cause,
  });
}

/** The two sides speak, but do not agree on a protocol or an algorithm. */
export function protocolError(target: SshTarget, cause: unknown): InstallerError {
  return new InstallerError({
    code: 'SSH_PROTOCOL',
    message: `the SSH handshake with ${describeEndpoint(target)} fails: ${messageOf(cause)}`,
    remedy: 'Check that it is sshd that listens on the port, and which algorithms its configuration allows (sshd -T).',
    host: target.host,
    cause,
  });
}

/** The connection is gone; `doing` tells when that happened: "while a script was running" leaves its outcome unknown. */
export function connectionLostError(target: SshTarget, doing: string, cause: unknown): InstallerError {
  const why = cause === undefined ? '' : `: ${messageOf(cause)}`;
  return new InstallerError({
    code: 'SSH_CONNECTION_LOST',
    message: `the connection to ${describeTarget(target)} was lost ${doing}${why}`,
    remedy:
      'Check the network and whether the host restarted, then run the command again: it looks at the host first and goes on from there.',
    host: target.host,
    cause,
  });
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
