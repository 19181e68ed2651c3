import type { Privilege } from './transport.ts';

/** The shell that reads scripts: in the account that logged in, or as root. */
export type ShellKind = 'login' | 'sudo' | 'sudo-password';

/**
 * The command line that starts each kind of shell. It passes through the login shell of the account, which can be sh, csh or
 * fish: so it holds only words, and single quotes around text without `'`, `!`, backslash and newline, which all of them read alike.
 */
export const shellCommands: Readonly<Record<ShellKind, string>> = {
  login: 'exec /bin/sh -s',
  sudo: 'exec sudo -n /bin/sh -s',
  // -k: sudo asks each time, whatever timestamp exists, so the first line of stdin is the password. See passwordPreamble.
  'sudo-password': "exec sudo -k -S -p '' /bin/sh -c 'read -r line; exec /bin/sh -s'",
};

/**
 * What goes on the stdin of a `sudo-password` shell before the script. sudo takes the first line and `read` the second;
 * should sudo not ask after all (the rule changed), `read` takes the password and the script starts with a harmless `:`.
 */
export function passwordPreamble(sudoPassword: string): string {
  return `${sudoPassword}\n:\n`;
}

const mark = 'installer-probe';
/** The answer of the probe is complete when this line is there. */
export const probeEnd = `${mark} end\n`;

/**
 * Tells how the account becomes root, and leaves a shell of that kind reading its stdin: one round trip for both.
 * sudo is asked with the very command that is used later, since a sudoers rule can allow one command and not another;
 * with -k, so that a timestamp left by somebody's terminal does not answer in place of the rule.
 */
export const probeCommand = [
  `exec /bin/sh -c 'u=$(id -u); echo; echo "${mark} uid $u";`,
  `if [ "$u" = 0 ]; then echo "${mark} root"; echo "${mark} end"; exec /bin/sh -s; fi;`,
  `if [ -z "$(command -v sudo)" ]; then echo "${mark} sudo-missing";`,
  `elif e=$(LC_ALL=C sudo -k -n /bin/sh -s </dev/null 2>&1); then echo "${mark} sudo"; echo "${mark} end"; exec sudo -n /bin/sh -s;`,
  `else echo "${mark} sudo-refused"; echo "$e"; fi; echo "${mark} end"; exec /bin/sh -s'`,
].join(' ');

/** What the probe found; `sudo-refused` carries what sudo said. */
export type ProbeAnswer =
  | { readonly kind: 'root' | 'sudo' | 'sudo-missing'; readonly uid: string }
  | { readonly kind: 'sudo-refused'; readonly uid: string; readonly said: string };

/** Reads the answer of `probeCommand`, which can follow anything the login scripts print; undefined where there is none. */
export function parseProbeAnswer(stdout: string): ProbeAnswer | undefined {
  const match = new RegExp(
    `^${mark} uid (\\d*)\\n${mark} (root|sudo-missing|sudo-refused|sudo)\\n([^]*?)${mark} end$`,
    'm',
  ).exec(stdout);
  if (!match) return undefined;
  const [, uid = '', kind, said = ''] = match;
  if (kind === 'sudo-refused') return { kind, uid, said: said.trim() };
  return { kind: kind as 'root' | 'sudo' | 'sudo-missing', uid };
}

/** Checks the sudo password: exactly one attempt, because stdin ends after it (a second could lock the account). */
export const passwordCheckCommand = `exec env LC_ALL=C sudo -k -S -p '' /bin/sh -c 'echo ${mark} password-ok'`;

export function isPasswordAccepted(stdout: string): boolean {
  return stdout.includes(`${mark} password-ok`);
}

/** How the account becomes root; for `none`, why not and what to do. */
export type PrivilegeState =
  | { readonly privilege: Exclude<Privilege, 'none'> }
  | { readonly privilege: 'none'; readonly why: string; readonly remedy: string; readonly details: readonly string[] };

/** The kind of shell that a script asked for with or without root runs in. */
export function shellKindOf(privilege: Exclude<Privilege, 'none'>, root: boolean): ShellKind {
  return root && privilege !== 'root' ? privilege : 'login';
}

/** Explains a refusal of sudo. Its words (in the C locale) only choose the explanation; that it refused is known from its status. */
export function explainNoRoot(
  user: string,
  answer: ProbeAnswer,
  password: 'not-given' | 'rejected',
  said = '',
): PrivilegeState {
  const none = (why: string, remedy: string, details: readonly string[]): PrivilegeState => {
    return { privilege: 'none', why, remedy, details };
  };
  if (answer.kind !== 'sudo-refused') {
    return none(
      `${user} (uid ${answer.uid}) is not root and the host has no sudo`,
      `Log in as root, or install sudo and give ${user} a rule in /etc/sudoers.d.`,
      ['tried: id -u', 'tried: command -v sudo'],
    );
  }
  const text = [answer.said, said].filter((part) => part !== '').join('\n');
  const details = [
    'tried: sudo -k -n /bin/sh -s',
    ...(password === 'rejected' ? ['tried: sudo -S with the sudo password'] : []),
    ...text
      .split('\n')
      .filter(Boolean)
      .map((line) => `sudo: ${line.replace(/^sudo: /, '')}`),
  ];
  const rule = `Give ${user} the rule "${user} ALL=(ALL) NOPASSWD: ALL" in /etc/sudoers.d, or log in as root.`;
  if (/must have a tty|no tty present/i.test(text)) {
    const remedy = `Add "Defaults:${user} !requiretty" to /etc/sudoers.d on the host.`;
    return none(`sudo lets ${user} run commands only from a terminal (requiretty)`, remedy, details);
  }
  if (/not in the sudoers file|not allowed to (execute|run)|may not run sudo/i.test(text)) {
    return none(`sudo does not allow ${user} to run a shell as root`, rule, details);
  }
  if (password === 'rejected') {
    return none(`sudo does not accept the sudo password of ${user}`, 'Correct the sudo password.', details);
  }
  if (/password is required/i.test(text)) {
    return none(`sudo asks ${user} for a password and none is given`, `Give the sudo password. Or: ${rule}`, details);
  }
  return none(`sudo refuses ${user}`, rule, details);
}
