import ssh2 from 'ssh2';
import type { AuthContext, AuthenticationType, Connection, Session } from 'ssh2';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { generateKey } from './sshd-keys.ts';
import type { TestKey } from './sshd-keys.ts';
import { startLink } from './sshd-link.ts';
import type { LinkOptions } from './sshd-link.ts';
import { runRealShell, runScriptHandler } from './sshd-shell.ts';
import type { ScriptHandler, ShellOptions } from './sshd-shell.ts';

export { generateKey } from './sshd-keys.ts';
export type { TestKey } from './sshd-keys.ts';
export type { ScriptHandler, ScriptOutcome } from './sshd-shell.ts';

/** How one account may log in. */
export interface TestUser {
  readonly publicKeys?: readonly TestKey[];
  readonly password?: string;
  /** Offer the password as keyboard-interactive instead of the method `password`. */
  readonly keyboardInteractive?: boolean;
  /** Ask for the key and then the password. */
  readonly both?: boolean;
}

export interface SshdOptions extends ShellOptions {
  /** Keys of the host; one new ed25519 key where not given. */
  readonly hostKeys?: readonly TestKey[];
  readonly users: Readonly<Record<string, TestUser>>;
  /** `real` runs /bin/sh here as the current user; a function answers scripts without any process. */
  readonly shell: 'real' | ScriptHandler;
  /** Sessions allowed at once on one connection. */
  readonly maxSessions?: number;
  readonly link?: LinkOptions;
}

/** An SSH server inside the test process, behind a link that can fail. */
export interface Sshd {
  readonly address: '127.0.0.1';
  readonly port: number;
  readonly hostKey: TestKey;
  /** Command lines of all sessions so far. */
  readonly commands: readonly string[];
  /** The largest number of sessions that one connection had at once. */
  readonly peakSessions: number;
  readonly openConnections: number;
  readonly acceptedConnections: number;
  cut(): void;
  freeze(): void;
  stop(): Promise<void>;
}

/** Starts a server; `stop` ends it with everything it started. */
export async function startSshd(options: SshdOptions): Promise<Sshd> {
  const hostKeys = options.hostKeys ?? [generateKey()];
  const commands: string[] = [];
  const connections = new Set<Connection>();
  const shells = new Set<() => void>();
  let peakSessions = 0;

  const onSession = (session: Session, done: () => void, user: string): void => {
    session.once('close', done);
    session.once('exec', (accept, _reject, { command }) => {
      commands.push(command);
      const channel = accept();
      channel.once('close', done);
      if (options.shell !== 'real') {
        runScriptHandler(channel, command, user, options.shell, options);
        return;
      }
      const kill = runRealShell(channel, command, options);
      shells.add(kill);
      channel.once('close', () => shells.delete(kill));
    });
  };

  const server = new ssh2.Server({ hostKeys: hostKeys.map((key) => key.privateKey) }, (connection) => {
    let sessions = 0;
    let username = '';
    let passedKey = false;
    connections.add(connection);
    connection.on('error', () => undefined).on('close', () => connections.delete(connection));
    connection.on('authentication', (context) => {
      username = context.username;
      passedKey = authenticate(context, options.users[username], passedKey);
    });
    connection.on('session', (accept, reject) => {
      if (sessions >= (options.maxSessions ?? 10)) {
        reject();
        return;
      }
      sessions += 1;
      peakSessions = Math.max(peakSessions, sessions);
      let ended = false;
      const done = (): void => {
        if (!ended) sessions -= 1;
        ended = true;
      };
      onSession(accept(), done, username);
    });
    connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
      const target = connect(destPort, destIP);
      target.once('connect', () => {
        const channel = accept();
        channel.on('error', () => undefined);
        channel.pipe(target).pipe(channel);
      });
      target.once('error', reject);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const link = await startLink((server.address() as AddressInfo).port, options.link);
  return {
    address: '127.0.0.1',
    port: link.port,
    hostKey: hostKeys[0] ?? generateKey(),
    commands,
    get peakSessions() {
      return peakSessions;
    },
    get openConnections() {
      return link.open;
    },
    get acceptedConnections() {
      return link.accepted;
    },
    cut: () => link.cut(),
    freeze: () => link.freeze(),
    async stop() {
      for (const kill of shells) kill();
      await link.stop();
      for (const connection of connections) connection.end();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Answers one attempt to log in; returns whether a key of the account has been proved by now. */
function authenticate(context: AuthContext, user: TestUser | undefined, passedKey: boolean): boolean {
  const methods: AuthenticationType[] = [];
  if (user?.publicKeys && !passedKey) methods.push('publickey');
  if (user?.password !== undefined && (!user.both || passedKey)) {
    methods.push(user.keyboardInteractive ? 'keyboard-interactive' : 'password');
  }
  const reject = (partial = false): void => context.reject(methods.length > 0 ? methods : ['publickey'], partial);
  if (!user || !methods.includes(context.method)) {
    reject();
    return passedKey;
  }
  switch (context.method) {
    case 'publickey': {
      const { key } = context;
      const known = user.publicKeys?.some((allowed) => allowed.blob.equals(key.data)) ?? false;
      if (!known) reject();
      else if (context.signature === undefined || !user.both) context.accept();
      else context.reject(['password'], true);
      return known && context.signature !== undefined;
    }
    case 'password':
      if (context.password === user.password) context.accept();
      else reject();
      return passedKey;
    case 'keyboard-interactive':
      context.prompt([{ prompt: 'Password: ', echo: false }], (answers: string[]) => {
        if (answers[0] === user.password) context.accept();
        else reject();
      });
      return passedKey;
    default:
      reject();
      return passedKey;
  }
}
