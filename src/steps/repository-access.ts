import { blocked, type Step } from '../engine/step.ts';
import type { PackageManager } from '../hosts/packages/index.ts';
import type { Secrets } from '../ops/secrets.ts';
import { customStep } from './edit-step.ts';
import { fileStep } from './file-step.ts';

/** What a package manager needs to be let in to the server of a repository. */
export interface RepositoryAccess {
  /** PEM text of the authority that signs for the server. */
  readonly ca?: string | undefined;
  /** The password is a placeholder. */
  readonly login?: { readonly username: string; readonly password: string } | undefined;
}

export interface AccessInput {
  readonly id: string;
  readonly manager: PackageManager;
  readonly repositories: readonly { readonly name: string; readonly url: string }[];
  /** By name of the repository; those that anybody may read are absent. */
  readonly access: ReadonlyMap<string, RepositoryAccess>;
  readonly secrets: Secrets;
}

const head = 'Written by the installer; installer reset and restore-host take it away.';

/** The files beside the list of repositories that let a package manager in; all of them go with the record. */
export function accessSteps(input: AccessInput): Step[] {
  const { id, manager, repositories, access, secrets } = input;
  const known = repositories.flatMap(({ name, url }) => {
    const given = access.get(name);
    return given === undefined ? [] : [{ name, url, ...given }];
  });
  const withCa = known.flatMap(({ ca, ...one }) => (ca === undefined ? [] : [{ ...one, ca }]));
  const withLogin = known.flatMap(({ login, ...one }) => (login === undefined ? [] : [{ ...one, login }]));
  if (manager.name === 'zypper' && withCa.length > 0) return [noCaOfZypper(id, withCa)];
  // apt tells servers apart by host alone.
  const byHost = Map.groupBy(withCa, ({ url }) => hostOf(url));
  const record = {};
  return [
    ...[...byHost].map(([host, list]) =>
      fileStep({
        id: `${id}-ca-${host}`,
        path: caPath(host),
        content: [...new Set(list.map(({ ca }) => ca.trimEnd()))].map((text) => `${text}\n`).join(''),
        mode: '644',
        record,
      }),
    ),
    ...(manager.name === 'apt-get' && withCa.length > 0
      ? [
          fileStep({
            id: `${id}-ca`,
            path: '/etc/apt/apt.conf.d/90-installer-repositories',
            content: `// ${head}\n${lines([...byHost.keys()].map((host) => `Acquire::https::${host}::CAInfo "${caPath(host)}";`))}`,
            mode: '644',
            record,
          }),
        ]
      : []),
    ...(manager.name === 'apt-get' && withLogin.length > 0
      ? [
          fileStep({
            id: `${id}-logins`,
            path: '/etc/apt/auth.conf.d/installer-repositories.conf',
            content: `# ${head}\n${lines(withLogin.map(({ url, login }) => `machine ${aptMachine(url)} login ${login.username} password ${login.password}`))}`,
            mode: '600',
            secrets,
            record,
          }),
        ]
      : []),
    ...(manager.name === 'zypper'
      ? withLogin.map(({ name, login }) =>
          fileStep({
            id: `${id}-login-${name}`,
            path: `/etc/zypp/credentials.d/${zypperCredentials(name)}`,
            content: `# ${head}\nusername=${login.username}\npassword=${login.password}\n`,
            mode: '600',
            secrets,
            record,
          }),
        )
      : []),
  ];
}

/** The lines of a repository of dnf and yum that let them in. With a password among them the file is root's alone. */
export function rpmAccessLines(url: string, { ca, login }: RepositoryAccess): string[] {
  return [
    ...(ca === undefined ? [] : [`sslcacert=${caPath(hostOf(url))}`]),
    ...(login === undefined ? [] : [`username=${login.username}`, `password=${login.password}`]),
  ];
}

/** zypper's way to say whose login a repository takes: a part of its address. */
export function zypperUrl(name: string, url: string, { login }: RepositoryAccess): string {
  return login === undefined ? url : `${url}?credentials=${zypperCredentials(name)}`;
}

function zypperCredentials(name: string): string {
  return `installer-${name}`;
}

function hostOf(url: string): string {
  return new URL(url).hostname.replaceAll(/[[\]]/g, '');
}

function caPath(host: string): string {
  return `/etc/installer/keys/ca-of-${host.replaceAll(':', '_')}.pem`;
}

/** As apt_auth.conf(5) has it: without a scheme it is for https alone; older releases know no scheme. */
function aptMachine(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol === 'https:' ? '' : `${protocol}//`}${host}/`;
}

function lines(list: readonly string[]): string {
  return [...new Set(list)].map((line) => `${line}\n`).join('');
}

function noCaOfZypper(id: string, list: readonly { readonly name: string; readonly url: string }[]): Step {
  const hosts = [...new Set(list.map(({ url }) => new URL(url).host))].join(', ');
  return customStep(`${id}-ca`, [], () =>
    blocked(
      'ZYPPER_CA',
      `zypper trusts what the whole system trusts, so the ca of ${hosts} in spec.artifacts.servers cannot be given to it alone`,
      'put the certificate into /etc/pki/trust/anchors on the host, run update-ca-certificates there, and leave ca out for hosts of this kind',
    ),
  );
}
