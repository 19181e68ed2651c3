import { expect, test } from 'vitest';
import { must } from '../lab/faults/index.ts';
import { describe, errorCodes, freeze, planned, seconds, type Stage } from './stage.ts';

/** A control plane that is there and does not answer is never made anew. */
export function testSickness(stageOf: () => Stage): void {
  test('where kubelet is masked and the API server dead, nothing is made anew and the mask is named', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const host = stage.lab.host('node1');
    stage.state = 'unknown';
    const data = await inodeOfEtcd(stage);
    const since = performance.now();
    const unit = '/etc/systemd/system/kubelet.service';
    await must(
      host,
      `systemctl stop kubelet && cp ${unit} /root/kubelet.kept && ln -sf /dev/null ${unit} && systemctl daemon-reload`,
    );
    await must(host, 'pkill -KILL -x kube-apiserver');

    const result = await stage.create();

    expect(result.exitCode).not.toBe(0);
    expect(result.finished?.errors[0]?.host).toBe('node1');
    expect(`${result.finished?.errors[0]?.message ?? ''} ${result.finished?.errors[0]?.remedy ?? ''}`).toMatch(
      /kubelet\.service.*unmask/,
    );
    await expectNoInit(stage, since, data);
    expect((await must(host, 'stat -c "%F %a" /dev/null; readlink /etc/systemd/system/kubelet.service')).stdout).toBe(
      'character special file 666\n/dev/null\n',
    );
    stage.figure('masked kubelet told after', `${seconds(result.durationMs)} (${errorCodes(result).join(', ')})`);

    await must(
      host,
      `cp --remove-destination /root/kubelet.kept ${unit} && rm /root/kubelet.kept && systemctl daemon-reload`,
    );
    const repaired = await stage.create();
    expect(describe(repaired)).toBe('exit 0, ok');
    expect(planned(repaired)).toEqual(['node1 install-kubernetes: start kubelet.service']);
    await expectNoInit(stage, since, data);
    stage.state = 'cluster';
    stage.figure('create after the mask was taken off', seconds(repaired.durationMs));
  });

  test('where the API server hangs, it is waited for and then named; nothing is made anew', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const host = stage.lab.host('node1');
    stage.state = 'unknown';
    const data = await inodeOfEtcd(stage);
    const since = performance.now();
    // kubelet would start it anew after two minutes.
    const thaw = await freeze(host, ['kubelet', 'kube-apiserver']);
    try {
      const result = await stage.create();
      expect([4, 5]).toContain(result.exitCode);
      expect(result.finished?.errors[0]).toMatchObject({ code: 'API_NOT_ANSWERING', host: 'node1' });
      expect(result.finished?.changes).toBe(0);
      stage.figure('API server that hangs told after', seconds(result.durationMs));
    } finally {
      await thaw();
    }
    await expectNoInit(stage, since, data);
    const after = await stage.create();
    expect(describe(after)).toBe('exit 0, ok');
    expect(planned(after)).toEqual([]);
    await expectNoInit(stage, since, data);
    stage.state = 'cluster';
  });
}

async function inodeOfEtcd(stage: Stage): Promise<string> {
  return (await must(stage.lab.host('node1'), 'stat -c %i /var/lib/etcd/member /var/lib/etcd/member/snap/db')).stdout;
}

/** Neither an init nor a reset was seen, and the cluster's data is the very same. */
async function expectNoInit(stage: Stage, sinceMs: number, data: string): Promise<void> {
  const { sampler } = stage;
  expect([sampler.kubeadm('init', sinceMs), sampler.kubeadm('reset', sinceMs)]).toEqual([[], []]);
  expect(await inodeOfEtcd(stage)).toBe(data);
}
