import { describe, expect, it } from 'vitest';
import { testCluster } from '../../test/support/cluster.ts';
import { planProbes } from './probe-plan.ts';

describe('planProbes', () => {
  it('has a control plane listen on its ports for everybody, and a worker on those of the kubelet', () => {
    const cluster = testCluster();

    expect(planProbes(cluster, 'x')(0).listeners).toEqual([
      { protocol: 'tcp', port: 10250, peers: [1, 2] },
      { protocol: 'tcp', port: 6443, peers: [1, 2] },
      { protocol: 'tcp', port: 2379, peers: [1, 2] },
      { protocol: 'tcp', port: 2380, peers: [1, 2] },
      { protocol: 'udp', port: 8472, peers: [1, 2] },
    ]);
    expect(planProbes(cluster, 'x')(1).listeners).toEqual([
      { protocol: 'tcp', port: 10250, peers: [0, 2] },
      { protocol: 'udp', port: 8472, peers: [0, 2] },
    ]);
  });

  it('probes every peer, and is waited for on the port of the kubelet', () => {
    expect(planProbes(testCluster(), 'x')(1)).toMatchObject({
      self: 1,
      address: '10.0.0.21',
      largeBytes: 1472,
      largeFrom: [0, 2],
      largeTo: [0, 2],
      targets: [
        { peer: 0, address: '10.0.0.11', tcpPorts: [10250, 6443, 2379, 2380] },
        { peer: 2, address: '10.0.0.22', tcpPorts: [10250] },
      ],
    });
  });

  it('does not listen where something else does, and with nothing that could', () => {
    const listeners = [{ protocol: 'tcp', address: '*', port: 10250, process: 'kubelet' }] as const;
    const taken = testCluster({ facts: { w1: { listeners } } });
    const bare = testCluster({ facts: { w1: { tools: new Set(['bash']) } } });

    expect(planProbes(taken, 'x')(1).listeners).toEqual([{ protocol: 'udp', port: 8472, peers: [0, 2] }]);
    expect(planProbes(bare, 'x')(1)).toMatchObject({ listenWith: undefined, listeners: [], largeFrom: [] });
  });

  it('does not knock where a stranger is', () => {
    const listeners = [{ protocol: 'tcp', address: '*', port: 10250, process: 'nc' }] as const;
    const ours = { identity: { clusterId: 'c1', clusterName: 'prod' }, listeners };

    expect(planProbes(testCluster({ facts: { w1: { listeners } } }), 'x')(2).targets[1]?.tcpPorts).toEqual([]);
    expect(planProbes(testCluster({ facts: { w1: ours } }), 'x')(2).targets[1]?.tcpPorts).toEqual([10250]);
  });

  it('takes socat where there is no systemd-socket-activate', () => {
    const cluster = testCluster({ facts: { w1: { tools: new Set(['bash', 'socat']) } } });

    expect(planProbes(cluster, 'x')(1).listenWith).toBe('socat');
  });
});
