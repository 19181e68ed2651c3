import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { testCluster, testConfig } from '../../test/support/cluster.ts';
import { parseHostsFile } from '../hosts/facts-settings.ts';
import { parseHostNames, planMeasures } from './probe-measures.ts';

function argvOf(spec: string, hostsFile = ''): readonly (readonly string[])[] {
  const facts = { w1: { hostsFile: parseHostsFile(hostsFile) } };
  return planMeasures(testCluster({ config: testConfig(spec), facts }), 1).map(({ query }) => query.argv);
}

const leave = '  hostSettings: { hostsFile: leave }\n';

describe('the names of the hosts', () => {
  it('are not asked for where prepare-hosts writes them', () => {
    expect(argvOf('')).toEqual([]);
  });

  it('are asked for where it does not, but those that /etc/hosts has', () => {
    expect(argvOf(leave, '10.0.0.11 cp1\n').map((argv) => argv.slice(4))).toEqual([['w1', 'w2']]);
    expect(argvOf(leave, '10.0.0.11 cp1 w1 w2\n')).toEqual([]);
  });

  it('are looked up by the shell, those that nobody knows too', () => {
    const [program = '', option = '', script = ''] = argvOf(leave)[0] ?? [];
    const printed = execFileSync(program, [option, script, 'sh', 'localhost', 'nobody.invalid'], { encoding: 'utf8' });
    const found = parseHostNames(printed);

    expect(found.get('nobody.invalid')).toEqual([]);
    expect(found.get('localhost')?.some((address) => ['127.0.0.1', '::1'].includes(address))).toBe(true);
  });

  it('count as asked once their line is whole', () => {
    expect([...parseHostNames('cp1 10.0.0.11 fd00::11\nw1\nw2 10.0')]).toEqual([
      ['cp1', ['10.0.0.11', 'fd00::11']],
      ['w1', []],
    ]);
  });
});
