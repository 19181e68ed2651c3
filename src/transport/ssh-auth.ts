import { createAgent } from 'ssh2';
import type { AnyAuthMethod, BaseAgent, KeyboardInteractiveAuthMethod } from 'ssh2';
import { InstallerError, messageOf } from '../errors.ts';
import { createKeyLoader, loadDefaultKeys } from './ssh-keys.ts';
import type { KeyLoader, LoadedKey } from './loaded-key.ts';
import { describeTarget } from './ssh-target.ts';
import type { ConnectOptions, SshTarget } from './ssh-target.ts';

/** One way to log in. */
interface Attempt {
  /** Name of the method in the SSH protocol (RFC 4252): what the server accepts is told in these names. */
  readonly protocolName: 'publickey' | 'password' | 'keyboard-interactive' | 'none';
  readonly label: string;
  readonly method: AnyAuthMethod;
}

/** The ways to log in to one host, handed out one by one, and the record of how that went. */
export interface Login {
  /** The next way to try, or false when none is left; the shape of ssh2's authHandler. */
  next(methodsLeft: readonly string[] | null): AnyAuthMethod | false;
  /** Notes an event for the error: an agent that does not answer. */
  note(text: string): void;
  /** SSH_AUTH_FAILED with everything tried, and what the server accepts. */
  failure(cause: unknown): InstallerError;
}

/**
 * Gathers the ways to log in: the named key file, the agent's keys, the password. Where none is named, the default keys.
 * Fails with SSH_KEY_FILE where the named key cannot be used.
 */
export async function prepareLogin(target: SshTarget, options: ConnectOptions): Promise<Login> {
  const notes: string[] = [];
  const attempts = await gatherAttempts(target, options, notes);
  const tried: string[] = [];
  let accepted: readonly string[] | undefined;
  let position = 0;
  let asked = false;
  return {
    next(methodsLeft) {
      accepted = methodsLeft ?? accepted;
      while (position < attempts.length) {
        const attempt = attempts[position];
        position += 1;
        if (!attempt) break;
        if (methodsLeft && attempt.protocolName !== 'none' && !methodsLeft.includes(attempt.protocolName)) continue;
        tried.push(attempt.label);
        return attempt.method;
      }
      // ssh2 does not tell what the server accepts when an agent's keys fail; asking costs a round trip of a login that has failed.
      if (accepted || asked) return false;
      asked = true;
      return { type: 'none', username: target.user };
    },
    note(text) {
      notes.push(text);
    },
    failure(cause) {
      return authFailedError(target, tried, accepted, notes, cause);
    },
  };
}

async function gatherAttempts(target: SshTarget, options: ConnectOptions, notes: string[]): Promise<Attempt[]> {
  const { user: username, password } = target;
  const load = options.keys ?? createKeyLoader();
  const attempts: Attempt[] = [];
  const addKey = (loaded: LoadedKey): void => {
    for (const warning of loaded.warnings) options.onWarning?.(warning);
    const label = `key ${loaded.file} (${loaded.fingerprint})`;
    attempts.push({ protocolName: 'publickey', label, method: { type: 'publickey', username, key: loaded.key } });
  };
  if (target.keyFile !== undefined) addKey(await loadNamedKey(load, target.keyFile, target));
  if (target.agentSocket !== undefined) {
    const agent = recordKeys(createAgent(target.agentSocket), notes);
    const label = `keys of the agent ${target.agentSocket}`;
    attempts.push({ protocolName: 'publickey', label, method: { type: 'agent', username, agent } });
  }
  if (password !== undefined) {
    attempts.push({ protocolName: 'password', label: 'password', method: { type: 'password', username, password } });
    attempts.push({
      protocolName: 'keyboard-interactive',
      label: 'keyboard-interactive with the password',
      method: answerPrompts(username, password),
    });
  }
  if (attempts.length === 0) {
    const { keys, skipped } = await loadDefaultKeys(load, options.keyFolder, target.keyPassphrase);
    for (const key of keys) addKey(key);
    notes.push(...skipped);
  }
  if (attempts.length === 0) {
    // Asks the server what it accepts, for the error.
    attempts.push({ protocolName: 'none', label: 'no key and no password', method: { type: 'none', username } });
  }
  return attempts;
}

/** The loader is shared between hosts, so its errors name none; here the host is known. */
async function loadNamedKey(load: KeyLoader, file: string, target: SshTarget): Promise<LoadedKey> {
  try {
    return await load(file, target.keyPassphrase);
  } catch (error) {
    if (!(error instanceof InstallerError)) throw error;
    const { code, message, remedy, cause } = error;
    throw new InstallerError({ code, message, remedy, cause, host: target.host });
  }
}

/** Answers the first hidden prompt with the password; a server that asks again did not take it. */
function answerPrompts(username: string, password: string): KeyboardInteractiveAuthMethod {
  let answered = false;
  return {
    type: 'keyboard-interactive',
    username,
    prompt: (_name, _instructions, _language, prompts, finish) => {
      finish(
        prompts.map((prompt) => {
          if (prompt.echo === true || answered) return '';
          answered = true;
          return password;
        }),
      );
    },
  };
}

/** Notes how many keys the agent offers: an empty agent is a frequent reason for a rejected login. */
function recordKeys(agent: BaseAgent, notes: string[]): BaseAgent {
  const getIdentities = agent.getIdentities.bind(agent);
  agent.getIdentities = (callback) => {
    getIdentities((error, keys) => {
      if (!error) notes.push(`the agent offers ${keys?.length ?? 0} keys`);
      callback(error, keys);
    });
  };
  return agent;
}

function authFailedError(
  target: SshTarget,
  tried: readonly string[],
  accepted: readonly string[] | undefined,
  notes: readonly string[],
  cause: unknown,
): InstallerError {
  // A number: the server itself ended the connection, as sshd does after MaxAuthTries keys (6).
  const endedByServer = cause instanceof Error && 'code' in cause && typeof cause.code === 'number';
  const accepts = accepted ? `the server accepts: ${accepted.join(', ')}` : 'the server did not say what it accepts';
  return new InstallerError({
    code: 'SSH_AUTH_FAILED',
    message: `${describeTarget(target)}: the host rejects the login`,
    remedy: endedByServer
      ? `Name the key file of ${target.user}: the agent may offer more keys than sshd tries (MaxAuthTries).`
      : `Put the public key into ~${target.user}/.ssh/authorized_keys on the host (ssh-copy-id -p ${target.port} ${target.user}@${target.address}), or correct the user, key or password.`,
    host: target.host,
    details: [...tried.map((label) => `tried: ${label}`), accepts, ...notes, `reason: ${messageOf(cause)}`],
    cause,
  });
}
