import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must } from '../lab/faults/index.ts';
import type { Stage } from './stage.ts';
import { kubeconfigOf, kubectl } from './support.ts';

/** kubeadm's bootstrap token: an id, which is public, and the secret. */
const token = /(?<![a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9.])/g;

/** Stands last: it looks at all that the runs before it have left. */
export function testSecrets(stageOf: () => Stage): void {
  test('no secret is in events, in run logs, in messages or in a command line on a host', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const { lab, sampler, results } = stage;
    const places = {
      'events and messages': results.map(({ stdout, stderr }) => stdout + stderr).join('\n'),
      'run logs': await stage.runLogs(),
      'command lines': sampler.commandLines().join('\n'),
      journals: (await Promise.all(lab.hosts.map((host) => must(host, 'journalctl --no-pager -o cat'))))
        .map(({ stdout }) => stdout)
        .join('\n'),
    };
    const secrets = await secretsOf(stage);
    expect(secrets.length).toBeGreaterThanOrEqual(4);

    for (const [place, text] of Object.entries(places)) {
      expect(text.length, place).toBeGreaterThan(1000);
      expect([...new Set(text.match(token) ?? [])], place).toEqual([]);
      expect(
        secrets.filter(({ value }) => text.includes(value)).map(({ name }) => name),
        place,
      ).toEqual([]);
    }
    for (const host of lab.hosts) expect((await host.exec('ls /run/installer/kubeadm-join.yaml')).exitCode).not.toBe(0);
    stage.figure(
      'places searched for secrets',
      Object.entries(places)
        .map(([place, text]) => `${place} ${Math.round(text.length / 1024)} KiB`)
        .join(', '),
    );
    stage.figure(
      'looks at the processes of the hosts',
      `${sampler.scans()}, ${sampler.commandLines().length} command lines`,
    );
  });
}

/** The very values: the tokens that the cluster still knows, keys of its administrator and of its CA, and the lab's own. */
async function secretsOf({ lab }: Stage): Promise<{ readonly name: string; readonly value: string }[]> {
  const list = await kubectl(lab, [
    '-n',
    'kube-system',
    'get',
    'secrets',
    '-o',
    'jsonpath={range .items[?(@.type=="bootstrap.kubernetes.io/token")]}{.data.token-secret}{"\\n"}{end}',
  ]);
  const tokens = list
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line, 'base64').toString());
  const kubeconfig = await readFile(kubeconfigOf(lab), 'utf8');
  const clientKey = /client-key-data: (\S+)/.exec(kubeconfig)?.[1] ?? '';
  const caKey = await readFile(join(lab.host('node1').root, 'etc/kubernetes/pki/ca.key'), 'utf8');
  const loginKey = await readFile(lab.keyFile, 'utf8');
  expect(tokens.length).toBeGreaterThan(0);
  return [
    ...tokens.map((value, index) => ({ name: `join token ${index + 1}`, value })),
    { name: "the administrator's key", value: clientKey },
    { name: 'key of the CA', value: caKey.split('\n')[1] ?? '' },
    { name: 'login key', value: loginKey.split('\n')[1] ?? '' },
    { name: 'sudo password', value: lab.sudoPassword },
  ].filter(({ value }) => value !== '');
}
