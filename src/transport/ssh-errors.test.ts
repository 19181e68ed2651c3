import { describe, expect, it } from 'vitest';
import { connectionLostError, tcpError } from './ssh-errors.ts';
import { describeTarget } from './ssh-target.ts';
import type { SshTarget } from './ssh-target.ts';

const target: SshTarget = {
  host: 'n1',
  address: 'fd00::1',
  port: 22,
  user: 'ops',
  knownHosts: { policy: 'strict', file: '/tmp/known_hosts' },
  connectTimeoutMs: 1500,
};

describe('tcpError', () => {
  it.each([
    ['ECONNREFUSED', 'SSH_REFUSED', /nothing listens there/],
    ['ECONNRESET', 'SSH_REFUSED', /nothing listens there/],
    ['ETIMEDOUT', 'SSH_TIMEOUT', /did not answer within 1.5 s/],
    ['EHOSTUNREACH', 'SSH_UNREACHABLE', /cannot be reached/],
    ['ENETUNREACH', 'SSH_UNREACHABLE', /cannot be reached/],
    ['ENOTFOUND', 'SSH_UNREACHABLE', /does not resolve/],
    ['EAI_AGAIN', 'SSH_UNREACHABLE', /does not resolve/],
  ])('%s is %s', (errno, code, message) => {
    const error = tcpError(target, Object.assign(new Error('connect failed'), { code: errno }));
    expect(error).toMatchObject({ code, host: 'n1', message: expect.stringMatching(message) as string });
    expect(error.remedy).toMatch(/\.$/);
  });
});

describe('connectionLostError', () => {
  it('names the end of the connection, what went on, and why', () => {
    const error = connectionLostError(target, 'while a script was running', new Error('Keepalive timeout'));
    expect(error.message).toBe(
      'the connection to ops@[fd00::1]:22 was lost while a script was running: Keepalive timeout',
    );
    expect(describeTarget(target)).toBe('ops@[fd00::1]:22');
  });
});
