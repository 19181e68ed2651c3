import { describe, expect, it } from 'vitest';
import { explainNoRoot, parseProbeAnswer, probeCommand, shellCommands, shellKindOf } from './ssh-privilege.ts';

describe('command lines for any login shell', () => {
  it.each([probeCommand, ...Object.values(shellCommands)])('%s', (command) => {
    // The quoted text may hold nothing that csh or fish read differently inside single quotes.
    expect(command).not.toMatch(/[!\\\n]/);
    const [outside, , after] = command.replace("-p ''", '-p').split("'");
    expect(outside).toMatch(/^[a-z /-]+$/i);
    expect(after ?? '').toBe('');
  });
});

describe('parseProbeAnswer', () => {
  it.each([
    {
      text: '\ninstaller-probe uid 0\ninstaller-probe root\ninstaller-probe end\n',
      answer: { kind: 'root', uid: '0' },
    },
    {
      text: 'Welcome!\nno newline at the end\ninstaller-probe uid 1000\ninstaller-probe sudo\ninstaller-probe end\n',
      answer: { kind: 'sudo', uid: '1000' },
    },
    {
      text: '\ninstaller-probe uid 1000\ninstaller-probe sudo-missing\ninstaller-probe end\n',
      answer: { kind: 'sudo-missing', uid: '1000' },
    },
    {
      text: '\ninstaller-probe uid 7\ninstaller-probe sudo-refused\nsudo: a\nb\ninstaller-probe end\n',
      answer: { kind: 'sudo-refused', uid: '7', said: 'sudo: a\nb' },
    },
    { text: 'This account is currently not available.\n', answer: undefined },
    { text: '\ninstaller-probe uid 0\ninstaller-probe root\n', answer: undefined },
  ])('reads $answer', ({ text, answer }) => {
    expect(parseProbeAnswer(text)).toEqual(answer);
  });
});

describe('shellKindOf', () => {
  it.each([
    ['root', true, 'login'],
    ['root', false, 'login'],
    ['sudo', true, 'sudo'],
    ['sudo', false, 'login'],
    ['sudo-password', true, 'sudo-password'],
    ['sudo-password', false, 'login'],
  ] as const)('%s, root %s: %s', (privilege, root, kind) => {
    expect(shellKindOf(privilege, root)).toBe(kind);
  });
});

describe('explainNoRoot', () => {
  const refused = (said: string) => ({ kind: 'sudo-refused', uid: '1000', said }) as const;
  it.each([
    [{ kind: 'sudo-missing', uid: '1000' } as const, 'not-given', '', /has no sudo/],
    [refused('sudo: a password is required'), 'not-given', '', /asks ops for a password and none is given/],
    [refused('sudo: a password is required'), 'rejected', 'Sorry, try again.', /does not accept the sudo password/],
    [refused('sudo: sorry, you must have a tty to run sudo'), 'not-given', '', /only from a terminal \(requiretty\)/],
    [refused('sudo: a password is required'), 'rejected', 'ops is not in the sudoers file.', /does not allow ops/],
    [refused('sudo: /etc/sudo.conf is broken'), 'not-given', '', /sudo refuses ops/],
  ] as const)('%o, password %s', (answer, password, said, why) => {
    const state = explainNoRoot('ops', answer, password, said);
    expect(state).toMatchObject({ privilege: 'none', why: expect.stringMatching(why) as string });
    expect(state).toHaveProperty('remedy', expect.stringMatching(/\.$/));
  });
});
