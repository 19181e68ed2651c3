import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
}

/** One of many hosts that look like this machine, with its own name, address, MAC address and machine-id. */
export interface HostShape {
  readonly name: string;
  readonly address: string;
  /** Twelve hex digits. */
  readonly suffix: string;
}

const nonceLine = /^N=([0-9a-zA-Z]+)$/m;

/**
 * Answers scripts with what /bin/sh printed on this machine when the same script came for the first time: a hundred hosts cost
 * the two cores one run of the script, not a hundred.
 */
export function createRecorder(): (script: string, host: HostShape) => Promise<Answer> {
  const recorded = new Map<string, Promise<Answer>>();
  const own = thisMachine();
  return async (script, host) => {
    const nonce = nonceLine.exec(script)?.[1] ?? '';
    const key = script.replaceAll(nonce, 'NONCE').replaceAll(host.address, 'ADDRESS');
    const answer = recorded.get(key) ?? record(script, nonce, own);
    recorded.set(key, answer);
    const { stdout, stderr } = await answer;
    const place = (text: string): string =>
      text
        .replaceAll('NONCE', nonce)
        .replaceAll('HOSTNAME', host.name)
        .replaceAll('ADDRESS', host.address)
        .replaceAll('MACADDRESS', `02:${host.suffix.match(/../g)?.slice(0, 5).join(':') ?? ''}`)
        .replaceAll('MACHINEID', host.suffix.padEnd(32, '0'))
        .replaceAll('CLOCK', String(Date.now()));
    return { stdout: place(stdout), stderr: place(stderr) };
  };
}

interface Machine {
  readonly address: string | undefined;
  readonly mac: string | undefined;
  readonly machineId: string;
}

function thisMachine(): Machine {
  const links = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const link = links.find(({ family, internal }) => family === 'IPv4' && !internal);
  let machineId = '';
  try {
    machineId = readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    // A machine without one: the check of it then finds nothing either.
  }
  return { address: link?.address, mac: link?.mac, machineId };
}

function record(script: string, nonce: string, own: Machine): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile('/bin/sh', ['-s'], { maxBuffer: 16 * 1024 * 1024 }, (_error, stdout, stderr) => {
      const hide = (text: string): string => {
        const words: [string | undefined, string][] = [
          [nonce, 'NONCE'],
          [own.mac, 'MACADDRESS'],
          [own.address, 'ADDRESS'],
          [own.machineId, 'MACHINEID'],
          [hostname(), 'HOSTNAME'],
        ];
        const hidden = words.reduce(
          (rest, [word, mark]) => (word === undefined || word === '' ? rest : rest.replaceAll(word, mark)),
          text,
        );
        // The clock of the first query; one that stood still would make every later host late.
        return hidden.replace(/^\d{13}$/m, 'CLOCK');
      };
      resolve({ stdout: hide(stdout), stderr: hide(stderr) });
    });
    child.stdin?.end(script);
  });
}
