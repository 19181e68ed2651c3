import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../test/support/fake-host.ts';
import { converge, planOn } from '../../test/support/steps.ts';
import { openPortsSteps, ufwOffStep } from './firewall-steps.ts';

describe('openPortsSteps', () => {
  const input = {
    id: 'f',
    ports: [
      { port: '6443', protocol: 'tcp', purpose: '' },
      { port: '2379-2380', protocol: 'tcp', purpose: '' },
      { port: '8472', protocol: 'udp', purpose: '' },
    ] as const,
    networks: ['10.244.0.0/16', '10.96.0.0/12'],
    interface: 'eth0',
  };

  it('opens a service of its own in firewalld', async () => {
    const made = createFakeHost('n1', { files: { '/etc/firewalld/zones/public.xml': '<zone/>' } });
    let [services, sources] = ['ssh', ''];
    made.on('/bin/sh -c z=', () => `public\n${services}\n${sources}\n`);
    made.on('firewall-cmd --permanent --zone=public --add-service=installer-kubernetes', () => {
      services += ' installer-kubernetes';
      made.write('/etc/firewalld/zones/public.xml', '<zone>changed</zone>');
      return '';
    });
    made.on(
      'firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16 --add-source=10.96.0.0/12',
      () => ((sources = '10.244.0.0/16 10.96.0.0/12'), ''),
    );
    made.on('systemctl try-reload-or-restart firewalld.service', '');

    for (const step of openPortsSteps('firewalld', input)) await converge(made, step);

    expect(made.text('/etc/firewalld/services/installer-kubernetes.xml')).toContain(
      '  <port protocol="tcp" port="6443"/>\n  <port protocol="tcp" port="2379-2380"/>\n  <port protocol="udp" port="8472"/>\n',
    );
    expect(made.record.ids()).toEqual([
      'file:etc:firewalld:services:installer-kubernetes.xml',
      'file:etc:firewalld:zones:public.xml.old',
      'file:etc:firewalld:zones:public.xml',
      'file:etc:firewalld:zones:trusted.xml.old',
      'file:etc:firewalld:zones:trusted.xml',
    ]);
    for (const step of openPortsSteps('firewalld', input)) expect(await converge(made, step)).toEqual([]);
  });

  it('adds only the rules that ufw does not have', async () => {
    const made = createFakeHost('n1');
    let added =
      "Added user rules (see 'ufw status' for running firewall):\nufw allow 6443/tcp comment 'mine'\nufw allow 22/tcp\n";
    made.on('ufw show added', () => added);
    made.on(/^ufw (allow|route)/, (argv) => ((added += `${argv.join(' ')}\n`), ''));
    const [step] = openPortsSteps('ufw', input);
    if (step === undefined) throw new Error('no step');

    expect(await converge(made, step)).toEqual([
      'let Kubernetes through ufw: 2379:2380/tcp, 8472/udp, from 10.244.0.0/16, allow from 10.244.0.0/16, allow to 10.244.0.0/16, from 10.96.0.0/12, allow from 10.96.0.0/12, allow to 10.96.0.0/12',
    ]);
    expect(made.record.ids()).toEqual(['file:etc:ufw:user.rules', 'file:etc:ufw:user6.rules']);
  });

  it('leaves rules of the user alone, and says what has to pass', async () => {
    const made = createFakeHost('n1', { services: { 'nftables.service': { activeState: 'active' } } });
    const [step] = openPortsSteps(undefined, input);
    if (step === undefined) throw new Error('no step');

    expect(await planOn(made, step)).toMatchObject({
      code: 'FIREWALL_BY_HAND',
      remedy: expect.stringContaining('6443/tcp, 2379-2380/tcp, 8472/udp') as string,
    });
    expect(await planOn(createFakeHost('n2'), step)).toEqual({ kind: 'changes', changes: [] });
  });
});

describe('ufwOffStep', () => {
  const path = '/etc/ufw/ufw.conf';

  it('turns off by its own command what is enabled, and records the file', async () => {
    const made = createFakeHost('n1', { files: { [path]: 'ENABLED=yes\nLOGLEVEL=low\n' } });
    made.on(/command -v/, '/usr/sbin/ufw\n');
    made.on('ufw disable', () => (made.write(path, 'ENABLED=no\nLOGLEVEL=low\n'), ''));

    expect(await converge(made, ufwOffStep('u'))).toEqual(['turn ufw off']);
    expect(made.record.ids()).toEqual(['file:etc:ufw:ufw.conf']);
    expect(await converge(made, ufwOffStep('u'))).toEqual([]);
  });

  it.each<[string, string | undefined, string]>([
    ['one that is off', 'ENABLED=no\n', '/usr/sbin/ufw\n'],
    ['files that a removed ufw left', 'ENABLED=yes\n', ''],
    ['a host without it', undefined, ''],
  ])('leaves %s alone', async (_name, content, tools) => {
    const made = createFakeHost('n1', { files: content === undefined ? {} : { [path]: content } });
    made.on(/command -v/, tools);
    expect(await planOn(made, ufwOffStep('u'))).toEqual({ kind: 'changes', changes: [] });
  });
});
